#include "master/master.hpp"

#include <stdexcept>

#include <stout/os.hpp>

#include "http/health.hpp"
#include "logging/logging.hpp"

namespace mesos {
namespace internal {
namespace master {

static void demand(const Flags& flags, const std::string& name)
{
  if (flags.get(name).empty()) {
    throw std::runtime_error("--" + name + " needs to be specified");
  }
}

void run(const Flags& flags)
{
  // As in Mesos, a master without ZooKeeper is one that stands alone, and needs no quorum.
  if (flags.get("registry") == "replicated_log") {
    demand(flags, "work_dir");
    if (flags.has("zk")) {
      demand(flags, "zk");
      demand(flags, "quorum");
      if (flags.number("quorum") < 1) {
        throw std::runtime_error("--quorum must be at least 1");
      }
    }
    os::mkdir(flags.get("work_dir") + "/replicated_log");
  }
  os::read(flags.get("webui_dir") + "/master/static/index.html");
  logging::initialize("mesos-master", flags);
  LOG(INFO) << (flags.has("zk") ? "Would join the masters at ZooKeeper" : "Standing alone");
  serve(flags, "{\"cluster\": \"" + flags.get("cluster") + "\"}\n");
}

} // namespace master {
} // namespace internal {
} // namespace mesos {
