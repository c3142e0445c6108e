// What a module shows to the agent: one struct for each, under its own name, with C linkage.
#ifndef MESOS_MODULE_HPP
#define MESOS_MODULE_HPP

#include <mesos/mesos.hpp>
#include <mesos/version.hpp>

#define MESOS_MODULE_API_VERSION "2"

namespace mesos {
namespace modules {

struct ModuleBase
{
  ModuleBase(
      const char* _moduleApiVersion,
      const char* _mesosVersion,
      const char* _kind,
      const char* _authorName,
      const char* _authorEmail,
      const char* _description,
      bool (*_compatible)())
    : moduleApiVersion(_moduleApiVersion),
      mesosVersion(_mesosVersion),
      kind(_kind),
      authorName(_authorName),
      authorEmail(_authorEmail),
      description(_description),
      compatible(_compatible) {}

  const char* moduleApiVersion;
  const char* mesosVersion;
  const char* kind;
  const char* authorName;
  const char* authorEmail;
  const char* description;
  bool (*compatible)();
};

/// The name of a kind of module.
template <typename T>
const char* kind();

template <typename T>
struct Module : ModuleBase
{
  Module(
      const char* _moduleApiVersion,
      const char* _mesosVersion,
      const char* _authorName,
      const char* _authorEmail,
      const char* _description,
      bool (*_compatible)(),
      T* (*_create)(const Parameters& parameters))
    : ModuleBase(_moduleApiVersion, _mesosVersion, modules::kind<T>(), _authorName, _authorEmail,
                 _description, _compatible),
      create(_create) {}

  T* (*create)(const Parameters& parameters);
};

} // namespace modules {
} // namespace mesos {

#endif // MESOS_MODULE_HPP
