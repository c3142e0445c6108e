#include "slave/slave.hpp"

#include <stdexcept>

#include <stout/os.hpp>

#include "hook/manager.hpp"
#include "http/health.hpp"
#include "logging/logging.hpp"

namespace mesos {
namespace internal {
namespace slave {

void run(const Flags& flags)
{
  if (flags.get("master").empty()) {
    throw std::runtime_error("Missing required option --master");
  }
  os::read(flags.get("launcher_dir") + "/mesos-executor");
  os::mkdir(flags.get("work_dir") + "/meta");
  logging::initialize("mesos-slave", flags);

  modules::Manager manager;
  if (flags.has("modules")) {
    manager.load(flags.get("modules"));
  }
  std::string loaded;
  for (const std::string& name : isolators(flags, manager)) {
    loaded += (loaded.empty() ? "" : ",") + name;
  }
  std::string hooked;
  for (const std::string& name : hooks(flags.get("hooks"), manager)) {
    hooked += (hooked.empty() ? "" : ",") + name;
  }
  LOG(INFO) << "Would register with " << "its master";
  serve(flags, "{\"isolation\": \"" + loaded + "\", \"hooks\": \"" + hooked + "\"}\n");
}

} // namespace slave {
} // namespace internal {
} // namespace mesos {
