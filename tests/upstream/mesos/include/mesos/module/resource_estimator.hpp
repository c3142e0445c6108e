#ifndef MESOS_MODULE_RESOURCE_ESTIMATOR_HPP
#define MESOS_MODULE_RESOURCE_ESTIMATOR_HPP

#include <string>

#include <mesos/module.hpp>

namespace mesos {
namespace slave {

class ResourceEstimator
{
public:
  virtual ~ResourceEstimator() {}
  virtual std::string oversubscribable() = 0;
};

} // namespace slave {

namespace modules {

template <>
inline const char* kind<mesos::slave::ResourceEstimator>()
{
  return "ResourceEstimator";
}

} // namespace modules {
} // namespace mesos {

#endif // MESOS_MODULE_RESOURCE_ESTIMATOR_HPP
