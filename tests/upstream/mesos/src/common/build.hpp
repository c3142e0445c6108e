#ifndef COMMON_BUILD_HPP
#define COMMON_BUILD_HPP

#include <string>

namespace mesos {
namespace internal {
namespace build {

extern const std::string DATE;
extern const std::string TIME;
extern const std::string USER;
/// Empty where the source was no git repository.
extern const std::string GIT_SHA;

} // namespace build {
} // namespace internal {
} // namespace mesos {

#endif // COMMON_BUILD_HPP
