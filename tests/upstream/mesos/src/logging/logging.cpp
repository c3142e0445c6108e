#include "logging/logging.hpp"

#include <stout/os.hpp>

#include "common/programs.hpp"
#include "version/version.hpp"

namespace mesos {
namespace internal {
namespace logging {

void initialize(const std::string& program, const Flags& flags)
{
  const std::string directory = flags.get("log_dir");
  if (!directory.empty()) {
    os::mkdir(directory);
  }
  google::InitGoogleLogging(program, directory);
  LOG(WARNING) << "This " << program << " is a STAND-IN for tests, not Apache Mesos";
  LOG(INFO) << version();
  LOG(INFO) << sasl() << "; " << curl() << "; " << subversion() << "; " << zlib();
  LOG(INFO) << "Flags: " << flags.hash();
}

} // namespace logging {
} // namespace internal {
} // namespace mesos {
