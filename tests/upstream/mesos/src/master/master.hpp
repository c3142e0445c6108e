#ifndef MASTER_MASTER_HPP
#define MASTER_MASTER_HPP

#include "master/flags.hpp"

namespace mesos {
namespace internal {
namespace master {

/// Runs until it is told to end. Throws std::runtime_error where it cannot begin.
void run(const Flags& flags);

} // namespace master {
} // namespace internal {
} // namespace mesos {

#endif // MASTER_MASTER_HPP
