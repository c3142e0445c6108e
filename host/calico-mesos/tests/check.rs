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

#[test]
fn two_hosts_with_one_name() {
    let Some(world) = common::world() else { return };
    world.etcd.put("/calico/bgp/v1/host/agent-1/ip_addr_v4", "10.240.0.77");
    let (checks, ..) = check(&world);
    assert_eq!(checks["calico-host"]["status"], "fail");
    assert!(checks["calico-host"]["message"].as_str().unwrap().contains("10.240.0.77"));
}
