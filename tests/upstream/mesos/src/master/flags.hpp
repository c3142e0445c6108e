#ifndef MASTER_FLAGS_HPP
#define MASTER_FLAGS_HPP

#include "common/flags.hpp"

namespace mesos {
namespace internal {
namespace master {

class Flags : public internal::Flags
{
public:
  Flags();
};

} // namespace master {
} // namespace internal {
} // namespace mesos {

#endif // MASTER_FLAGS_HPP
