//! The folders in which every file is a flag, and flags that are given twice.

use std::os::unix::net::UnixListener;

use crate::host::Host;

const ZK: &str = "--zk=zk://zk.example:2181/mesos";
const MASTER: &str = "--master=zk://zk.example:2181/mesos";

#[test]
fn a_master_gets_variables_then_zookeeper_then_files() {
    let host = Host::with_zk();
    host.write("/etc/default/mesos", "LOGS=/var/log/mesos\n");
    host.write("/etc/default/mesos-master", "PORT=5050\nCLUSTER='a b'\nIP=10.0.0.1\n");
    host.write("/etc/mesos-master/work_dir", "/var/lib/mesos\n");
    host.write("/etc/mesos-master/quorum", "2\n");
    host.write("/etc/mesos-master/?no-root_submissions", "");
    host.write("/etc/mesos-slave/work_dir", "/not/for/masters\n");
    let expected = [
        "--ip=10.0.0.1",
        "--port=5050",
        "--cluster=a b",
        "--log_dir=/var/log/mesos",
        ZK,
        "--no-root_submissions",
        "--quorum=2",
        "--work_dir=/var/lib/mesos",
    ];
    assert_eq!(host.start("master").arguments, expected);
}

#[test]
fn a_slave_gets_variables_then_zookeeper_then_files() {
    let host = Host::with_zk();
    host.write("/etc/default/mesos", "LOGS=/var/log/mesos\nPORT=1\nCLUSTER=c\nZK=z\n");
    host.write("/etc/default/mesos-slave", "ISOLATION=cgroups/cpu\nIP=10.0.0.2\n");
    host.write("/etc/mesos-slave/work_dir", "/var/lib/mesos\n");
    host.write("/etc/mesos-slave/attributes/zone", "eu\n");
    host.write("/etc/mesos-slave/attributes/rack", "r1\n");
    host.write("/etc/mesos-slave/resources/ports(*)", "[31000-31100]\n");
    host.write("/etc/mesos-slave/?no-switch_user", "");
    host.write("/etc/mesos-master/quorum", "1\n");
    let expected = [
        "--ip=10.0.0.2",
        "--log_dir=/var/log/mesos",
        "--isolation=cgroups/cpu",
        MASTER,
        "--no-switch_user",
        "--attributes=rack:r1;zone:eu",
        "--resources=ports(*):[31000-31100]",
        "--work_dir=/var/lib/mesos",
    ];
    assert_eq!(host.start("slave").arguments, expected);
}

#[test]
fn values_arrive_as_they_are() {
    let host = Host::with_zk();
    let values = [
        ("a", "two words"),
        ("b", "$HOME `id` $(id) \\n"),
        ("c", "\"double\" 'single'"),
        ("d", "{\n  \"k\": [\"v\"]\n}"),
        ("e", "Grüße, 世界"),
        ("f", "  leading; * ? # & | < > = --x=y"),
    ];
    for (name, value) in values {
        host.write(&format!("/etc/mesos-slave/{name}"), format!("{value}\r\n\t \n"));
    }
    let mut expected = vec![MASTER.to_owned()];
    expected.extend(values.map(|(name, value)| format!("--{name}={value}")));
    assert_eq!(host.start("slave").arguments, expected);
}

#[test]
fn leftovers_do_not_become_flags() {
    let host = Host::with_zk();
    let leftovers = [
        "quorum.rpmnew",
        "quorum.rpmsave",
        "quorum.rpmorig",
        "quorum~",
        ".quorum",
        ".quorum.swp",
        "quorum.swp",
        "quorum.bak",
        "quorum.orig",
        "quorum.dpkg-dist",
        "#quorum#",
    ];
    for name in leftovers {
        host.write(&format!("/etc/mesos-master/{name}"), "3\n");
        host.write(&format!("/etc/mesos-slave/attributes/{name}"), "3\n");
    }
    for (role, folder, expected) in
        [("master", "/etc/mesos-master/", ZK), ("slave", "/etc/mesos-slave/attributes/", MASTER)]
    {
        let started = host.start(role);
        assert_eq!(started.arguments, [expected]);
        for name in leftovers {
            let path = format!("{folder}{name} is skipped");
            assert!(started.logged(&["warning", &path]), "{}", started.stderr);
        }
    }
}

