#ifndef HTTP_HEALTH_HPP
#define HTTP_HEALTH_HPP

#include <string>

#include "common/flags.hpp"

namespace mesos {
namespace internal {

/// Answers /health, and /state with `state`, until the process is told to end.
void serve(const Flags& flags, const std::string& state);

} // namespace internal {
} // namespace mesos {

#endif // HTTP_HEALTH_HPP
