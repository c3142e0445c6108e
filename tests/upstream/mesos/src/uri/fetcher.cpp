#include <curl/curl.h>

#include "common/programs.hpp"

namespace mesos {
namespace internal {

std::string curl()
{
  return std::string("curl: ") + curl_version();
}

} // namespace internal {
} // namespace mesos {
