// A stand-in for protoc: protoc [-I DIR]... --cpp_out=DIR FILE.proto
//
// Knows messages with fields of string, int64, bool, double and other messages, and makes a class with
// accessors of each.

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

using std::string;
using std::vector;

struct Field
{
  string label, type, name;
};

struct Message
{
  string name;
  vector<Field> fields;
};

struct File
{
  string name;
  vector<string> package, imports;
  vector<Message> messages;
};

static void fail(const string& message)
{
  std::cerr << "protoc: " << message << std::endl;
  std::exit(1);
}

// Words, quoted strings without their quotes, and single signs; comments are left out.
static vector<string> tokens(const string& text)
{
  vector<string> out;
  for (size_t i = 0; i < text.size();) {
    const size_t start = i;
    if (text.compare(i, 2, "//") == 0) {
      i = text.find('\n', i);
      if (i == string::npos) break;
    } else if (text[i] == '"') {
      i = text.find('"', i + 1);
      if (i == string::npos) fail("a string does not end");
      out.push_back(text.substr(start + 1, i - start - 1));
      ++i;
    } else if (isspace(text[i])) {
      ++i;
    } else if (isalnum(text[i]) || text[i] == '_') {
      while (i < text.size() && (isalnum(text[i]) || text[i] == '_' || text[i] == '.')) ++i;
      out.push_back(text.substr(start, i - start));
    } else {
      out.push_back(text.substr(i++, 1));
    }
  }
  return out;
}

class Parser
{
public:
  explicit Parser(const vector<string>& _words) : words(_words), at(0) {}

  void parse(File* file)
  {
    while (at < words.size()) {
      const string word = next();
      if (word == "package") {
        std::istringstream parts(next());
        for (string part; std::getline(parts, part, '.');) file->package.push_back(part);
        expect(";");
      } else if (word == "import") {
        file->imports.push_back(next());
        expect(";");
      } else if (word == "message") {
        file->messages.push_back(message());
      } else {
        fail("unknown: " + word);
      }
    }
  }

private:
  Message message()
  {
    Message out;
    out.name = next();
    expect("{");
    for (string word = next(); word != "}"; word = next()) {
      if (word != "required" && word != "optional" && word != "repeated") {
        fail("unknown in " + out.name + ": " + word);
      }
      Field field;
      field.label = word;
      field.type = next();
      field.name = next();
      expect("=");
      next();
      expect(";");
      out.fields.push_back(field);
    }
    return out;
  }

  string next()
  {
    if (at == words.size()) fail("the file ends too early");
    return words[at++];
  }

  void expect(const string& word)
  {
    const string found = next();
    if (found != word) fail("expected " + word + ", found " + found);
  }

  vector<string> words;
  size_t at;
};

static string replace(string text, const string& from, const string& to)
{
  for (size_t i = 0; (i = text.find(from, i)) != string::npos; i += to.size()) {
    text.replace(i, from.size(), to);
  }
  return text;
}

static string cpp_type(const string& type)
{
  if (type == "string") return "std::string";
  if (type == "int64") return "int64_t";
  return replace(type, ".", "::");
}

static string accessors(const Field& field)
{
  const bool repeated = field.label == "repeated";
  const string form = repeated
    ? "  const std::vector<TYPE>& NAME() const { return NAME_; }\n"
      "  TYPE* add_NAME() { NAME_.push_back(TYPE()); return &NAME_.back(); }\n"
    : "  const TYPE& NAME() const { return NAME_; }\n"
      "  void set_NAME(const TYPE& value) { NAME_ = value; }\n";
  return replace(replace(form, "TYPE", cpp_type(field.type)), "NAME", field.name);
}

static string scope(const File& file, const string& form)
{
  string out;
  for (size_t i = 0; i < file.package.size(); ++i) out += replace(form, "PART", file.package[i]);
  return out;
}

static void write(const string& path, const string& text)
{
  std::ofstream out(path.c_str());
  out << text;
  if (!out.flush()) fail("cannot write " + path);
}

static string header(const File& file)
{
  std::ostringstream out;
  out << "// Made by the stand-in's protoc from " << file.name << ".proto\n#pragma once\n"
      << "#include <stdint.h>\n#include <string>\n#include <vector>\n"
      << "#include <google/protobuf/message.h>\n";
  for (size_t i = 0; i < file.imports.size(); ++i) {
    out << "#include \"" << replace(file.imports[i], ".proto", ".pb.h") << "\"\n";
  }
  out << "#if GOOGLE_PROTOBUF_VERSION != 2005000\n#error made by another protoc\n#endif\n"
      << scope(file, "namespace PART {\n");
  for (size_t i = 0; i < file.messages.size(); ++i) {
    const Message& message = file.messages[i];
    out << "class " << message.name << " : public ::google::protobuf::Message {\npublic:\n"
        << "  std::string GetTypeName() const;\n";
    string members;
    for (size_t j = 0; j < message.fields.size(); ++j) {
      const Field& field = message.fields[j];
      out << accessors(field);
      const string type = cpp_type(field.type);
      const bool repeated = field.label == "repeated";
      members += "  " + (repeated ? "std::vector<" + type + ">" : type) + " " + field.name + "_" +
                 (repeated || type == "std::string" ? ";\n" : " = " + type + "();\n");
    }
    out << "private:\n" << members << "};\n";
  }
  out << scope(file, "}\n");
  return out.str();
}

static string source(const File& file)
{
  std::ostringstream out;
  out << "// Made by the stand-in's protoc from " << file.name << ".proto\n"
      << "#include \"" << file.name << ".pb.h\"\n" << scope(file, "namespace PART {\n")
      << "static const int verified __attribute__((unused)) =\n"
      << "  ::google::protobuf::Message::VerifyVersion(2005000, \"" << file.name << "\");\n";
  const string prefix = scope(file, "PART.");
  for (size_t i = 0; i < file.messages.size(); ++i) {
    const string& name = file.messages[i].name;
    out << "std::string " << name << "::GetTypeName() const { return \"" << prefix << name << "\"; }\n";
  }
  out << scope(file, "}\n");
  return out.str();
}

int main(int argc, char** argv)
{
  vector<string> folders;
  string out_dir, path;
  for (int i = 1; i < argc; ++i) {
    const string argument = argv[i];
    if (argument == "--version") {
      std::cout << "libprotoc 2.5.0 (stand-in)" << std::endl;
      return 0;
    } else if (argument.compare(0, 2, "-I") == 0) {
      folders.push_back(argument.size() > 2 ? argument.substr(2) : i + 1 < argc ? argv[++i] : "");
    } else if (argument.compare(0, 10, "--cpp_out=") == 0) {
      out_dir = argument.substr(10);
    } else {
      path = argument;
    }
  }

  std::ifstream in(path.c_str());
  std::stringstream text;
  text << in.rdbuf();
  if (out_dir.empty() || !in) fail("usage: protoc [-I DIR]... --cpp_out=DIR FILE.proto; file: " + path);

  File file;
  file.name = path.substr(0, path.rfind(".proto"));
  for (size_t i = 0; i < folders.size(); ++i) {
    const string folder = folders[i] + "/";
    if (path.compare(0, folder.size(), folder) == 0) {
      file.name = file.name.substr(folder.size());
      break;
    }
  }
  Parser(tokens(text.str())).parse(&file);
  write(out_dir + "/" + file.name + ".pb.h", header(file));
  write(out_dir + "/" + file.name + ".pb.cc", source(file));
  return 0;
}
