//! The wrapper's own command line, and what its help explains.

use std::io::Read;
use std::process::Stdio;

use crate::host::{Host, text};

fn help() -> String {
    let host = Host::new();
    let output = host.run(&["-h"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output.stderr), "");
    assert_eq!(host.run(&["--help"]).stdout, output.stdout);
    assert_eq!(host.run(&["slave", "-h"]).stdout, output.stdout);
    text(&output.stdout)
}

/// Everything that must be explained, in the help and in the manual alike.
const EXPLAINED: &[&str] = &[
    "/etc/default/mesos",
    "/etc/default/mesos-master",
    "/etc/default/mesos-master.d/",
    "/etc/default/mesos-slave",
    "/etc/default/mesos-slave.d/",
    "/etc/mesos/zk",
    "/etc/mesos-master/",
    "/etc/mesos-slave/",
    "/usr/sbin/mesos-master",
    "/usr/sbin/mesos-slave",
    "MASTER",
    "IP",
    "LOGS",
    "ISOLATION",
    "ZK",
    "PORT",
    "CLUSTER",
    "ULIMIT",
    "MESOS_",
    "ETCD_AUTHORITY",
    "LC_ALL",
    "attributes/",
    "resources/",
    "?no-switch_user",
    "--print",
    "--print0",
    "--dry-run",
    "--root",
    "--help",
    "--version",
    "unset",
    "rpmnew",
    "rpmsave",
    "rpmorig",
    "dpkg-",
    ".swp",
    "1 MiB",
    "quorum",
    "journalctl -u mesos-slave",
    "journalctl -u mesos-master",
    "mesos-master --help",
    "zk://",
    "file://",
    "64",
    "71",
    "78",
    "126",
    "127",
];

#[test]
fn the_help_explains_everything() {
    let help = help();
    for word in EXPLAINED {
        assert!(help.contains(word), "{word}");
    }
}

#[test]
fn the_manual_explains_everything_too() {
    let manual = include_str!("../../man/mesos-init-wrapper.8");
    // As it is read: without the marks of the formatter.
    let plain = manual.replace("\\-", "-").replace("\\&", "");
    for word in EXPLAINED {
        assert!(plain.contains(word), "{word}");
    }
}

#[test]
fn the_help_fits_a_terminal_of_any_kind() {
    for line in help().lines() {
        assert!(line.len() <= 80 && line.is_ascii(), "{line}");
    }
}

#[test]
fn the_version_is_the_packages() {
    let expected = concat!("mesos-init-wrapper ", env!("CARGO_PKG_VERSION"), "\n");
    for option in ["-V", "--version"] {
        let output = Host::new().run(&[option]);
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(text(&output.stdout), expected);
    }
}

#[test]
fn a_wrong_command_line_is_told() {
    for arguments in [&[][..], &["agent"], &["slave", "slave"], &["--port=1", "master"]] {
        let host = Host::with_zk();
        let output = host.run(arguments);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(64), "{stderr}");
        assert!(stderr.contains("mesos-init-wrapper -h"), "{stderr}");
        assert_eq!(host.record("program"), None);
    }
}

#[test]
fn a_reader_who_has_seen_enough_is_no_error() {
    let mut child = Host::new()
        .wrapper(&["-h"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the wrapper");
    drop(child.stdout.take());
    let mut stderr = String::new();
    let pipe = child.stderr.as_mut().expect("stderr");
    pipe.read_to_string(&mut stderr).expect("stderr");
    assert_eq!(child.wait().expect("its end").code(), Some(0));
    assert_eq!(stderr, "");
}
