#include <sasl/sasl.h>

#include "common/programs.hpp"

namespace mesos {
namespace internal {

std::string sasl()
{
  const int result = sasl_client_init(NULL);
  const std::string out = std::string("sasl: ") + sasl_errstring(result, NULL, NULL);
  if (result == SASL_OK) {
    sasl_client_done();
  }
  return out;
}

} // namespace internal {
} // namespace mesos {
