#include "module/manager.hpp"

#include <picojson.h>

namespace mesos {
namespace internal {
namespace modules {

// The list under a name; an empty one if there is none.
static picojson::array list(const picojson::value& value, const std::string& name)
{
  const picojson::value& found = value.get(name);
  return found.is<picojson::array>() ? found.get<picojson::array>() : picojson::array();
}

static std::string text(const picojson::value& value, const std::string& name)
{
  const picojson::value& found = value.get(name);
  if (!found.is<std::string>()) {
    throw std::runtime_error("Error parsing modules: '" + name + "' is missing");
  }
  return found.get<std::string>();
}

// A library is named by its path, or by its name alone, as the linker does.
static std::string path(const picojson::value& library)
{
  return library.get("file").is<std::string>() ? text(library, "file")
                                               : LIBDIR "/lib" + text(library, "name") + ".so";
}

void Manager::load(const std::string& json)
{
  picojson::value modules;
  const std::string error = picojson::parse(modules, json);
  if (!error.empty() || !modules.is<picojson::object>()) {
    throw std::runtime_error("Failed to load flag 'modules': " + error);
  }
  for (const picojson::value& library : list(modules, "libraries")) {
    for (const picojson::value& module : list(library, "modules")) {
      const std::string name = text(module, "name");
      Loaded entry = {open(path(library), name), Parameters()};
      for (const picojson::value& parameter : list(module, "parameters")) {
        Parameter* added = entry.parameters.add_parameter();
        added->set_key(text(parameter, "key"));
        added->set_value(text(parameter, "value"));
      }
      if (!loaded.insert(std::make_pair(name, entry)).second) {
        throw std::runtime_error("Error loading duplicate module '" + name + "'");
      }
    }
  }
}

} // namespace modules {
} // namespace internal {
} // namespace mesos {