#[test]
fn only_regular_files_are_opened() {
    let host = Host::with_zk();
    host.fifo("/etc/mesos-slave/fifo");
    host.fifo("/etc/mesos-slave/resources/fifo");
    host.link("/etc/mesos-slave/zero", "/dev/zero");
    host.write("/etc/mesos-slave/sub/folder", "1");
    let _socket = UnixListener::bind(host.path("/etc/mesos-slave/socket")).expect("socket");
    let started = host.start("slave");
    assert_eq!(started.arguments, [MASTER]);
    for path in ["fifo", "resources/fifo", "zero", "socket", "sub"] {
        let path = format!("/etc/mesos-slave/{path} is skipped");
        assert!(started.logged(&["warning", &path]), "{}", started.stderr);
    }
}

#[test]
fn links_to_files_are_followed() {
    let host = Host::with_zk();
    host.write("/srv/modules", "file:///calico/modules.json\n");
    host.link("/etc/mesos-slave/modules", host.path("/srv/modules"));
    let expected = [MASTER, "--modules=file:///calico/modules.json"];
    assert_eq!(host.start("slave").arguments, expected);
}

#[test]
fn links_to_nothing_are_refused() {
    let host = Host::with_zk();
    host.link("/etc/mesos-slave/modules", "/does/not/exist");
    assert!(host.refused("slave").contains("/etc/mesos-slave/modules is a symbolic link"));
}

#[test]
fn empty_files_are_skipped_with_a_notice() {
    let host = Host::with_zk();
    host.write("/etc/mesos-slave/hooks", "\n");
    let started = host.start("slave");
    assert_eq!(started.arguments, [MASTER]);
    assert!(started.logged(&["notice", "/etc/mesos-slave/hooks is skipped: it is empty"]));
}

#[test]
fn a_missing_folder_is_fine() {
    assert_eq!(Host::with_zk().start("slave").arguments, [MASTER]);
}

#[test]
fn all_that_cannot_be_a_flag_is_told_at_once() {
    let host = Host::with_zk();
    host.write("/etc/mesos-slave/README.md", "not a flag");
    host.write("/etc/mesos-slave/credential", "user\0password");
    host.write("/etc/mesos-slave/acls", "x".repeat((1 << 20) + 1));
    host.write("/etc/mesos-slave/hooks", "x".repeat(1 << 17));
    host.write("/etc/mesos-slave/attributes/rack", "a;zone:b");
    host.write("/etc/mesos-slave/attributes/ra:ck", "a");
    let stderr = host.refused("slave");
    for expected in [
        "/etc/mesos-slave/README.md cannot be a flag",
        "/etc/mesos-slave/credential has a NUL byte",
        "/etc/mesos-slave/acls is larger than 1 MiB",
        "/etc/mesos-slave/hooks is too long",
        "/etc/mesos-slave/attributes/rack must be a single line",
        "/etc/mesos-slave/attributes/ra:ck: the name",
    ] {
        assert!(stderr.contains(expected), "{expected}: {stderr}");
    }
    assert!(!stderr.contains("password"), "{stderr}");
}

#[test]
fn an_unreadable_flag_is_refused() {
    // This file can be opened by everybody, and its start be read by nobody.
    let host = Host::with_zk();
    host.link("/etc/mesos-slave/modules", "/proc/self/mem");
    assert!(host.refused("slave").contains("/etc/mesos-slave/modules"));
}

#[test]
fn a_file_in_the_place_of_the_folder_is_refused() {
    let host = Host::with_zk();
    host.write("/etc/mesos-slave", "not a folder");
    assert!(host.refused("slave").contains("/etc/mesos-slave"));
}

