//! The files under /etc/default.

use crate::host::Host;

#[test]
fn the_lines_of_the_guide_reach_the_daemon() {
    let host = Host::with_zk();
    host.write(
        "/etc/default/mesos-slave",
        "MESOS_RESOURCES=\"ports(*):[31000-31100]\"\n\
         MESOS_MODULES=file:///calico/modules.json\n\
         MESOS_EXECUTOR_REGISTRATION_TIMEOUT=5mins\n\
         ETCD_AUTHORITY=10.0.0.1:4001\n",
    );
    let started = host.start("slave");
    assert_eq!(started.arguments, ["--master=zk://zk.example:2181/mesos"]);
    for (name, value) in [
        ("MESOS_RESOURCES", "ports(*):[31000-31100]"),
        ("MESOS_MODULES", "file:///calico/modules.json"),
        ("MESOS_EXECUTOR_REGISTRATION_TIMEOUT", "5mins"),
        ("ETCD_AUTHORITY", "10.0.0.1:4001"),
    ] {
        assert_eq!(started.environment[name], value);
    }
}

#[test]
fn a_later_file_wins_and_sees_the_earlier_ones() {
    let host = Host::with_zk();
    host.write("/etc/default/mesos", "A=common\nB=common\nC=common\nD=common\nE=common\n");
    host.write("/etc/default/mesos-slave.d/10-b", "B=second\nC=second\nD=second\n");
    host.write("/etc/default/mesos-slave.d/05-a", "C=first\nB=first\nF=$A/first\n");
    host.write("/etc/default/mesos-slave", "D=mine\nunset E\nG=$B/mine\n");
    host.write("/etc/default/mesos-master", "A=master\n");
    host.write("/etc/default/mesos-master.d/a", "A=master\n");
    let environment = host.start("slave").environment;
    for (name, value) in [
        ("A", Some("common")),
        ("B", Some("second")),
        ("C", Some("second")),
        ("D", Some("mine")),
        ("E", None),
        ("F", Some("common/first")),
        ("G", Some("second/mine")),
    ] {
        assert_eq!(environment.get(name).map(String::as_str), value, "{name}");
    }
}

#[test]
fn the_master_has_files_of_its_own() {
    let host = Host::with_zk();
    host.write("/etc/default/mesos", "A=common\n");
    host.write("/etc/default/mesos-master.d/a", "B=package\n");
    host.write("/etc/default/mesos-master", "C=mine\n");
    host.write("/etc/default/mesos-slave", "A=slave\n");
    let environment = host.start("master").environment;
    assert_eq!(environment["A"], "common");
    assert_eq!(environment["B"], "package");
    assert_eq!(environment["C"], "mine");
}

#[test]
fn the_daemon_gets_nothing_that_nobody_set() {
    let host = Host::with_zk();
    host.write("/etc/default/mesos", "f() { :; }\ncd /\nA=1\n");
    let mut wrapper = host.wrapper(&["slave"]);
    wrapper.env("dotted.name", "kept").env("LC_ALL", "C");
    let started = host.start_with("slave", wrapper);
    let names: Vec<_> = started.environment.keys().map(String::as_str).collect();
    assert_eq!(names, ["A", "LC_ALL", "PATH", "dotted.name"]);
    assert_eq!(started.environment["LC_ALL"], "C");
}

#[test]
fn variables_stay_as_they_are_written() {
    let host = Host::with_zk();
    host.write(
        "/etc/default/mesos-slave",
        "A='$HOME \"q\"; #'\nB=\"line 1\nline 2=x\"\nC=Grüße\nLOGS='/var/log/me sos'\n",
    );
    let started = host.start("slave");
    assert_eq!(started.environment["A"], "$HOME \"q\"; #");
    assert_eq!(started.environment["B"], "line 1\nline 2=x");
    assert_eq!(started.environment["C"], "Grüße");
    assert_eq!(started.arguments[0], "--log_dir=/var/log/me sos");
}

#[test]
fn what_a_file_prints_is_logged_and_not_believed() {
    let host = Host::with_zk();
    host.write(
        "/etc/default/mesos",
        "echo IP=6.6.6.6; printf 'LOGS=/tmp\\0IP=6.6.6.6\\0\\n'; echo oops >&2\nA=1\n",
    );
    let started = host.start("slave");
    assert_eq!(started.arguments, ["--master=zk://zk.example:2181/mesos"]);
    assert_eq!(started.environment["A"], "1");
    assert!(!started.environment.contains_key("IP"));
    assert!(started.logged(&["/etc/default/mesos: IP=6.6.6.6"]));
    assert!(started.logged(&["/etc/default/mesos: oops"]));
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    let host = Host::with_zk();
    host.write("/etc/default/mesos-slave", "IP=\nLOGS=''\nMASTER=\nULIMIT=\n");
    let started = host.start("slave");
    assert_eq!(started.arguments, ["--master=zk://zk.example:2181/mesos"]);
}

