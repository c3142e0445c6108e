#ifndef SLAVE_SLAVE_HPP
#define SLAVE_SLAVE_HPP

#include <string>
#include <vector>

#include "module/manager.hpp"
#include "slave/flags.hpp"

namespace mesos {
namespace internal {
namespace slave {

/// Makes the isolators that --isolation names; returns their names. Throws std::runtime_error.
std::vector<std::string> isolators(const Flags& flags, const modules::Manager& manager);

/// Runs until it is told to end. Throws std::runtime_error where it cannot begin.
void run(const Flags& flags);

} // namespace slave {
} // namespace internal {
} // namespace mesos {

#endif // SLAVE_SLAVE_HPP
