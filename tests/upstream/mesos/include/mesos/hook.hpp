#ifndef MESOS_HOOK_HPP
#define MESOS_HOOK_HPP

#include <string>

namespace mesos {

class Hook
{
public:
  virtual ~Hook() {}

  /// What the status of a task is given besides.
  virtual std::string slaveTaskStatusDecorator(const std::string& status) = 0;
};

} // namespace mesos {

#endif // MESOS_HOOK_HPP
