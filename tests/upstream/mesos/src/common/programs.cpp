#include "common/programs.hpp"

#include "version/version.hpp"

namespace mesos {
namespace internal {

std::string describe(const std::string& program)
{
  const std::string name = program.substr(program.rfind('/') + 1);
  return name + " is a stand-in: it does nothing.\n" + version();
}

} // namespace internal {
} // namespace mesos {
