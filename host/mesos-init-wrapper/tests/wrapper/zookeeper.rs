//! /etc/mesos/zk, what wins over it, and daemons without it.

use crate::host::Host;

/// The flag that tells each daemon where ZooKeeper is.
const ROLES: [(&str, &str); 2] = [("master", "zk"), ("slave", "master")];

#[test]
fn the_file_gives_the_url_to_both_daemons() {
    let content = "# ZooKeeper of the cluster\n\n  zk://a:2181,b:2181/mesos  \n";
    for (role, flag) in ROLES {
        let host = Host::new();
        host.write("/etc/mesos/zk", content);
        let expected = format!("--{flag}=zk://a:2181,b:2181/mesos");
        assert_eq!(host.start(role).arguments, [expected]);
    }
}

#[test]
fn everything_else_wins_over_the_file() {
    let url = "zk://mine:2181/mesos";
    for (role, flag) in ROLES {
        let flag_argument = vec![format!("--{flag}={url}")];
        let in_capitals = flag.to_uppercase();
        for (path, content, arguments) in [
            ("/etc/default/mesos", format!("{in_capitals}={url}\n"), &flag_argument),
            ("/etc/default/mesos", format!("MESOS_{in_capitals}={url}\n"), &vec![]),
            (&format!("/etc/mesos-{role}/{flag}"), format!("{url}\n"), &flag_argument),
        ] {
            let host = Host::with_zk();
            host.write(path, content);
            let started = host.start(role);
            assert_eq!(started.arguments, *arguments, "{path}");
            // The packaged default is not worth a line in the log.
            assert_eq!(started.stderr.lines().count(), 1, "{}", started.stderr);
        }
    }
}

#[test]
fn the_file_is_not_read_if_it_is_not_used() {
    let host = Host::new();
    host.write("/etc/mesos/zk", "nonsense\nnonsense\n");
    host.write("/etc/default/mesos-slave", "MASTER=10.0.0.1:5050\n");
    assert_eq!(host.start("slave").arguments, ["--master=10.0.0.1:5050"]);
}

#[test]
fn the_files_of_2015_still_work() {
    let host = Host::with_zk();
    let path = host.path("/etc/mesos/zk");
    for (role, flag) in ROLES {
        let name = flag.to_uppercase();
        let content = format!("{name}=`cat {}`\n", path.display());
        host.write(&format!("/etc/default/mesos-{role}"), content);
        let expected = format!("--{flag}=zk://zk.example:2181/mesos");
        assert_eq!(host.start(role).arguments, [expected]);
    }
}

#[test]
fn a_wrong_url_is_explained() {
    for (role, flag) in ROLES {
        for (content, expected) in [
            ("10.0.0.1:2181\n", "is not a ZooKeeper URL"),
            ("zk://a:2181\n", "lacks a path"),
            ("zk://<IP of host>:2181/mesos\n", "'<' in the host"),
            ("zk://a/mesos\n", "lacks a port"),
            ("zk://a:1/m\nzk://b:1/m\n", "2 lines"),
        ] {
            let host = Host::new();
            host.write("/etc/mesos/zk", content);
            let stderr = host.refused(role);
            assert!(stderr.contains("error: /etc/mesos/zk"), "{stderr}");
            assert!(stderr.contains(expected), "{stderr}");
            assert!(stderr.contains("hint: "), "{stderr}");
        }
        let host = Host::new();
        let path = format!("/etc/mesos-{role}/{flag}");
        host.write(&path, "zk://user:hunter2@a/mesos");
        let stderr = host.refused(role);
        assert!(stderr.contains(&format!("error: {path}: the ZooKeeper URL")), "{stderr}");
        assert!(!stderr.contains("hunter2"), "{stderr}");

        let host = Host::new();
        let variable = format!("MESOS_{}", flag.to_uppercase());
        host.write("/etc/default/mesos", format!("{variable}=zk://a:1\n"));
        assert!(host.refused(role).contains(&variable));
    }
}

#[test]
fn the_file_must_be_readable() {
    let host = Host::new();
    host.link("/etc/mesos/zk", "/proc/self/mem");
    assert!(host.refused("slave").contains("/etc/mesos/zk"));
    let host = Host::new();
    host.fifo("/etc/mesos/zk");
    assert!(host.refused("slave").contains("/etc/mesos/zk is not a regular file"));
}

#[test]
fn a_slave_without_a_master_is_refused() {
    let host = Host::new();
    assert!(host.refused("slave").contains("where the master is"));
    host.write("/etc/mesos/zk", "# not yet\n");
    host.write("/etc/mesos-slave/master", "");
    let stderr = host.refused("slave");
    assert!(stderr.contains("where the master is"), "{stderr}");
    assert!(stderr.contains("/etc/mesos-slave/master is skipped: it is empty"), "{stderr}");
}

#[test]
fn a_master_without_zookeeper_runs_alone() {
    let host = Host::new();
    let started = host.start("master");
    assert_eq!(started.arguments, [""; 0]);
    assert!(started.logged(&["notice", "/etc/mesos/zk", "runs alone"]));

    host.write("/etc/mesos-master/quorum", "1\n");
    assert_eq!(host.start("master").arguments, ["--quorum=1"]);
}

#[test]
fn one_of_several_masters_does_not_run_alone() {
    let host = Host::new();
    host.write("/etc/mesos-master/quorum", "2\n");
    let stderr = host.refused("master");
    assert!(stderr.contains("error: /etc/mesos-master/quorum asks for several"), "{stderr}");

    let host = Host::new();
    host.write("/etc/default/mesos-master", "MESOS_QUORUM=3\n");
    assert!(host.refused("master").contains("MESOS_QUORUM (set in /etc/default/mesos-master)"));
}

#[test]
fn a_password_with_a_slash_is_refused_and_not_shown() {
    let url = "zk://user:hunt/er2@10.0.0.1:2181/mesos";
    for (role, flag) in ROLES {
        let variable = flag.to_uppercase();
        for (path, content) in [
            ("/etc/mesos/zk", format!("{url}\n")),
            (&format!("/etc/mesos-{role}/{flag}"), format!("{url}\n")),
            ("/etc/default/mesos", format!("{variable}={url}\n")),
            ("/etc/default/mesos", format!("MESOS_{variable}={url}\n")),
        ] {
            let host = Host::new();
            host.write(path, content);
            let stderr = host.refused(role);
            assert!(stderr.contains("has a / before the @"), "{stderr}");
            assert!(!stderr.contains("hunt") && !stderr.contains("er2"), "{stderr}");
        }
    }
}

#[test]
fn a_comment_in_the_file_does_not_reach_the_daemon_through_a_variable() {
    for (role, flag) in ROLES {
        for name in [flag.to_uppercase(), format!("MESOS_{}", flag.to_uppercase())] {
            for text in
                ["# ours\nzk://a:2181/mesos\n", "zk://a:2181/mesos\n# ours\n", "#zk://a:1/m\n"]
            {
                let host = Host::new();
                host.write("/etc/mesos/zk", text);
                let path = host.path("/etc/mesos/zk");
                let content = format!("{name}=\"`cat {}`\"\n", path.display());
                host.write(&format!("/etc/default/mesos-{role}"), content);
                let stderr = host.refused(role);
                assert!(stderr.contains(&format!("error: {name} (set in")), "{stderr}");
            }
        }
    }
    let host = Host::new();
    host.write("/etc/mesos-slave/master", "# ours\nzk://a:2181/mesos\n");
    assert!(host.refused("slave").contains("/etc/mesos-slave/master holds 2 lines"));
}
