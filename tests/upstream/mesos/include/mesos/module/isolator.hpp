#ifndef MESOS_MODULE_ISOLATOR_HPP
#define MESOS_MODULE_ISOLATOR_HPP

#include <mesos/slave/isolator.hpp>
#include <mesos/module.hpp>

namespace mesos {
namespace modules {

template <>
inline const char* kind<mesos::slave::Isolator>()
{
  return "Isolator";
}

} // namespace modules {
} // namespace mesos {

#endif // MESOS_MODULE_ISOLATOR_HPP
