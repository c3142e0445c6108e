/**
 * A stand-in for net-modules' network isolator: two modules that call nothing.
 *
 * Licensed under the Apache License, Version 2.0. (The real one is not.)
 */

#include "isolator/network_isolator.hpp"

#include <unistd.h>

#include <boost/functional/hash.hpp>
#include <boost/lexical_cast.hpp>

#include <glog/logging.h>

#include <picojson.h>

#include "isolator/interface.pb.h"

using namespace mesos;

/// Says what it would ask its command.
class NetworkIsolator : public slave::Isolator
{
public:
  explicit NetworkIsolator(const std::string& _command) : command(_command) {}

  virtual std::string prepare(const ContainerID& containerId)
  {
    isolator::Isolate question;
    char hostname[256] = "";
    gethostname(hostname, sizeof(hostname) - 1);
    question.set_hostname(hostname);
    question.set_container_id(containerId);
    question.set_pid(boost::lexical_cast<int>("42"));

    picojson::object arguments;
    arguments["hostname"] = picojson::value(question.hostname());
    arguments["container_id"] = picojson::value(question.container_id().value());
    // Without PICOJSON_USE_INT64 this compiles, and the module then asks for a symbol that nothing has.
    const picojson::value pid(static_cast<double>(question.pid()));
    if (pid.is<int64_t>()) {
      arguments["pid"] = pid;
    }
    picojson::object json;
    json["command"] = picojson::value(std::string("isolate"));
    json["args"] = picojson::value(arguments);
    return command + " <<< " + picojson::value(json).serialize();
  }

private:
  const std::string command;
};

/// Adds an address to the status of a task.
class NetworkHook : public Hook
{
public:
  virtual std::string slaveTaskStatusDecorator(const std::string& status)
  {
    std::size_t seed = 0;
    boost::hash_combine(seed, status);
    return status + " with the address 192.168." + std::to_string(seed % 256) + ".1";
  }
};

static slave::Isolator* create_isolator(const Parameters& parameters)
{
  std::string isolate, ipam;
  for (const Parameter& parameter : parameters.parameter()) {
    if (parameter.key() == "isolator_command") {
      isolate = parameter.value();
    } else if (parameter.key() == "ipam_command") {
      ipam = parameter.value();
    }
  }
  if (isolate.empty() || ipam.empty()) {
    LOG(ERROR) << "The parameters isolator_command and ipam_command are required";
    return NULL;
  }
  for (const std::string& command : {isolate, ipam}) {
    if (access(command.c_str(), X_OK) != 0) {
      LOG(WARNING) << command << " cannot be executed";
    }
  }
  return new NetworkIsolator(isolate);
}

static Hook* create_hook(const Parameters&)
{
  return new NetworkHook();
}

extern "C" {
modules::Module<slave::Isolator> com_mesosphere_mesos_NetworkIsolator(
    MESOS_MODULE_API_VERSION,
    MESOS_VERSION,
    "The stand-in",
    "nobody@example.org",
    "Network isolator",
    NULL,
    create_isolator);

modules::Module<Hook> com_mesosphere_mesos_NetworkHook(
    MESOS_MODULE_API_VERSION,
    MESOS_VERSION,
    "The stand-in",
    "nobody@example.org",
    "Network hook",
    NULL,
    create_hook);
}
