#ifndef COMMON_FILES_HPP
#define COMMON_FILES_HPP

#include <string>

#include <stout/os.hpp>
#include <stout/strings.hpp>

namespace mesos {
namespace internal {

/// What `file:///path` holds; anything else stands for itself.
inline std::string fetch(const std::string& value)
{
  const std::string scheme = "file://";
  return strings::startsWith(value, scheme) ? os::read(value.substr(scheme.size())) : value;
}

} // namespace internal {
} // namespace mesos {

#endif // COMMON_FILES_HPP
