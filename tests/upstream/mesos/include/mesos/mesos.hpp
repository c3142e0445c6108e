#ifndef MESOS_MESOS_HPP
#define MESOS_MESOS_HPP

#include <mesos/mesos.pb.h>
#include <mesos/version.hpp>

#endif // MESOS_MESOS_HPP
