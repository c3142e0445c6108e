#include <process/clock.hpp>

#include <chrono>

namespace process {

static const std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();

double uptime()
{
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

} // namespace process {
