// A stand-in for picojson: strict JSON, without comments.
//
// Integers are there only with PICOJSON_USE_INT64, as in the real one: whoever asks for one without
// it compiles, and gets a symbol that nothing defines.
#ifndef picojson_h
#define picojson_h

#include <inttypes.h>
#include <stdlib.h>

#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#if defined(PICOJSON_USE_INT64) && !defined(PRId64)
#error "PICOJSON_USE_INT64 needs __STDC_FORMAT_MACROS"
#endif

namespace picojson {

class value;
typedef std::vector<value> array;
typedef std::map<std::string, value> object;

enum kind { null_kind, bool_kind, number_kind, string_kind, array_kind, object_kind };

class value
{
public:
  value() : type(null_kind), truth(false), number(0) {}
  explicit value(const std::string& s) : type(string_kind), truth(false), number(0), text(s) {}
  explicit value(bool b) : type(bool_kind), truth(b), number(0) {}
  explicit value(double d) : type(number_kind), truth(false), number(d) {}
#ifdef PICOJSON_USE_INT64
  explicit value(int64_t i) : type(number_kind), truth(false), number(static_cast<double>(i)) {}
#endif
  explicit value(const array& a) : type(array_kind), truth(false), number(0), items(a) {}
  explicit value(const object& o) : type(object_kind), truth(false), number(0), members(o) {}

  template <typename T> bool is() const;
  template <typename T> const T& get() const;

  const value& get(const std::string& key) const
  {
    static const value none;
    object::const_iterator found = members.find(key);
    return found == members.end() ? none : found->second;
  }

  std::string serialize() const
  {
    std::string out;
    switch (type) {
      case null_kind: return "null";
      case bool_kind: return truth ? "true" : "false";
      case number_kind: return std::to_string(static_cast<int64_t>(number));
      case string_kind: return quoted(text);
      case array_kind:
        for (size_t i = 0; i < items.size(); ++i) out += (i ? "," : "") + items[i].serialize();
        return "[" + out + "]";
      default:
        for (object::const_iterator i = members.begin(); i != members.end(); ++i) {
          out += (out.empty() ? "" : ",") + quoted(i->first) + ":" + i->second.serialize();
        }
        return "{" + out + "}";
    }
  }

private:
  static std::string quoted(const std::string& s)
  {
    std::string out = "\"";
    for (size_t i = 0; i < s.size(); ++i) {
      if (s[i] == '"' || s[i] == '\\') out += '\\';
      out += s[i];
    }
    return out + "\"";
  }

  kind type;
  bool truth;
  double number;
  std::string text;
  array items;
  object members;
};

template <> inline bool value::is<std::string>() const { return type == string_kind; }
template <> inline bool value::is<bool>() const { return type == bool_kind; }
template <> inline bool value::is<double>() const { return type == number_kind; }
template <> inline bool value::is<array>() const { return type == array_kind; }
template <> inline bool value::is<object>() const { return type == object_kind; }
#ifdef PICOJSON_USE_INT64
template <> inline bool value::is<int64_t>() const { return type == number_kind; }
#endif
template <> inline const std::string& value::get<std::string>() const { return text; }
template <> inline const bool& value::get<bool>() const { return truth; }
template <> inline const double& value::get<double>() const { return number; }
template <> inline const array& value::get<array>() const { return items; }
template <> inline const object& value::get<object>() const { return members; }

/// Reads a text; throws std::runtime_error where it is no JSON.
class reader
{
public:
  explicit reader(const std::string& t) : text(t), at(0) {}

  value document()
  {
    const value out = any();
    blanks();
    if (at != text.size()) fail();
    return out;
  }

private:
  value any()
  {
    blanks();
    switch (at < text.size() ? text[at] : 0) {
      case '{': return members();
      case '[': return items();
      case '"': return value(quoted());
      case 't': return word("true"), value(true);
      case 'f': return word("false"), value(false);
      case 'n': return word("null"), value();
      default: return number();
    }
  }

  value members()
  {
    object out;
    take('{');
    if (!ahead('}')) {
      do {
        blanks();
        const std::string key = quoted();
        take(':');
        out[key] = any();
      } while (ahead(','));
      take('}');
    }
    return value(out);
  }

  value items()
  {
    array out;
    take('[');
    if (!ahead(']')) {
      do {
        out.push_back(any());
      } while (ahead(','));
      take(']');
    }
    return value(out);
  }

  std::string quoted()
  {
    std::string out;
    take('"');
    while (at < text.size() && text[at] != '"') {
      if (text[at] == '\\') ++at;
      if (at < text.size()) out += text[at++];
    }
    take('"');
    return out;
  }

  value number()
  {
    char* end;
    const double out = strtod(text.c_str() + at, &end);
    const size_t length = end - (text.c_str() + at);
    if (length == 0) fail();
    at += length;
    return value(out);
  }

  void word(const std::string& expected)
  {
    if (text.compare(at, expected.size(), expected) != 0) fail();
    at += expected.size();
  }

  void blanks()
  {
    while (at < text.size() && std::string(" \t\r\n").find(text[at]) != std::string::npos) ++at;
  }

  bool ahead(char sign)
  {
    blanks();
    if (at == text.size() || text[at] != sign) return false;
    ++at;
    return true;
  }

  void take(char sign)
  {
    if (!ahead(sign)) fail();
  }

  void fail() const
  {
    throw std::runtime_error("no JSON at character " + std::to_string(at) + ": " + text.substr(at, 20));
  }

  std::string text;
  size_t at;
};

/// Reads a text into `out`; returns what is wrong with it, or nothing.
inline std::string parse(value& out, const std::string& text)
{
  try {
    out = reader(text).document();
    return "";
  } catch (const std::runtime_error& error) {
    return error.what();
  }
}

} // namespace picojson {

#endif // picojson_h
