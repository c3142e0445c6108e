//! `--print`.

use crate::host::{Host, text};

fn shown(host: &Host, arguments: &[&str]) -> String {
    let output = host.run(arguments);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(host.record("program"), None, "nothing is started");
    text(&output.stdout).replace(&host.path("/").display().to_string(), "/")
}

#[test]
fn a_slave_is_shown_with_all_origins() {
    let host = Host::with_zk();
    host.write("/etc/default/mesos", "LOGS=/var/log/mesos\nULIMIT='-n 8192'\n");
    host.write("/etc/default/mesos-slave.d/calico", "MESOS_MODULES=file:///c\nETCD_AUTHORITY=x\n");
    host.write("/etc/default/mesos-slave", "MASTER=10.0.0.1:5050\nETCD_AUTHORITY='a b'\n");
    host.write("/etc/mesos-slave/attributes/rack", "r 1");
    host.write("/etc/mesos-slave/?no-switch_user", "");
    host.write("/etc/mesos-slave/x.rpmnew", "");
    let expected = "\
Command:
  /usr/sbin/mesos-slave --master=10.0.0.1:5050 --log_dir=/var/log/mesos --no-switch_user '--attributes=rack:r 1'

Flags, and where each comes from:
  --master=10.0.0.1:5050
      MASTER (set in /etc/default/mesos-slave)
  --log_dir=/var/log/mesos
      LOGS (set in /etc/default/mesos)
  --no-switch_user
      /etc/mesos-slave/?no-switch_user
  '--attributes=rack:r 1'
      /etc/mesos-slave/attributes

Variables that the daemon and its modules read, and where each comes from:
  ETCD_AUTHORITY='a b'
      ETCD_AUTHORITY (set in /etc/default/mesos-slave)
  MESOS_MODULES=file:///c
      MESOS_MODULES (set in /etc/default/mesos-slave.d/calico)

Limits that ULIMIT sets:
  open files (-n) to 8192, soft and hard

Files of defaults, in the order in which they were read:
  /etc/default/mesos
  /etc/default/mesos-slave.d/calico
  /etc/default/mesos-slave

Notes:
  /etc/mesos-slave/x.rpmnew is skipped: it was left by a package update
  /etc/mesos/zk is not used: MASTER (set in /etc/default/mesos-slave) says it
";
    assert_eq!(shown(&host, &["--print", "slave"]), expected);
    assert_eq!(shown(&host, &["slave", "--dry-run"]), expected);
}

/// `calico_mesos check` reads it.
#[test]
fn programs_get_all_that_the_daemon_would_get() {
    let host = Host::with_zk();
    host.write("/etc/default/mesos-slave", "ETCD_ENDPOINTS=http://u:p@a:1/\nMESOS_X='a\nb'\n");
    host.write("/etc/mesos-slave/hooks", "a b");
    let printed = shown(&host, &["--print0", "slave"]);
    let (command, environment) = printed.split_once("\0\0").unwrap();
    let command: Vec<_> = command.split('\0').collect();
    assert_eq!(command[0], "/usr/sbin/mesos-slave");
    assert!(command[1].starts_with("--master=zk://") && command[2] == "--hooks=a b", "{command:?}");
    for pair in ["ETCD_ENDPOINTS=http://u:p@a:1/", "MESOS_X=a\nb"] {
        assert!(environment.split_terminator('\0').any(|found| found == pair), "{environment:?}");
    }
}

#[test]
fn a_master_alone_is_shown() {
    let expected = "\
Command:
  /usr/sbin/mesos-master

Notes:
  /etc/mesos/zk holds no URL: the master runs alone, without ZooKeeper
";
    assert_eq!(shown(&Host::new(), &["--print", "master"]), expected);
}

#[test]
fn secrets_are_hidden() {
    let host = Host::new();
    host.write("/etc/mesos/zk", "zk://user:hunter2@a:1,b:2/mesos");
    host.write("/etc/mesos-slave/credential", "hunter2");
    host.write("/etc/mesos-slave/executor_environment_variables", r#"{"PASSWORD": "hunter2"}"#);
    host.write("/etc/default/mesos", "MESOS_SECRET=hunter2\nETCD_PASSWORD=hunter2\n");
    let output = host.run(&["--print", "slave"]);
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(!format!("{stdout}{stderr}").contains("hunter2"), "{stdout}{stderr}");
    for expected in [
        "--master=zk://(hidden)@a:1,b:2/mesos",
        "--credential=(hidden)",
        "MESOS_SECRET='(hidden)'",
        "ETCD_PASSWORD='(hidden)'",
    ] {
        assert!(stdout.contains(expected), "{expected}: {stdout}");
    }
}

#[test]
fn the_daemon_need_not_be_installed() {
    let host = Host::with_zk();
    fs_err::remove_file(host.path("/usr/sbin/mesos-slave")).expect("removed");
    assert!(shown(&host, &["--print", "slave"]).starts_with("Command:"));
}

#[test]
fn a_wrong_configuration_is_refused_as_in_a_start() {
    let host = Host::with_zk();
    host.write("/etc/mesos-slave/a b", "");
    let output = host.run(&["--print", "slave"]);
    assert_eq!(output.status.code(), Some(78));
    assert_eq!(text(&output.stdout), "");
    assert!(text(&output.stderr).contains("cannot be a flag"));
}
