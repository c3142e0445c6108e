#include "master/flags.hpp"

namespace mesos {
namespace internal {
namespace master {

Flags::Flags()
{
  common(5050);
  toggle("authenticate", false);
  toggle("authenticate_slaves", false);
  toggle("log_auto_initialize", true);
  toggle("registry_strict", false);
  toggle("root_submissions", true);
  value("acls cluster credentials quorum rate_limits roles slave_removal_rate_limit weights whitelist zk");
  value("allocation_interval", "1secs");
  value("allocator", "HierarchicalDRF");
  value("authenticators", "crammd5");
  value("authorizers", "local");
  value("framework_sorter user_sorter", "drf");
  value("max_slave_ping_timeouts", "5");
  value("offer_timeout");
  value("recovery_slave_removal_limit", "100%");
  value("registry", "replicated_log");
  value("registry_fetch_timeout", "1mins");
  value("registry_store_timeout", "5secs");
  value("slave_ping_timeout", "15secs");
  value("slave_reregister_timeout", "10mins");
  value("webui_dir", PKGDATADIR "/webui");
  value("zk_session_timeout", "10secs");
}

} // namespace master {
} // namespace internal {
} // namespace mesos {
