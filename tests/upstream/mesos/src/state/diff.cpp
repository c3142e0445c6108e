#include <apr_general.h>

#include <stout/svn.hpp>

#include "common/programs.hpp"

namespace mesos {
namespace internal {

std::string subversion()
{
  if (apr_initialize() != APR_SUCCESS) {
    return "subversion: apr cannot be initialized";
  }
  const int windows = svn::windows("the registry", "the registry, changed");
  apr_terminate();
  return "subversion: a delta of " + std::to_string(windows) + " window(s)";
}

} // namespace internal {
} // namespace mesos {
