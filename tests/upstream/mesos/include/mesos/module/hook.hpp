#ifndef MESOS_MODULE_HOOK_HPP
#define MESOS_MODULE_HOOK_HPP

#include <mesos/hook.hpp>
#include <mesos/module.hpp>

namespace mesos {
namespace modules {

template <>
inline const char* kind<mesos::Hook>()
{
  return "Hook";
}

} // namespace modules {
} // namespace mesos {

#endif // MESOS_MODULE_HOOK_HPP
