#include "slave/slave.hpp"

#include <memory>
#include <set>
#include <stdexcept>

#include <glog/logging.h>

#include <mesos/module/isolator.hpp>

#include <stout/strings.hpp>

namespace mesos {
namespace internal {
namespace slave {

std::vector<std::string> isolators(const Flags& flags, const modules::Manager& manager)
{
  static const std::set<std::string> own = {
    "posix/cpu", "posix/mem", "posix/disk", "cgroups/cpu", "cgroups/mem", "cgroups/perf_event",
    "filesystem/shared", "namespaces/pid"};

  const std::vector<std::string> names = strings::tokenize(flags.get("isolation"), ",");
  for (const std::string& name : names) {
    if (own.count(name) > 0) {
      continue;
    }
    const std::unique_ptr<mesos::slave::Isolator> isolator(manager.create<mesos::slave::Isolator>(name));
    ContainerID container;
    container.set_value("a-container");
    LOG(INFO) << "Isolator " << name << " would prepare a container by " << isolator->prepare(container);
  }
  return names;
}

} // namespace slave {
} // namespace internal {
} // namespace mesos {
