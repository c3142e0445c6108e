//! `calico_mesos check` on a host that is ready and on hosts that are not.

mod common;

use std::collections::BTreeMap;

use common::World;
use serde_json::Value;

fn check(world: &World) -> (BTreeMap<String, Value>, bool, i32) {
    let output = world.command().args(["check", "--json"]).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let checks = report["checks"].as_array().unwrap().iter();
    let checks = checks.map(|check| (check["name"].as_str().unwrap().to_owned(), check.clone()));
    (checks.collect(), report["ready"].as_bool().unwrap(), output.status.code().unwrap())
}

fn statuses(world: &World, names: &[&str]) -> Vec<String> {
    let (checks, ready, status) = check(world);
    assert_eq!(ready, status == 0);
    names.iter().map(|name| checks[*name]["status"].as_str().unwrap().to_owned()).collect()
}

const ALL: [&str; 8] =
    ["settings", "hostname", "namespaces", "log", "etcd", "etcd-v2", "calico-keys", "pools"];

#[test]
fn a_host_that_is_ready() {
    let Some(world) = common::world() else { return };
    assert_eq!(statuses(&world, &ALL), ["ok"; 8]);
    assert_eq!(statuses(&world, &["calico-host"]), ["ok"]);
    let output = world.command().arg("check").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("ok    etcd         http://127.0.0.1:2379 answers"), "{text}");
    assert!(text.contains("192.168.0.0/16, fd80:24e2:f998:72d6::/64"), "{text}");
    assert_eq!(common::cali_interfaces(), Vec::<String>::new());
}

#[test]
fn an_etcd_without_calicos_data() {
    let Some(world) = common::empty_world() else { return };
    let got = statuses(&world, &["etcd", "etcd-v2", "calico-keys", "calico-host", "pools"]);
    assert_eq!(got, ["ok", "ok", "fail", "fail", "fail"]);
}

#[test]
fn an_address_that_is_missing_or_wrong() {
    let Some(mut world) = common::world() else { return };
    world.set("ETCD_AUTHORITY", "SET-THE-ETCD-ADDRESS:4001");
    let (checks, ready, status) = check(&world);
    assert!(!ready && status == 1);
    assert!(checks["etcd"]["message"].as_str().unwrap().contains("placeholder"));
    assert_eq!(checks["pools"]["status"], "skip");
    world.set("ETCD_AUTHORITY", "127.0.0.1:1");
    assert_eq!(statuses(&world, &["settings", "etcd", "etcd-v2"]), ["ok", "fail", "skip"]);
    world.set("ETCD_AUTHORITY", "");
    assert_eq!(statuses(&world, &["settings"]), ["fail"]);
}

/// The agent's files are read as the wrapper reads them, in an /etc/default of the test's own.
#[test]
fn the_agents_files_are_read_as_by_the_wrapper() {
    let Some(mut world) = common::world() else { return };
    world.set("ETCD_AUTHORITY", "");
    let program = common::program();
    let with_files = |make: &str| {
        let script = format!(
            "mount -t tmpfs none /etc/default && mkdir /etc/default/mesos-slave.d && \
             cd /etc/default/mesos-slave.d && {{ {make}; }} && exec {} check --json",
            program.display()
        );
        let plugin = world.command();
        let mut command = std::process::Command::new("unshare");
        command.args(["--mount", "sh", "-c", &script]).env_clear();
        command.envs(plugin.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let output = command.output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let checks = report["checks"].as_array().unwrap().iter();
        let of = |name: &str| checks.clone().find(|c| c["name"] == name).unwrap().clone();
        [of("settings"), of("etcd")]
    };
    let good = "echo ETCD_AUTHORITY=127.0.0.1:2379 >50-calico";
    let placeholder = "echo ETCD_AUTHORITY=SET-THE-ETCD-ADDRESS:4001";
    for left in ["50-calico.rpmnew", "50-calico~", "50-calico.rpmsave", "'#50#'", ".50.swp"] {
        let [settings, etcd] = with_files(&format!("{good}; {placeholder} >{left}"));
        assert_eq!(settings["status"], "ok", "{left}: {settings}");
        assert_eq!(etcd["status"], "ok", "{left}: {etcd}");
    }
    for broken in ["echo 'A=(' >../mesos-slave", "echo exit >../mesos-slave"] {
        let [settings, _] = with_files(&format!("{good}; {broken}"));
        assert_eq!(settings["status"], "fail", "{broken}");
        assert!(settings["message"].as_str().unwrap().contains("to the end"), "{settings}");
    }
}

#[test]
fn two_hosts_with_one_name() {
    let Some(world) = common::world() else { return };
    world.etcd.put("/calico/bgp/v1/host/agent-1/ip_addr_v4", "10.240.0.77");
    let (checks, ..) = check(&world);
    assert_eq!(checks["calico-host"]["status"], "fail");
    assert!(checks["calico-host"]["message"].as_str().unwrap().contains("10.240.0.77"));
}
