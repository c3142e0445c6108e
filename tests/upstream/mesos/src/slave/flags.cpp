#include "slave/flags.hpp"

namespace mesos {
namespace internal {
namespace slave {

Flags::Flags()
{
  common(5051);
  toggle("cgroups_enable_cfs", false);
  toggle("cgroups_limit_swap", false);
  toggle("docker_kill_orphans", true);
  toggle("strict", true);
  toggle("switch_user", true);
  value("attributes containerizer_path credential "
        "docker_mesos_image executor_environment_variables frameworks_home hadoop_home master "
        "perf_events qos_controller resource_estimator resources slave_subsystems");
  value("authenticatee", "crammd5");
  value("cgroups_hierarchy", "/sys/fs/cgroup");
  value("cgroups_root", "mesos");
  value("containerizers", "mesos");
  value("default_role", "*");
  value("disk_watch_interval", "1mins");
  value("docker", "docker");
  value("docker_remove_delay", "6hrs");
  value("docker_sock", "/var/run/docker.sock");
  value("docker_stop_timeout", "0secs");
  value("executor_registration_timeout", "1mins");
  value("executor_shutdown_grace_period", "5secs");
  value("fetcher_cache_dir", "/tmp/mesos/fetch");
  value("fetcher_cache_size", "2GB");
  value("gc_delay", "1weeks");
  value("gc_disk_headroom", "0.1");
  value("isolation", "posix/cpu,posix/mem");
  value("launcher", "linux");
  value("launcher_dir", PKGLIBEXECDIR);
  value("oversubscribed_resources_interval", "15secs");
  value("perf_duration", "10secs");
  value("perf_interval", "1mins");
  value("recover", "reconnect");
  value("recovery_timeout", "15mins");
  value("registration_backoff_factor", "1secs");
  value("sandbox_directory", "/mnt/mesos/sandbox");
  value("systemd_runtime_directory", "/run/systemd/system");
  value("work_dir", "/tmp/mesos");
}

} // namespace slave {
} // namespace internal {
} // namespace mesos {
