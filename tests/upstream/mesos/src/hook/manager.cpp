#include "hook/manager.hpp"

#include <memory>

#include <glog/logging.h>

#include <mesos/module/hook.hpp>

#include <stout/strings.hpp>

namespace mesos {
namespace internal {

std::vector<std::string> hooks(const std::string& list, const modules::Manager& manager)
{
  const std::vector<std::string> names = strings::tokenize(list, ",");
  for (const std::string& name : names) {
    const std::unique_ptr<Hook> hook(manager.create<Hook>(name));
    LOG(INFO) << "Hook " << name << " makes of TASK_RUNNING: "
              << hook->slaveTaskStatusDecorator("TASK_RUNNING");
  }
  return names;
}

} // namespace internal {
} // namespace mesos {
