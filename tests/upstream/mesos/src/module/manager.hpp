// Modules: libraries that are loaded by a description in JSON.
#ifndef MODULE_MANAGER_HPP
#define MODULE_MANAGER_HPP

#include <map>
#include <stdexcept>
#include <string>

#include <mesos/module.hpp>

namespace mesos {
namespace internal {
namespace modules {

/// A module of a library: the struct that it shows, checked but for its kind's own part.
const mesos::modules::ModuleBase* open(const std::string& library, const std::string& name);

class Manager
{
public:
  /// Loads what a description names. Throws std::runtime_error.
  void load(const std::string& json);

  /// An object of a module of this kind, with the parameters of the description.
  template <typename T>
  T* create(const std::string& name) const
  {
    const std::map<std::string, Loaded>::const_iterator found = loaded.find(name);
    if (found == loaded.end()) {
      throw std::runtime_error("Module '" + name + "' unknown");
    }
    const mesos::modules::ModuleBase* base = found->second.base;
    const std::string kind = mesos::modules::kind<T>();
    if (base->kind != kind) {
      throw std::runtime_error("Module '" + name + "' is of kind " + base->kind + ", not " + kind);
    }
    T* out = static_cast<const mesos::modules::Module<T>*>(base)->create(found->second.parameters);
    if (out == NULL) {
      throw std::runtime_error("Failed to create an instance of module '" + name + "'");
    }
    return out;
  }

private:
  struct Loaded
  {
    const mesos::modules::ModuleBase* base;
    Parameters parameters;
  };
  std::map<std::string, Loaded> loaded;
};

} // namespace modules {
} // namespace internal {
} // namespace mesos {

#endif // MODULE_MANAGER_HPP
