// Flags, from --name=value and MESOS_NAME=value.
#ifndef COMMON_FLAGS_HPP
#define COMMON_FLAGS_HPP

#include <map>
#include <string>
#include <vector>

namespace mesos {
namespace internal {

class Flags
{
public:
  virtual ~Flags() {}

  /// Reads the environment, then the command line, which wins. Throws std::runtime_error.
  void load(int argc, char** argv);

  bool has(const std::string& name) const { return values.count(name) > 0; }
  /// The value; the default, or nothing, if none was given. `file://` is followed.
  std::string get(const std::string& name) const;
  bool is(const std::string& name) const { return get(name) == "true"; }
  int number(const std::string& name) const;

  /// All flags, for --help.
  std::string usage(const std::string& program) const;
  /// A number that is the same for the same flags.
  std::size_t hash() const;

protected:
  /// Declares a flag with a value, or several without a default: `name name name`.
  void value(const std::string& names, const std::string& initial = "");
  /// Declares a switch: --name, --no-name, --name=true, --name=false.
  void toggle(const std::string& name, bool initial);
  /// What both daemons know.
  void common(int port);

private:
  void set(const std::string& name, const std::string& text, const std::string& origin);

  struct Known { bool toggle; std::string initial; };
  std::map<std::string, Known> known;
  std::map<std::string, std::string> values;
};

} // namespace internal {
} // namespace mesos {

#endif // COMMON_FLAGS_HPP
