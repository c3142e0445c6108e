#ifndef VERSION_VERSION_HPP
#define VERSION_VERSION_HPP

#include <string>

namespace mesos {
namespace internal {

/// Version, and when, by whom and from which commit it was built.
std::string version();

} // namespace internal {
} // namespace mesos {

#endif // VERSION_VERSION_HPP
