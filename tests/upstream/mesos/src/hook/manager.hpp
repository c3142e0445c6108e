#ifndef HOOK_MANAGER_HPP
#define HOOK_MANAGER_HPP

#include <string>
#include <vector>

#include "module/manager.hpp"

namespace mesos {
namespace internal {

/// Makes the hooks of a list with commas; returns their names. Throws std::runtime_error.
std::vector<std::string> hooks(const std::string& list, const modules::Manager& manager);

} // namespace internal {
} // namespace mesos {

#endif // HOOK_MANAGER_HPP