#[test]
fn the_same_flag_twice_names_both_places() {
    let log_dir = ("/etc/mesos-slave/log_dir", "/a");
    let rows: &[(&[(&str, &str)], &str)] = &[
        (
            &[("/etc/default/mesos-slave", "LOGS=/b"), log_dir],
            "the flag log_dir is set 2 times: \
             by LOGS (set in /etc/default/mesos-slave) and by /etc/mesos-slave/log_dir",
        ),
        (
            &[("/etc/default/mesos-slave", "MESOS_LOG_DIR=/b"), log_dir],
            "by /etc/mesos-slave/log_dir \
             and by MESOS_LOG_DIR (set in /etc/default/mesos-slave)",
        ),
        (
            &[
                ("/etc/default/mesos", "LOGS=/a"),
                ("/etc/default/mesos-slave.d/x", "MESOS_LOG_DIR=/b"),
            ],
            "by LOGS (set in /etc/default/mesos) \
             and by MESOS_LOG_DIR (set in /etc/default/mesos-slave.d/x)",
        ),
        (
            &[("/etc/mesos-slave/strict", "true"), ("/etc/mesos-slave/?no-strict", "")],
            "by /etc/mesos-slave/?no-strict and by /etc/mesos-slave/strict",
        ),
        (
            &[("/etc/mesos-slave/?strict", ""), ("/etc/mesos-slave/?no-strict", "")],
            "by /etc/mesos-slave/?no-strict and by /etc/mesos-slave/?strict",
        ),
        (
            &[
                ("/etc/mesos-slave/attributes/rack", "r1"),
                ("/etc/default/mesos-slave", "MESOS_ATTRIBUTES=rack:r2"),
            ],
            "by /etc/mesos-slave/attributes \
             and by MESOS_ATTRIBUTES (set in /etc/default/mesos-slave)",
        ),
        (
            &[
                ("/etc/default/mesos-slave", "MASTER=a:5050\nMESOS_MASTER=b:5050"),
                ("/etc/mesos-slave/master", "c:5050"),
            ],
            "the flag master is set 3 times: ",
        ),
    ];
    for (files, expected) in rows {
        let host = Host::with_zk();
        for (path, content) in *files {
            host.write(path, content);
        }
        let stderr = host.refused("slave");
        assert!(stderr.contains(expected), "{expected}\n{stderr}");
    }
}

#[test]
fn a_variable_that_the_wrapper_was_started_with_counts_too() {
    let host = Host::with_zk();
    host.write("/etc/mesos-master/quorum", "1");
    let output = host.wrapper(&["master"]).env("MESOS_QUORUM", "1").output();
    let output = output.expect("the wrapper");
    assert_eq!(output.status.code(), Some(78));
    let stderr = crate::host::text(&output.stderr);
    assert!(stderr.contains("MESOS_QUORUM (set where"), "{stderr}");
}

#[test]
fn the_wrappers_switch_of_2015_is_taken_out() {
    for role in ["master", "slave"] {
        let host = Host::with_zk();
        host.write(&format!("/etc/mesos-{role}/?no-logger"), "");
        let started = host.start(role);
        assert_eq!(started.arguments.len(), 1, "{:?}", started.arguments);
        assert!(started.logged(&["notice", "?no-logger", "journal"]), "{}", started.stderr);
    }
}

#[test]
fn a_switch_that_lacks_its_question_mark_stops_the_start() {
    for (name, content) in [("no-switch_user", ""), ("no-switch_user", "true")] {
        let host = Host::with_zk();
        host.write(&format!("/etc/mesos-slave/{name}"), content);
        let stderr = host.refused("slave");
        assert!(stderr.contains("error: /etc/mesos-slave/no-switch_user is a switch"), "{stderr}");
        assert!(stderr.contains("'/etc/mesos-slave/?no-switch_user'"), "{stderr}");
    }
}

