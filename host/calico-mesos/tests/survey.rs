//! Faults in etcd's data: `calico_mesos check` names them, `calico_mesos repair` mends them.

mod common;

use std::collections::BTreeMap;

use common::{World, tree};
use serde_json::{Value, json};

const FOLDER: &str = "/calico/v1/policy/profile";

/// The findings of a survey: status, message and help by their names.
fn check(world: &World) -> BTreeMap<String, [String; 3]> {
    let output = world.command().args(["check", "--json"]).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let checks = report["checks"].as_array().unwrap().iter();
    let known = ["profiles", "affinities", "blocks"];
    let all =
        checks.map(|c| (text(&c["name"]), ["status", "message", "help"].map(|n| text(&c[n]))));
    all.filter(|(name, _)| known.contains(&name.as_str())).collect()
}

fn repair(world: &World) -> (String, i32) {
    let output = world.command().arg("repair").output().unwrap();
    (String::from_utf8(output.stdout).unwrap(), output.status.code().unwrap())
}

fn statuses(checks: &BTreeMap<String, [String; 3]>) -> Vec<&str> {
    ["profiles", "affinities", "blocks"].map(|name| checks[name][0].as_str()).into()
}

fn rules(name: &str) -> Value {
    json!({"id": name, "inbound_rules": [{"action": "allow", "src_net": "10.240.0.1/32"}],
        "outbound_rules": [{"action": "allow", "dst_net": "10.240.0.1/32"}]})
}

fn block(cidr: &str, affinity: Value) -> Value {
    json!({"cidr": cidr, "affinity": affinity, "allocations": vec![Value::Null; 64], "attributes": []})
}

fn put_block(world: &World, name: &str, block: &Value) {
    let key = format!("/calico/ipam/v2/assignment/ipv4/block/{name}");
    world.etcd.put(&key, &block.to_string());
}

fn put_affinity(world: &World, host: &str, name: &str) {
    world.etcd.put(&format!("/calico/ipam/v2/host/{host}/ipv4/block/{name}"), "");
}

#[test]
fn nothing_is_found_in_what_the_plugin_writes() {
    let Some(world) = common::world() else { return };
    assert_eq!(statuses(&check(&world)), ["ok"; 3]);
    world.allocate("uid-1", 70, 1).ok();
    let container = common::Container::start("c1");
    world.isolate(&container, &["prod", "public"], &["192.168.0.1"], &["fd80::1"]).ok();
    let before = tree::tree(&world.etcd);
    assert_eq!(statuses(&check(&world)), ["ok"; 3]);
    assert_eq!(repair(&world), ("nothing is left to be done\n".to_owned(), 0));
    assert_eq!(tree::tree(&world.etcd), before);
}

#[test]
fn open_profiles_are_named_and_those_of_0_2_0_mended() {
    let Some(world) = common::world() else { return };
    world
        .etcd
        .put(&format!("{FOLDER}/default_agent-2/rules"), &rules("default_agent-2").to_string());
    let report = check(&world);
    let [status, message, help] = &report["profiles"];
    assert_eq!(status, "fail");
    assert!(message.contains("default_agent-2 allows everything over IPv6"), "{message}");
    assert!(help.contains("calico_mesos repair"), "{help}");

    // One that was changed since stays, and the check says what to do.
    let mut changed = rules("default_agent-3");
    changed["inbound_rules"][0]["protocol"] = json!("tcp");
    world.etcd.put(&format!("{FOLDER}/default_agent-3/rules"), &changed.to_string());
    let (text, status) = repair(&world);
    assert_eq!(status, 1, "{text}");
    assert!(text.contains("mended  default_agent-2 allows"), "{text}");
    assert!(text.contains("LEFT    default_agent-3 allows"), "{text}");
    assert!(text.contains("ip_version"), "{text}");
    let tree = tree::tree(&world.etcd);
    assert_eq!(tree[&format!("{FOLDER}/default_agent-3/rules")], changed);
    let mended = &tree[&format!("{FOLDER}/default_agent-2/rules")];
    assert_eq!(mended["inbound_rules"][0]["ip_version"], 4);
    world.etcd.delete(&format!("{FOLDER}/default_agent-3"));
    assert_eq!(statuses(&check(&world)), ["ok"; 3]);

    // An administrator's own is a warning.
    world.etcd.put(&format!("{FOLDER}/lan/rules"), &rules("lan").to_string());
    let report = check(&world);
    assert_eq!(report["profiles"][0], "warn");
    assert!(report["profiles"][2].contains("etcdctl"), "{:?}", report["profiles"]);
}

