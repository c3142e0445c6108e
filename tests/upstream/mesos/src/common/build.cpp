#include "common/build.hpp"

#ifndef BUILD_GIT_SHA
#define BUILD_GIT_SHA ""
#endif

namespace mesos {
namespace internal {
namespace build {

const std::string DATE = BUILD_DATE;
const std::string TIME = BUILD_TIME;
const std::string USER = BUILD_USER;
const std::string GIT_SHA = BUILD_GIT_SHA;

} // namespace build {
} // namespace internal {
} // namespace mesos {
