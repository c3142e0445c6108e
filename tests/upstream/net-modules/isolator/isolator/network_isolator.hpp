#ifndef NETWORK_ISOLATOR_HPP
#define NETWORK_ISOLATOR_HPP

#include <mesos/hook.hpp>
#include <mesos/mesos.hpp>
#include <mesos/module.hpp>
#include <mesos/module/hook.hpp>
#include <mesos/module/isolator.hpp>
#include <mesos/slave/isolator.hpp>

#endif // NETWORK_ISOLATOR_HPP