#[test]
fn stale_affinities_are_named_and_removed() {
    let Some(world) = common::world() else { return };
    for (name, affinity) in [
        ("10.9.0.0-26", json!("host:agent-1")),
        ("10.9.0.64-26", Value::Null),
        ("10.9.0.128-26", json!("host:agent-2")),
    ] {
        put_block(&world, name, &block(&name.replace('-', "/"), affinity));
        put_affinity(&world, "agent-2", name);
    }
    put_affinity(&world, "agent-1", "10.9.0.0-26");
    let report = check(&world);
    assert_eq!(statuses(&report), ["ok", "fail", "ok"]);
    let [_, message, help] = &report["affinities"];
    let stale = "agent-2 has an affinity to block 10.9.0.0/26, which is agent-1's";
    assert!(
        message.contains(stale) && message.contains("10.9.0.64/26, which is no host's"),
        "{message}"
    );
    assert!(help.contains("calico_mesos repair"), "{help}");
    let (text, status) = repair(&world);
    assert_eq!(status, 0, "{text}");
    assert!(text.contains(&format!("mended  {stale}")), "{text}");
    let tree = tree::tree(&world.etcd);
    let left: Vec<_> = tree.keys().filter(|key| key.starts_with("/calico/ipam/v2/host/")).collect();
    let folder = "/calico/ipam/v2/host";
    assert_eq!(
        left,
        [
            &format!("{folder}/agent-1/ipv4/block/10.9.0.0-26"),
            &format!("{folder}/agent-2/ipv4/block/10.9.0.128-26")
        ]
    );
    assert_eq!(statuses(&check(&world)), ["ok"; 3]);

    // Without a block, and a block without its affinity: BIRD harms nobody by that.
    put_affinity(&world, "agent-3", "10.9.1.0-26");
    world.etcd.delete("/calico/ipam/v2/host/agent-1");
    let report = check(&world);
    assert_eq!(report["affinities"][0], "warn");
    assert!(report["affinities"][1].contains("10.9.1.0/26, which does not exist"));
    assert_eq!(repair(&world).1, 0);
    let tree = tree::tree(&world.etcd);
    assert!(tree.contains_key(&format!("{folder}/agent-1/ipv4/block/10.9.0.0-26")));
    assert!(!tree.contains_key(&format!("{folder}/agent-3/ipv4/block/10.9.1.0-26")));
    assert_eq!(statuses(&check(&world)), ["ok"; 3]);
}

#[test]
fn untrue_blocks_are_named_and_corrected() {
    let Some(world) = common::world() else { return };
    let mut untrue = block("10.9.0.0/26", json!("host:agent-1"));
    untrue["allocations"][1] = json!(0);
    untrue["attributes"] = json!([{"handle_id": "uid-1", "secondary": {}}]);
    untrue["unallocated"] = (1..64).chain([0]).collect::<Vec<usize>>().into();
    put_block(&world, "10.9.0.0-26", &untrue);
    put_affinity(&world, "agent-1", "10.9.0.0-26");
    let mut unknown = block("10.9.0.64/26", json!("host:agent-1"));
    unknown["sequenceNumber"] = json!(1);
    put_block(&world, "10.9.0.64-26", &unknown);
    put_affinity(&world, "agent-1", "10.9.0.64-26");
    let report = check(&world);
    assert_eq!(statuses(&report), ["ok", "ok", "fail"]);
    let message = &report["blocks"][1];
    assert!(message.contains("'unallocated' of block 10.9.0.0/26"), "{message}");
    assert!(message.contains("10.9.0.64/26 is left alone"), "{message}");
    let (text, status) = repair(&world);
    assert_eq!(status, 1, "{text}");
    let tree = tree::tree(&world.etcd);
    let folder = "/calico/ipam/v2/assignment/ipv4/block";
    untrue["unallocated"] = (2..64).chain([0]).collect::<Vec<usize>>().into();
    assert_eq!(tree[&format!("{folder}/10.9.0.0-26")], untrue);
    assert_eq!(tree[&format!("{folder}/10.9.0.64-26")], unknown);
    assert_eq!(check(&world)["blocks"][0], "warn");
}

#[test]
fn an_etcd_that_is_away_is_a_failure() {
    let Some(mut world) = common::world() else { return };
    world.set("ETCD_AUTHORITY", "127.0.0.1:1");
    let (text, status) = repair(&world);
    assert_eq!(status, 1);
    assert!(text.contains("etcd cannot be reached"), "{text}");
    assert_eq!(statuses(&check(&world)), ["skip"; 3]);
}
