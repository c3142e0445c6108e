#ifndef PROCESS_CLOCK_HPP
#define PROCESS_CLOCK_HPP

#include <string>

namespace process {

/// Seconds since the process began.
double uptime();

} // namespace process {

#endif // PROCESS_CLOCK_HPP
