#ifndef LOGGING_LOGGING_HPP
#define LOGGING_LOGGING_HPP

#include <string>

#include <glog/logging.h>

#include "common/flags.hpp"

namespace mesos {
namespace internal {
namespace logging {

/// Begins the log as the flags say, with what is to be known of every start.
void initialize(const std::string& program, const Flags& flags);

} // namespace logging {
} // namespace internal {
} // namespace mesos {

#endif // LOGGING_LOGGING_HPP
