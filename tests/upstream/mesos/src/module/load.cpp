#include "module/manager.hpp"

#include <dlfcn.h>

#include <set>

#include <glog/logging.h>

namespace mesos {
namespace internal {
namespace modules {

static void* library_of(const std::string& path)
{
  void* library = dlopen(path.c_str(), RTLD_NOW);
  if (library == NULL) {
    throw std::runtime_error("Error opening library: '" + path + "': " + dlerror());
  }
  return library;
}

const mesos::modules::ModuleBase* open(const std::string& path, const std::string& name)
{
  // Never closed: its code may run until the process ends.
  void* symbol = dlsym(library_of(path), name.c_str());
  if (symbol == NULL) {
    throw std::runtime_error("Error loading module '" + name + "' of '" + path + "': " + dlerror());
  }
  const mesos::modules::ModuleBase* base = static_cast<const mesos::modules::ModuleBase*>(symbol);

  const std::string api = base->moduleApiVersion == NULL ? "" : base->moduleApiVersion;
  if (api != MESOS_MODULE_API_VERSION) {
    throw std::runtime_error(
        "Module API version mismatch. Mesos has: " MESOS_MODULE_API_VERSION ", '" + name + "' requires: " + api);
  }
  const std::string version = base->mesosVersion == NULL ? "" : base->mesosVersion;
  if (version != MESOS_VERSION) {
    throw std::runtime_error(
        "Module '" + name + "' was built for Mesos " + version + ", this is " MESOS_VERSION);
  }
  static const std::set<std::string> kinds = {"Hook", "Isolator", "ResourceEstimator"};
  const std::string kind = base->kind == NULL ? "" : base->kind;
  if (kinds.count(kind) == 0) {
    throw std::runtime_error("Module '" + name + "' is of the unknown kind '" + kind + "'");
  }
  if (base->compatible != NULL && !base->compatible()) {
    throw std::runtime_error("Module '" + name + "' has determined to be incompatible");
  }
  LOG(INFO) << "Loaded module " << name << " (" << kind << ") of " << path;
  return base;
}

} // namespace modules {
} // namespace internal {
} // namespace mesos {
