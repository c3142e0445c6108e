// What the programs have in common, and the calls into the libraries that libmesos is linked with.
#ifndef COMMON_PROGRAMS_HPP
#define COMMON_PROGRAMS_HPP

#include <string>

namespace mesos {
namespace internal {

/// What a program that does nothing says of itself.
std::string describe(const std::string& program);

/// Each of these calls a library, and tells what it said.
std::string sasl();
std::string curl();
std::string subversion();
std::string zlib();

} // namespace internal {
} // namespace mesos {

#endif // COMMON_PROGRAMS_HPP
