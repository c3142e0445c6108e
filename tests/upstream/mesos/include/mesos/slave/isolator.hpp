#ifndef MESOS_SLAVE_ISOLATOR_HPP
#define MESOS_SLAVE_ISOLATOR_HPP

#include <string>

#include <mesos/mesos.hpp>

namespace mesos {
namespace slave {

class Isolator
{
public:
  virtual ~Isolator() {}

  /// What a container needs before it is started.
  virtual std::string prepare(const ContainerID& containerId) = 0;
};

} // namespace slave {
} // namespace mesos {

#endif // MESOS_SLAVE_ISOLATOR_HPP
