#include "common/flags.hpp"

#include <ctype.h>
#include <unistd.h>

#include <set>
#include <stdexcept>

#include <boost/functional/hash.hpp>
#include <boost/lexical_cast.hpp>

#include "common/files.hpp"

namespace mesos {
namespace internal {

void Flags::value(const std::string& names, const std::string& initial)
{
  for (const std::string& name : strings::tokenize(names, " ")) {
    known[name] = {false, initial};
  }
}

void Flags::toggle(const std::string& name, bool initial)
{
  known[name] = {true, initial ? "true" : "false"};
}

void Flags::common(int port)
{
  toggle("help", false);
  toggle("version", false);
  toggle("hostname_lookup", true);
  toggle("initialize_driver_logging", true);
  toggle("quiet", false);
  value("advertise_ip advertise_port external_log_file firewall_rules hooks hostname ip "
        "ip_discovery_command log_dir modules work_dir");
  value("logbufsecs", "0");
  value("logging_level", "INFO");
  value("port", std::to_string(port));
}

void Flags::load(int argc, char** argv)
{
  const std::string prefix = "MESOS_";
  for (char** variable = environ; *variable != NULL; ++variable) {
    const std::string text = *variable;
    const size_t at = text.find('=');
    if (!strings::startsWith(text, prefix) || at == std::string::npos) {
      continue;
    }
    std::string name = text.substr(prefix.size(), at - prefix.size());
    for (char& letter : name) {
      letter = tolower(letter);
    }
    // Variables are for executors as well: an unknown one is none of ours.
    if (known.count(name) > 0) {
      set(name, text.substr(at + 1), "the environment");
    }
  }

  std::set<std::string> seen;
  for (int i = 1; i < argc; ++i) {
    const std::string text = argv[i];
    if (!strings::startsWith(text, "--")) {
      throw std::runtime_error("Failed to parse '" + text + "'");
    }
    const size_t at = text.find('=');
    const bool bare = at == std::string::npos;
    std::string name = text.substr(2, bare ? at : at - 2);
    std::string given = bare ? "" : text.substr(at + 1);
    if (bare && strings::startsWith(name, "no-") && known.count(name) == 0) {
      name = name.substr(3);
      given = "false";
    }
    if (known.count(name) == 0) {
      throw std::runtime_error("Failed to load unknown flag '" + name + "'");
    }
    if (!seen.insert(name).second) {
      throw std::runtime_error("Flag '" + name + "' is already loaded via command line");
    }
    if (bare && given.empty() && !known[name].toggle) {
      throw std::runtime_error("Failed to load non-boolean flag '" + name + "': Missing value");
    }
    set(name, bare && given.empty() ? "true" : given, "the command line");
  }
}

void Flags::set(const std::string& name, const std::string& text, const std::string& origin)
{
  if (known[name].toggle && text != "true" && text != "false") {
    throw std::runtime_error("Failed to load boolean flag '" + name + "' of " + origin + ": '" + text + "'");
  }
  values[name] = text;
}

std::string Flags::get(const std::string& name) const
{
  const std::map<std::string, std::string>::const_iterator given = values.find(name);
  if (given == values.end()) {
    return known.at(name).initial;
  }
  return strings::trim(fetch(given->second));
}

int Flags::number(const std::string& name) const
{
  try {
    return boost::lexical_cast<int>(get(name));
  } catch (const boost::bad_lexical_cast&) {
    throw std::runtime_error("Failed to load flag '" + name + "': '" + get(name) + "' is no number");
  }
}

std::string Flags::usage(const std::string& program) const
{
  std::string out = "Usage: " + program + " [options]   (a stand-in)\n";
  for (const auto& flag : known) {
    out += flag.second.toggle ? "  --[no-]" + flag.first : "  --" + flag.first + "=VALUE";
    out += flag.second.initial.empty() ? "\n" : " (default: " + flag.second.initial + ")\n";
  }
  return out;
}

std::size_t Flags::hash() const
{
  std::size_t seed = 0;
  for (const auto& flag : values) {
    boost::hash_combine(seed, flag.first);
    boost::hash_combine(seed, flag.second);
  }
  return seed;
}

} // namespace internal {
} // namespace mesos {
