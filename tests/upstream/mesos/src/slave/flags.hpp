#ifndef SLAVE_FLAGS_HPP
#define SLAVE_FLAGS_HPP

#include "common/flags.hpp"

namespace mesos {
namespace internal {
namespace slave {

class Flags : public internal::Flags
{
public:
  Flags();
};

} // namespace slave {
} // namespace internal {
} // namespace mesos {

#endif // SLAVE_FLAGS_HPP