#[test]
fn a_file_that_fails_stops_the_start() {
    for path in
        ["/etc/default/mesos", "/etc/default/mesos-slave.d/calico", "/etc/default/mesos-slave"]
    {
        for (content, expected) in [
            ("A=1\nif\n", "yntax error"),
            ("MASTER=`cat /does/not/exist`\n", "/does/not/exist"),
            ("IP=$NOPE\n", "NOPE"),
            ("LOGS=/var/log/$NOPE/x\n", "NOPE"),
            ("exit 0\n", "before its own end"),
            ("A=1\r\n", "line ends of Windows"),
        ] {
            let host = Host::with_zk();
            host.write(path, content);
            let stderr = host.refused("slave");
            let error = stderr.lines().find(|line| line.contains("error: ")).expect("an error");
            assert!(error.contains(path), "{stderr}");
            assert!(error.contains(expected), "{stderr}");
        }
    }
}

#[test]
fn a_file_of_defaults_must_be_one() {
    for path in ["/etc/default/mesos", "/etc/default/mesos-slave"] {
        let host = Host::with_zk();
        host.fifo(path);
        assert!(host.refused("slave").contains("is not a regular file"));

        let host = Host::with_zk();
        host.link(path, "/does/not/exist");
        assert!(host.refused("slave").contains(path));

        let host = Host::with_zk();
        host.link(path, "/proc/self/mem");
        assert!(host.refused("slave").contains(path));

        let host = Host::with_zk();
        host.write(path, "#".repeat((1 << 20) + 1));
        assert!(host.refused("slave").contains("larger than 1 MiB"));
    }
}

#[test]
fn leftovers_of_packages_are_not_read() {
    let host = Host::with_zk();
    host.fifo("/etc/default/mesos-slave.d/fifo");
    host.write("/etc/default/mesos-slave.d/sub/file", "A=1\n");
    host.write("/etc/default/mesos-slave.d/calico.rpmnew", "A=1\n");
    host.write("/etc/default/mesos-slave.d/calico~", "A=1\n");
    host.write("/etc/default/mesos-slave.d/calico", "B=1\n");
    let started = host.start("slave");
    assert!(!started.environment.contains_key("A"));
    assert_eq!(started.environment["B"], "1");
    for name in ["fifo", "sub", "calico.rpmnew", "calico~"] {
        let path = format!("/etc/default/mesos-slave.d/{name} is skipped");
        assert!(started.logged(&["warning", &path]), "{}", started.stderr);
    }
}

#[test]
fn a_link_to_nothing_among_the_defaults_of_packages_is_refused() {
    let host = Host::with_zk();
    host.link("/etc/default/mesos-slave.d/calico", "/does/not/exist");
    host.write("/etc/default/mesos-slave.d/other.rpmsave", "");
    let stderr = host.refused("slave");
    assert!(stderr.contains("/etc/default/mesos-slave.d/calico is a symbolic link"));
    assert!(stderr.contains("other.rpmsave is skipped"), "{stderr}");
}

#[test]
fn commands_that_change_nothing_are_told() {
    let host = Host::with_zk();
    host.write("/etc/default/mesos", "umask 022\n");
    host.write("/etc/default/mesos-slave", "A=1\nulimit -S -c 0\n");
    let started = host.start("slave");
    let warned = |parts: &[&str]| started.logged(&[&["warning"][..], parts].concat());
    assert!(warned(&["/etc/default/mesos, line 1: umask", "UMask="]), "{}", started.stderr);
    assert!(warned(&["/etc/default/mesos-slave, line 2: ulimit", "ULIMIT="]), "{}", started.stderr);
}

#[test]
fn a_variable_is_checked_as_a_file_is() {
    let host = Host::with_zk();
    host.write("/etc/default/mesos-slave", "LOGS='/var/log\n# mesos'\nMESOS_HOOKS='a\nb'\n");
    let started = host.start("slave");
    for name in ["LOGS", "MESOS_HOOKS"] {
        let line = ["warning", name, "has several lines"];
        assert!(started.logged(&line), "{}", started.stderr);
    }
    let host = Host::with_zk();
    host.write("/etc/default/mesos-slave", format!("ISOLATION={}\n", "x".repeat(131_060)));
    assert!(
        host.refused("slave").contains("ISOLATION (set in /etc/default/mesos-slave) is too long")
    );
}

#[test]
fn no_password_is_in_what_is_said_of_a_file_that_fails() {
    for content in [
        "MESOS_CREDENTIAL= hunter2\n",
        "MASTER=zk://u:p;hunter2@10.0.0.1:2181/mesos\n",
        "MESOS_SECRET=(hunter2\n",
    ] {
        let host = Host::with_zk();
        host.write("/etc/default/mesos-slave", content);
        let stderr = host.refused("slave");
        assert!(!stderr.contains("hunter2"), "{stderr}");
    }
}

/// Whoever wants to be rid of what a package sets writes that; Mesos would look for a hook without a name.
#[test]
fn an_empty_variable_of_mesos_is_told() {
    let host = Host::with_zk();
    host.write("/etc/default/mesos-slave.d/50-calico", "MESOS_HOOKS=hook\nMESOS_ISOLATION=a\n");
    host.write("/etc/default/mesos-slave", "MESOS_HOOKS=\nunset MESOS_ISOLATION\n");
    let started = host.start("slave");
    assert_eq!(started.environment["MESOS_HOOKS"], "");
    let warned = |name: &str| started.logged(&["warning", name, "unset"]);
    assert!(warned("MESOS_HOOKS (set in") && !warned("MESOS_ISOLATION"), "{}", started.stderr);
}
