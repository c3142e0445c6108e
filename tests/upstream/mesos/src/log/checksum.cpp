#include <zlib.h>

#include "common/programs.hpp"

namespace mesos {
namespace internal {

std::string zlib()
{
  const unsigned char text[] = "replicated log";
  return "zlib: " + std::to_string(crc32(0, text, sizeof(text)));
}

} // namespace internal {
} // namespace mesos {
