#include <mesos/module/resource_estimator.hpp>

#include <glog/logging.h>

class FixedResourceEstimator : public mesos::slave::ResourceEstimator
{
public:
  virtual std::string oversubscribable() { return "cpus(*):1"; }
};

static mesos::slave::ResourceEstimator* create(const mesos::Parameters& parameters)
{
  LOG(INFO) << "A fixed resource estimator with " << parameters.parameter().size() << " parameter(s)";
  return new FixedResourceEstimator();
}

extern "C" {
mesos::modules::Module<mesos::slave::ResourceEstimator> org_apache_mesos_FixedResourceEstimator(
    MESOS_MODULE_API_VERSION,
    MESOS_VERSION,
    "The stand-in",
    "nobody@example.org",
    "Fixed resource estimator",
    NULL,
    create);
}
