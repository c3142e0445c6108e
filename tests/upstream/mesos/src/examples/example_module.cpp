#include <mesos/module/hook.hpp>

// Compiled by every build, installed by none.
class ExampleHook : public mesos::Hook
{
public:
  virtual std::string slaveTaskStatusDecorator(const std::string& status) { return status; }
};

static mesos::Hook* create(const mesos::Parameters&)
{
  return new ExampleHook();
}

extern "C" {
mesos::modules::Module<mesos::Hook> org_apache_mesos_ExampleHook(
    MESOS_MODULE_API_VERSION, MESOS_VERSION, "The stand-in", "nobody@example.org", "Example", NULL, create);
}
