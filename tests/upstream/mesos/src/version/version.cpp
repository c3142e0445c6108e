#include "version/version.hpp"

#include <mesos/version.hpp>

#include "common/build.hpp"

namespace mesos {
namespace internal {

std::string version()
{
  std::string out = "mesos " MESOS_VERSION " (stand-in), built " + build::DATE + " (" + build::TIME + ") by " +
    build::USER;
  if (!build::GIT_SHA.empty()) {
    out += " from " + build::GIT_SHA;
  }
  return out;
}

} // namespace internal {
} // namespace mesos {
