//! ULIMIT.

use crate::host::Host;

/// The soft and the hard limit that a daemon was started with.
fn limits(host: &Host, ulimit: &str, name: &str) -> (String, String) {
    host.write("/etc/default/mesos", format!("ULIMIT=\"{ulimit}\"\n"));
    host.start("slave");
    let limits = host.record("limits").expect("its limits");
    let line = limits.lines().find_map(|line| line.strip_prefix(name)).expect(name);
    let mut words = line.split_whitespace().map(str::to_owned);
    let mut next = || words.next().expect("a limit");
    (next(), next())
}

fn pair(soft: &str, hard: &str) -> (String, String) {
    (soft.to_owned(), hard.to_owned())
}

#[test]
fn limits_reach_the_daemon() {
    let host = Host::with_zk();
    let files = "Max open files";
    assert_eq!(limits(&host, "-n 200", files), pair("200", "200"));
    assert_eq!(limits(&host, "-Sn 100 -Hn 200", files), pair("100", "200"));
    assert_eq!(limits(&host, "-Sn 100", files).0, "100");
    let core = "Max core file size";
    assert_eq!(limits(&host, "-n 200 -c 1", core), pair("1024", "1024"));
    assert_eq!(limits(&host, "-c 0 -n 200", files), pair("200", "200"));
}

#[test]
fn unlimited_is_a_limit() {
    let host = Host::with_zk();
    // Processor time has no limit to begin with, so that everybody may ask for none.
    let time = "Max cpu time";
    assert_eq!(limits(&host, "-t unlimited", time), pair("unlimited", "unlimited"));
}

#[test]
fn a_limit_that_cannot_be_read_is_refused() {
    let host = Host::with_zk();
    host.write("/etc/default/mesos", "ULIMIT='-n many'\n");
    let stderr = host.refused("slave");
    assert!(stderr.contains("ULIMIT (set in /etc/default/mesos): -n takes"), "{stderr}");
}

#[test]
fn a_limit_that_cannot_be_set_is_refused_with_the_reason() {
    let host = Host::with_zk();
    // More files than the kernel allows to anybody: not even root can have them.
    host.write("/etc/default/mesos", "ULIMIT='-n unlimited'\n");
    let stderr = host.refused("slave");
    assert!(stderr.contains("only root can raise it, up to /proc/sys/fs/nr_open"), "{stderr}");

    host.write("/etc/default/mesos", "ULIMIT='-n 100 -Sn 200'\n");
    let stderr = host.refused("slave");
    assert!(stderr.contains("soft limit 200 would be above the hard limit 100"), "{stderr}");
}
