//! What becomes of the process: the wrapper is the daemon, or ends with a reason.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::host::{Host, WRAPPER, text};

/// Starts a daemon that runs until it is told to end.
fn running(host: &Host, role: &str) -> Child {
    let mut child = host
        .wrapper(&[role])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the wrapper");
    let mut line = String::new();
    let stdout = child.stdout.as_mut().expect("stdout");
    BufReader::new(stdout).read_line(&mut line).expect("a line");
    assert_eq!(line, "ready\n");
    child
}

fn send(signal: &str, child: &Child) {
    let sent = Command::new("kill").args([format!("-{signal}"), child.id().to_string()]).status();
    assert!(sent.expect("kill").success());
}

#[test]
fn the_process_is_the_daemon() {
    for role in ["master", "slave"] {
        let host = Host::with_zk();
        let mut child = running(&host, role);
        assert_eq!(host.record("pid"), Some(format!("{}\n", child.id())));

        let mut stdin = child.stdin.take().expect("stdin");
        stdin.write_all(b"7\n").expect("a line");
        assert_eq!(child.wait().expect("its end").code(), Some(7));
    }
}

#[test]
fn signals_reach_the_daemon() {
    let host = Host::with_zk();
    let mut child = running(&host, "slave");
    send("TERM", &child);
    assert_eq!(child.wait().expect("its end").code(), Some(42));

    let mut child = running(&host, "master");
    send("KILL", &child);
    assert_eq!(child.wait().expect("its end").signal(), Some(9));
}

#[test]
fn the_daemon_finds_signals_as_systemd_leaves_them() {
    let mask = |status: &str, name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let all = u64::from_str_radix(line.expect(name).trim(), 16).expect("a mask");
        all & 0x7fff_ffff // the C library has uses of its own for some signals above
    };
    let host = Host::with_zk();
    host.start("slave");
    let daemon = host.record("signals").expect("its signals");
    // What these tests ignore by inheritance is ignored by the daemon too.
    let own = fs_err::read_to_string("/proc/self/status").expect("our status");
    let sigpipe = 1 << (13 - 1);
    assert_eq!(mask(&daemon, "SigIgn:"), mask(&own, "SigIgn:") | sigpipe);
    assert_eq!(mask(&daemon, "SigBlk:"), 0);
}

#[test]
fn a_daemon_that_is_not_there_names_its_package() {
    let host = Host::with_zk();
    fs_err::remove_file(host.path("/usr/sbin/mesos-slave")).expect("removed");
    let output = host.run(&["slave"]);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(127), "{stderr}");
    assert!(stderr.contains("/usr/sbin/mesos-slave: it is not there"), "{stderr}");
    assert!(stderr.contains("yum install mesos"), "{stderr}");
}

#[test]
fn a_daemon_without_its_interpreter_is_told_apart() {
    let host = Host::with_zk();
    host.install("/usr/sbin/mesos-slave", "#!/does/not/exist\n");
    let output = host.run(&["slave"]);
    assert_eq!(output.status.code(), Some(127));
    assert!(text(&output.stderr).contains("interpreter"));
}

#[test]
fn a_daemon_that_is_not_executable_is_told() {
    let host = Host::with_zk();
    host.set_mode("/usr/sbin/mesos-slave", 0o644);
    let output = host.run(&["slave"]);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(126), "{stderr}");
    assert!(stderr.contains("Permission denied"), "{stderr}");
}

#[test]
fn too_much_for_a_command_line_is_told() {
    let host = Host::with_zk();
    // Each fits by itself; joined they are more than one argument may be.
    for name in ["a", "b"] {
        let path = format!("/etc/mesos-slave/attributes/{name}");
        host.write(&path, "x".repeat(100_000));
    }
    assert!(host.refused("slave").contains("too long for a command line"));
}

#[test]
fn the_log_has_names_and_no_values() {
    let host = Host::with_zk();
    host.write("/etc/mesos-slave/credential", "hunter2");
    host.write("/etc/default/mesos-slave", "MESOS_ACLS=hunter2\nETCD_AUTHORITY=hunter2\n");
    let started = host.start("slave");
    let names = "--master --credential ETCD_AUTHORITY MESOS_ACLS";
    assert!(started.logged(&["starting", "/usr/sbin/mesos-slave", names]), "{}", started.stderr);
    assert!(!started.stderr.contains("hunter2"), "{}", started.stderr);
}

/// Runs the wrapper as nobody, if these tests run as root.
fn run_unprivileged(host: &Host) -> (Option<i32>, String) {
    host.set_mode("/", 0o755);
    host.set_mode("/record", 0o777);
    // The folder that it was built in may be closed to others.
    host.install_copy("/wrapper", Path::new(WRAPPER));
    let mut command = Command::new(host.path("/wrapper"));
    command.arg("--root").arg(host.path("/")).arg("slave").stdin(Stdio::null());
    if nix::unistd::Uid::effective().is_root() {
        command.uid(65534).gid(65534);
    }
    let output = command.output().expect("the wrapper");
    (output.status.code(), text(&output.stderr))
}

#[test]
fn root_is_not_needed() {
    let host = Host::with_zk();
    host.write("/etc/default/mesos", "LOGS=/var/log/mesos\nULIMIT='-Sn 100'\n");
    let (code, stderr) = run_unprivileged(&host);
    assert_eq!(code, Some(0), "{stderr}");
    let arguments = host.record("arguments").expect("its arguments");
    assert!(arguments.contains("--log_dir=/var/log/mesos"));
}

#[test]
fn files_that_only_root_may_read_are_told() {
    for path in ["/etc/default/mesos", "/etc/mesos/zk", "/etc/mesos-slave/modules"] {
        let host = Host::with_zk();
        host.write(path, "");
        host.set_mode(path, 0);
        let (code, stderr) = run_unprivileged(&host);
        assert_eq!(code, Some(78), "{stderr}");
        assert!(stderr.contains(path) && stderr.contains("Permission denied"), "{stderr}");
        assert!(stderr.contains("hint: run as root"), "{stderr}");
    }
}