#[test]
fn what_packages_set_yields_to_the_administrator_with_a_notice() {
    let package = ("/etc/default/mesos-slave.d/10-mesos", "MESOS_WORK_DIR=/var/lib/mesos\n");
    let logs = ("/etc/default/mesos", "LOGS=/var/log/mesos\n");
    type Pairs<'a> = &'a [(&'a str, &'a str)];
    type Row<'a> = (Pairs<'a>, &'a [&'a str], Pairs<'a>, &'a str);
    let rows: &[Row] = &[
        (
            &[package, ("/etc/mesos-slave/work_dir", "/data\n")],
            &["--work_dir=/data"],
            &[],
            "MESOS_WORK_DIR (set in /etc/default/mesos-slave.d/10-mesos) is not used: \
             /etc/mesos-slave/work_dir says it",
        ),
        (
            &[logs, ("/etc/default/mesos-slave", "MESOS_LOG_DIR=/data\n")],
            &[],
            &[("MESOS_LOG_DIR", "/data")],
            "LOGS (set in /etc/default/mesos) is not used: \
             MESOS_LOG_DIR (set in /etc/default/mesos-slave) says it",
        ),
        (
            &[logs, ("/etc/mesos-slave/log_dir", "/data\n")],
            &["--log_dir=/data"],
            &[],
            "LOGS (set in /etc/default/mesos) is not used: /etc/mesos-slave/log_dir says it",
        ),
        (
            &[
                ("/etc/default/mesos-slave.d/50", "MESOS_ISOLATION=package\nMESOS_STRICT=true\n"),
                ("/etc/default/mesos-slave", "ISOLATION=own\n"),
                ("/etc/mesos-slave/?no-strict", ""),
            ],
            &["--isolation=own", "--no-strict"],
            &[],
            "MESOS_STRICT (set in /etc/default/mesos-slave.d/50) is not used: \
             /etc/mesos-slave/?no-strict says it",
        ),
        (
            &[
                ("/etc/default/mesos-slave.d/50", "MESOS_RESOURCES=package\n"),
                ("/etc/mesos-slave/resources/ports(*)", "[1-2]\n"),
            ],
            &["--resources=ports(*):[1-2]"],
            &[],
            "MESOS_RESOURCES (set in /etc/default/mesos-slave.d/50) is not used: \
             /etc/mesos-slave/resources says it",
        ),
    ];
    for (files, flags, variables, notice) in rows {
        let host = Host::with_zk();
        for (path, content) in *files {
            host.write(path, content);
        }
        let started = host.start("slave");
        let own: Vec<_> = started.arguments.iter().filter(|it| *it != MASTER).collect();
        assert_eq!(own, *flags);
        let mesos = started.environment.iter().filter(|(name, _)| name.starts_with("MESOS_"));
        let mesos: Vec<_> = mesos.map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(mesos, *variables, "{files:?}");
        let stderr = started.stderr.replace(&host.path("/").display().to_string(), "/");
        assert!(stderr.contains(&format!("notice: {notice}\n")), "{notice}: {stderr}");
    }
}

#[test]
fn two_packages_and_an_administrator_twice_are_still_told() {
    for files in [
        &[
            ("/etc/default/mesos", "LOGS=/a\n"),
            ("/etc/default/mesos-slave.d/x", "MESOS_LOG_DIR=/b\n"),
        ],
        &[
            ("/etc/default/mesos-slave", "LOGS=/a\nMESOS_LOG_DIR=/b\n"),
            ("/etc/default/mesos", "A=1"),
        ],
    ] {
        let host = Host::with_zk();
        for (path, content) in files {
            host.write(path, content);
        }
        assert!(host.refused("slave").contains("the flag log_dir is set 2 times"));
    }
}

#[test]
fn the_units_own_environment_wins_over_packages() {
    let host = Host::with_zk();
    host.write("/etc/default/mesos-slave.d/10", "MESOS_WORK_DIR=/package\nPATH=$PATH:/opt\n");
    let mut wrapper = host.wrapper(&["slave"]);
    wrapper.env("MESOS_WORK_DIR", "/unit");
    let started = host.start_with("slave", wrapper);
    assert_eq!(started.environment["MESOS_WORK_DIR"], "/unit");
    assert!(started.environment["PATH"].ends_with(":/opt"));
    assert!(started.logged(&["notice", "MESOS_WORK_DIR", "10) is not used"]), "{}", started.stderr);
}

/// /etc/default/mesos is packaged, too: what it says of LOGS is a default.
#[test]
fn the_units_own_environment_wins_over_the_defaults_for_both_daemons() {
    for role in ["master", "slave"] {
        let host = Host::with_zk();
        host.write("/etc/default/mesos", "LOGS=/packaged\nULIMIT='-n 1'\nA=1\n");
        let mut wrapper = host.wrapper(&[role]);
        wrapper.env("LOGS", "/unit").env("ULIMIT", "-Sc 0").env("A", "0");
        let started = host.start_with(role, wrapper);
        assert!(
            started.arguments.contains(&"--log_dir=/unit".to_owned()),
            "{:?}",
            started.arguments
        );
        assert_eq!((&*started.environment["ULIMIT"], &*started.environment["A"]), ("-Sc 0", "1"));
        assert!(
            started.logged(&["notice", "LOGS", "default/mesos) is not used"]),
            "{}",
            started.stderr
        );
    }
    // What is said for one daemon has the last word.
    let host = Host::with_zk();
    host.write("/etc/default/mesos-slave", "LOGS=/mine\n");
    let mut wrapper = host.wrapper(&["slave"]);
    wrapper.env("LOGS", "/unit");
    let started = host.start_with("slave", wrapper);
    assert!(started.arguments.contains(&"--log_dir=/mine".to_owned()), "{:?}", started.arguments);
}
