#include "http/health.hpp"

#include <glog/logging.h>

#include <process/clock.hpp>
#include <process/http.hpp>

namespace mesos {
namespace internal {

void serve(const Flags& flags, const std::string& state)
{
  const std::string ip = flags.has("ip") ? flags.get("ip") : "0.0.0.0";
  const int port = flags.number("port");
  LOG(INFO) << "Listening on " << ip << ":" << port;
  process::http::serve(ip, port, [&state](const std::string& path) -> std::string {
    if (path == "/health") {
      return "ok\n";
    }
    return path == "/state" || path == "/state.json" ? state : "";
  });
  LOG(INFO) << "Ending after " << process::uptime() << " seconds";
}

} // namespace internal {
} // namespace mesos {
