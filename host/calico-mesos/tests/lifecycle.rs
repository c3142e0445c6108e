//! The whole life of containers on a real host namespace with a real etcd.

mod common;

use std::{collections::BTreeMap, net::IpAddr};

use common::{Container, HOST, HOST_IP, HOST_IP6, cali_interfaces, felix, ip_json, talk, tree};
use serde_json::{Value, json};

/// The tree that `Etcd::seed` makes.
fn seeded() -> BTreeMap<String, Value> {
    let keys = json!({
        "/calico/v1/Ready": true,
        "/calico/v1/host/agent-1/bird_ip": HOST_IP,
        "/calico/bgp/v1/host/agent-1/ip_addr_v4": HOST_IP,
        "/calico/bgp/v1/host/agent-1/ip_addr_v6": HOST_IP6,
        "/calico/v1/ipam/v4/pool/192.168.0.0-16": {"cidr": "192.168.0.0/16"},
        "/calico/v1/ipam/v6/pool/fd80:24e2:f998:72d6::-64": {"cidr": "fd80:24e2:f998:72d6::/64"},
    });
    map(keys)
}

fn map(keys: Value) -> BTreeMap<String, Value> {
    serde_json::from_value(keys).unwrap()
}

/// A block by facts 2.1: `taken` names for each number the index of its attribute.
fn block(cidr: &str, taken: &[(usize, usize)], handles: &[&str]) -> Value {
    let mut allocations = vec![Value::Null; 64];
    for (ordinal, index) in taken {
        allocations[*ordinal] = json!(index);
    }
    let attributes: Vec<Value> =
        handles.iter().map(|uid| json!({"handle_id": uid, "secondary": {}})).collect();
    json!({"cidr": cidr, "affinity": "host:agent-1", "allocations": allocations,
        "attributes": attributes})
}

fn profiles() -> BTreeMap<String, Value> {
    map(json!({
        "/calico/v1/policy/profile/default_mesos-name/tags": ["default_mesos-name"],
        "/calico/v1/policy/profile/default_mesos-name/rules": {
            "id": "default_mesos-name",
            "inbound_rules": [{"action": "allow", "ip_version": 4, "src_net": "10.240.0.1/32"},
                {"action": "allow", "ip_version": 6, "src_net": "fd00:240::1/128"}],
            "outbound_rules": [{"action": "allow", "ip_version": 4, "dst_net": "10.240.0.1/32"},
                {"action": "allow", "ip_version": 6, "dst_net": "fd00:240::1/128"}]},
        "/calico/v1/policy/profile/public/tags": ["public"],
        "/calico/v1/policy/profile/public/rules": {
            "id": "public", "inbound_rules": [{"action": "allow"}],
            "outbound_rules": [{"action": "allow"}]},
        "/calico/v1/policy/profile/ng_prod/tags": ["ng_prod"],
        "/calico/v1/policy/profile/ng_prod/rules": {
            "id": "ng_prod", "inbound_rules": [{"action": "allow", "src_tag": "ng_prod"}],
            "outbound_rules": [{"action": "allow"}]},
    }))
}

fn endpoint_key(container: &str, endpoint: &Value, tree: &BTreeMap<String, Value>) -> String {
    let start = format!("/calico/v1/host/{HOST}/workload/mesos/{container}/endpoint/");
    let key = tree.keys().find(|key| key.starts_with(&start)).unwrap().clone();
    let id = key.strip_prefix(&start).unwrap();
    assert!(id.len() == 32 && id.bytes().all(|b| b"0123456789abcdef".contains(&b)), "{id}");
    assert_eq!(endpoint["name"].as_str().unwrap(), format!("cali{}", &id[..11]));
    key
}

/// The MAC of a container's `eth0`, as `ip` sees it.
fn mac(container: &Container) -> Value {
    container.run(|| ip_json(&["link", "show", "eth0"]))[0]["address"].clone()
}

#[test]
fn two_containers_live_talk_and_leave_nothing() {
    let Some(world) = common::world() else { return };
    let (a, b) = (Container::start("container-a"), Container::start("container-b"));

    let got = world.allocate("uid-a", 1, 1).ok();
    let wanted = json!({"ipv4": ["192.168.0.0"], "ipv6": ["fd80:24e2:f998:72d6::"], "error": null});
    assert_eq!(got, wanted);
    let got = world.allocate("uid-b", 1, 1).ok();
    let wanted =
        json!({"ipv4": ["192.168.0.1"], "ipv6": ["fd80:24e2:f998:72d6::1"], "error": null});
    assert_eq!(got, wanted);
    world.isolate(&a, &["prod"], &["192.168.0.0"], &["fd80:24e2:f998:72d6::"]).ok();
    world.isolate(&b, &["public", "prod"], &["192.168.0.1"], &["fd80:24e2:f998:72d6::1"]).ok();

    let got = tree::tree(&world.etcd);
    let (ep_a, ep_b) = (world.etcd.endpoint("container-a"), world.etcd.endpoint("container-b"));
    let endpoint = |container: &Container, name: &Value, profiles: Value, n4: &str, n6: &str| {
        json!({"state": "active", "name": name, "mac": mac(container), "profile_ids": profiles,
            "ipv4_nets": [n4], "ipv6_nets": [n6], "ipv4_gateway": HOST_IP, "ipv6_gateway": HOST_IP6})
    };
    let mut wanted = seeded();
    wanted.extend(profiles());
    wanted.insert(
        endpoint_key("container-a", &ep_a, &got),
        endpoint(
            &a,
            &ep_a["name"],
            json!(["default_mesos-name", "ng_prod"]),
            "192.168.0.0/32",
            "fd80:24e2:f998:72d6::/128",
        ),
    );
    wanted.insert(
        endpoint_key("container-b", &ep_b, &got),
        endpoint(
            &b,
            &ep_b["name"],
            json!(["default_mesos-name", "public", "ng_prod"]),
            "192.168.0.1/32",
            "fd80:24e2:f998:72d6::1/128",
        ),
    );
    let v6 = "fd80:24e2:f998:72d6::/122";
    let both = [(0, 0), (1, 1)];
    wanted.extend(map(json!({
        "/calico/ipam/v2/host/agent-1/ipv4/block/192.168.0.0-26": "",
        "/calico/ipam/v2/host/agent-1/ipv6/block/fd80:24e2:f998:72d6::-122": "",
        "/calico/ipam/v2/assignment/ipv4/block/192.168.0.0-26":
            block("192.168.0.0/26", &both, &["uid-a", "uid-b"]),
        "/calico/ipam/v2/assignment/ipv6/block/fd80:24e2:f998:72d6::-122":
            block(v6, &both, &["uid-a", "uid-b"]),
        "/calico/ipam/v2/handle/uid-a": {"id": "uid-a", "block": {"192.168.0.0/26": 1, v6: 1}},
        "/calico/ipam/v2/handle/uid-b": {"id": "uid-b", "block": {"192.168.0.0/26": 1, v6: 1}},
    })));
    assert_eq!(got, wanted);

    felix::program(&ep_a);
    felix::program(&ep_b);
    for ip in ["192.168.0.1", "fd80:24e2:f998:72d6::1"] {
        talk(&a, &b, ip.parse::<IpAddr>().unwrap());
    }
    talk(&b, &a, "192.168.0.0".parse().unwrap());
    talk(&a, &a, "192.168.0.0".parse().unwrap());

    // As net-modules ends a container: release by address, then cleanup.
    world.release_ips(&["192.168.0.0", "fd80:24e2:f998:72d6::"]).ok();
    world.cleanup("container-a").ok();
    // And the other way round.
    world.cleanup("container-b").ok();
    world.release_uid("uid-b").ok();

    let mut wanted = seeded();
    wanted.extend(profiles());
    wanted.extend(map(json!({
        "/calico/ipam/v2/host/agent-1/ipv4/block/192.168.0.0-26": "",
        "/calico/ipam/v2/host/agent-1/ipv6/block/fd80:24e2:f998:72d6::-122": "",
        "/calico/ipam/v2/assignment/ipv4/block/192.168.0.0-26": block("192.168.0.0/26", &[], &[]),
        "/calico/ipam/v2/assignment/ipv6/block/fd80:24e2:f998:72d6::-122": block(v6, &[], &[]),
        "/calico/ipam/v2/handle": null,
        "/calico/v1/host/agent-1/workload/mesos": null,
    })));
    assert_eq!(tree::tree(&world.etcd), wanted);
    assert_eq!(cali_interfaces(), Vec::<String>::new());
}

#[test]
fn the_namespace_is_as_facts_2_2_say() {
    let Some(world) = common::world() else { return };
    let container = Container::start("c1");
    world.isolate(&container, &[], &["192.168.0.9", "192.168.0.10"], &["fd80::9"]).ok();

    let addresses = container.run(|| ip_json(&["addr", "show", "eth0"]));
    assert!(addresses[0]["flags"].as_array().unwrap().contains(&json!("UP")));
    let info = addresses[0]["addr_info"].as_array().unwrap().iter();
    let global: Vec<String> = info
        .filter(|address| address["scope"] == "global")
        .map(|a| format!("{}/{}", a["local"].as_str().unwrap(), a["prefixlen"]))
        .collect();
    assert_eq!(global, ["192.168.0.9/32", "192.168.0.10/32", "fd80::9/128"]);

    let routes = container.run(|| ip_json(&["-4", "route"]));
    let routes: Vec<_> = routes
        .as_array()
        .unwrap()
        .iter()
        .map(|route| {
            (
                route["dst"].clone(),
                route["gateway"].clone(),
                route["scope"].clone(),
                route["dev"].clone(),
            )
        })
        .collect();
    let eth0 = json!("eth0");
    assert!(routes.contains(&(json!("default"), json!(HOST_IP), Value::Null, eth0.clone())));
    assert!(routes.contains(&(json!(HOST_IP), Value::Null, json!("link"), eth0)), "{routes:?}");
    let routes6 = container.run(|| ip_json(&["-6", "route", "show", "default"]));
    assert_eq!(routes6[0]["gateway"], HOST_IP6);

    let name = world.etcd.endpoint("c1")["name"].as_str().unwrap().to_owned();
    let host_side = ip_json(&["link", "show", &name]);
    assert!(host_side[0]["flags"].as_array().unwrap().contains(&json!("UP")));
    let endpoint = world.etcd.endpoint("c1");
    assert_eq!(endpoint["ipv4_nets"], json!(["192.168.0.10/32", "192.168.0.9/32"]));
}

#[test]
fn the_link_local_gateway() {
    let Some(mut world) = common::world() else { return };
    world.set("CALICO_MESOS_GATEWAY", "link-local");
    let (a, b) = (Container::start("a"), Container::start("b"));
    world.isolate(&a, &[], &["192.168.0.1"], &["fd80::1"]).ok();
    world.isolate(&b, &[], &["192.168.0.2"], &["fd80::2"]).ok();
    let (ep_a, ep_b) = (world.etcd.endpoint("a"), world.etcd.endpoint("b"));
    assert_eq!(ep_a["ipv4_gateway"], "169.254.1.1");
    assert!(ep_a["ipv6_gateway"].as_str().unwrap().starts_with("fe80::"));
    felix::program(&ep_a);
    felix::program(&ep_b);
    talk(&a, &b, "192.168.0.2".parse().unwrap());
    talk(&b, &a, "fd80::1".parse().unwrap());
}

#[test]
fn a_host_without_ipv6_still_gets_its_ipv4_addresses() {
    let Some(world) = common::world() else { return };
    common::sysctl("net/ipv6/conf/all/disable_ipv6", "1");
    let container = Container::start("c1");
    world.isolate(&container, &[], &["192.168.0.9"], &["fd80::9"]).ok();
    let endpoint = world.etcd.endpoint("c1");
    assert_eq!((&endpoint["ipv6_nets"], &endpoint["ipv6_gateway"]), (&json!([]), &Value::Null));
    assert!(world.log().contains("has no IPv6"));
}

#[test]
fn an_endpoint_without_its_interface_is_a_refusal_that_leaves_none() {
    let Some(world) = common::world() else { return };
    // As another program would have written it, with an id that is not derived.
    let key = format!("/calico/v1/host/{HOST}/workload/mesos/c1/endpoint/0123456789abcdef");
    world.etcd.put(&key, r#"{"state":"active","name":"cali01234567","mac":"x"}"#);
    let before = tree::tree(&world.etcd);
    let container = Container::start("c1");
    let text = world.isolate(&container, &["prod"], &["192.168.0.1"], &[]).error();
    assert_eq!(text, "This container has already been configured with Calico Networking.");
    // The interface, which is begun before etcd has answered, is gone on both sides.
    assert_eq!(cali_interfaces(), Vec::<String>::new());
    let links = container.run(|| ip_json(&["link"]));
    assert!(links.as_array().unwrap().iter().all(|link| link["ifname"] != "eth0"), "{links}");
    assert_eq!(tree::tree(&world.etcd), before);
    // The same where its process is gone as well: what etcd says comes first.
    let gone = common::isolate_request("c1", i32::MAX as u32, &[], &["192.168.0.1"], &[]);
    assert_eq!(world.call(&gone).error(), text);
}

#[test]
fn isolate_refuses_and_takes_back() {
    let Some(world) = common::world() else { return };
    let container = Container::start("c1");
    world.isolate(&container, &[], &["192.168.0.1"], &[]).ok();
    let before = tree::tree(&world.etcd);
    let interfaces = cali_interfaces();

    let text = world.isolate(&container, &[], &["192.168.0.2"], &[]).error();
    assert_eq!(text, "This container has already been configured with Calico Networking.");

    // Its namespace has an eth0 already.
    let other = common::isolate_request("c2", container.pid(), &[], &["192.168.0.2"], &[]);
    let text = world.call(&other).error();
    assert!(text.contains("eth0") && text.contains("File exists"), "{text}");

    let gone = common::isolate_request("c3", 2_000_000_000, &[], &["192.168.0.2"], &[]);
    let text = world.call(&gone).error();
    assert_eq!(text, "Namespace pseudofile /proc/2000000000/ns/net does not exist.");

    // An address that the kernel refuses, when the interface is there already.
    let fresh = Container::start("c4");
    fresh.run(|| common::sysctl("net/ipv6/conf/all/disable_ipv6", "1"));
    let text = world.isolate(&fresh, &[], &["192.168.0.2"], &["fd80::2"]).error();
    assert!(text.contains("fd80::2") && text.contains("ermission denied"), "{text}");

    // Data that cannot be written: the interface is there by then.
    world.etcd.put("/calico/v1/policy/profile/ng_broken", "a value where a folder belongs");
    world.isolate(&fresh, &["broken"], &["192.168.0.2"], &[]).error();
    world.etcd.delete("/calico/v1/policy/profile/ng_broken");

    assert_eq!(tree::tree(&world.etcd), before);
    assert_eq!(cali_interfaces(), interfaces);
    let links = fresh.run(|| ip_json(&["link"]));
    let names: Vec<_> =
        links.as_array().unwrap().iter().map(|link| link["ifname"].clone()).collect();
    assert!(!names.contains(&json!("eth0")), "{names:?}");
    world.isolate(&fresh, &[], &["192.168.0.2"], &[]).ok();
}

#[test]
fn an_administrators_profile_is_left_alone() {
    let Some(world) = common::world() else { return };
    let rules = r#"{"id":"ng_prod","inbound_rules":[],"outbound_rules":[]}"#;
    world.etcd.put("/calico/v1/policy/profile/ng_prod/rules", rules);
    let container = Container::start("c1");
    world.isolate(&container, &["prod"], &["192.168.0.1"], &[]).ok();
    let tree = tree::tree(&world.etcd);
    assert_eq!(tree["/calico/v1/policy/profile/ng_prod/rules"]["inbound_rules"], json!([]));
    // The half that was missing is there now.
    assert_eq!(tree["/calico/v1/policy/profile/ng_prod/tags"], json!(["ng_prod"]));
}

#[test]
fn cleanup_can_be_said_again_and_again() {
    let Some(mut world) = common::world() else { return };
    let mut container = Container::start("c1");
    let got = world.allocate("uid-1", 1, 0).ok();
    let ip = got["ipv4"][0].as_str().unwrap();
    world.isolate(&container, &[], &[ip], &[]).ok();

    // The namespace is gone, and the kernel has taken the interface with it.
    container.end();
    common::wait_for("the interface to go", || cali_interfaces().is_empty());
    world.cleanup("c1").ok();
    assert_eq!(tree::count(&world.etcd).len(), 0);
    world.cleanup("c1").ok();
    world.cleanup("never-seen").ok();

    // The endpoint is gone (`calicoctl node stop` deletes it, facts 3.1), the interface is not.
    let container = Container::start("c2");
    world.isolate(&container, &[], &["192.168.0.7"], &[]).ok();
    world.etcd.delete("/calico/v1/host/agent-1/workload");
    assert_eq!(cali_interfaces().len(), 1);
    world.cleanup("c2").ok();
    assert_eq!(cali_interfaces().len(), 0);

    // An endpoint that nobody can read.
    world.etcd.put("/calico/v1/host/agent-1/workload/mesos/c3/endpoint/x", "not json");
    world.cleanup("c3").ok();
    assert!(world.etcd.node("/calico/v1/host/agent-1/workload/mesos/c3").is_none());

    world.set("CALICO_MESOS_STRICT_CLEANUP", "1");
    assert_eq!(world.cleanup("c1").error(), "No endpoint found with container-id: c1");
}

#[test]
fn cleanup_leaves_an_address_that_another_container_has_by_now() {
    let Some(world) = common::world() else { return };
    let container = Container::start("old");
    world.allocate("uid-old", 1, 0).ok();
    world.isolate(&container, &[], &["192.168.0.0"], &[]).ok();
    world.release_ips(&["192.168.0.0"]).ok();
    let got = world.allocate("uid-new", 1, 0).ok();
    assert_eq!(got["ipv4"], json!(["192.168.0.0"]));
    world.cleanup("old").ok();
    let left = tree::count(&world.etcd);
    assert_eq!(left[&("192.168.0.0/26".to_owned(), 0)], "uid-new");
}

#[test]
fn reserve_takes_all_or_none() {
    let Some(world) = common::world() else { return };
    world.reserve("uid-1", &["192.168.3.5", "192.168.9.9"]).ok();
    assert_eq!(tree::count(&world.etcd).len(), 2);
    let text = world.reserve("uid-2", &["192.168.3.6", "192.168.9.9"]).error();
    assert_eq!(text, "IP '192.168.9.9' already in use.");
    assert_eq!(tree::count(&world.etcd).len(), 2);
    let text = world.reserve("uid-2", &["192.168.3.6", "10.0.0.1"]).error();
    assert_eq!(text, "IP '10.0.0.1' is not in any configured pool.");
    let text = world.reserve("uid-2", &["192.168.3.6", "192.168.3.6"]).error();
    assert_eq!(text, "IP '192.168.3.6' already in use.");
    assert_eq!(tree::count(&world.etcd).len(), 2);

    // reserve and allocate share the uid; giving one address back leaves the others.
    world.allocate("uid-1", 1, 1).ok();
    world.release_ips(&["192.168.3.5"]).ok();
    let left = tree::count(&world.etcd);
    assert!(left.len() == 3 && left.values().all(|uid| uid == "uid-1"));
    world.release_uid("uid-1").ok();
    world.release_uid("uid-1").ok();
    world.release_ips(&["192.168.3.5", "10.9.9.9", "fd80::1"]).ok();
    assert_eq!(tree::count(&world.etcd).len(), 0);
}

#[test]
fn allocate_at_the_end_of_the_pools() {
    let Some(world) = common::empty_world() else { return };
    let text = world.allocate("uid-1", 1, 0).error();
    assert!(text.starts_with("Unable to auto assign 1 IPv4 and 0 IPv6 addresses on host agent-1"));
    assert_eq!(world.allocate("uid-1", 0, 0).ok()["ipv4"], json!([]));

    world.etcd.pool("10.0.0.0/25");
    world.etcd.put("/calico/v1/ipam/v4/pool/10.9.0.0-16", r#"{"cidr":"10.9.0.0/16","ipam":false}"#);
    // Another host has half of it.
    let mut foreign = block("10.0.0.0/26", &[(0, 0)], &["theirs"]);
    foreign["affinity"] = json!("host:agent-2");
    world.etcd.put("/calico/ipam/v2/assignment/ipv4/block/10.0.0.0-26", &foreign.to_string());
    world.etcd.put("/calico/ipam/v2/handle/theirs", r#"{"id":"theirs","block":{"10.0.0.0/26":1}}"#);

    let first = world.allocate("uid-1", 3, 0).ok();
    assert_eq!(first["ipv4"], json!(["10.0.0.64", "10.0.0.65", "10.0.0.66"]));
    // Fewer than wanted, without an error: facts 1.7.
    let rest = world.allocate("uid-2", 200, 5).ok();
    assert_eq!(rest["ipv4"].as_array().unwrap().len(), 61 + 63);
    assert_eq!(rest["ipv6"], json!([]));
    world.allocate("uid-3", 1, 0).error();
    assert_eq!(tree::count(&world.etcd).len(), 128);
    world.release_uid("uid-2").ok();
    world.release_uid("uid-1").ok();
    let left: Vec<String> = tree::count(&world.etcd).into_values().collect();
    assert_eq!(left, ["theirs"]);
}

/// The number of a container that has ended can be that of any process.
#[test]
fn this_hosts_own_namespace_is_left_alone() {
    let Some(world) = common::world() else { return };
    let mut process = std::process::Command::new("sleep").arg("3600").spawn().unwrap();
    let before = common::ip_json(&["route"]);
    let request = common::isolate_request("c1", process.id(), &[], &["192.168.0.1"], &[]);
    let answer = world.call(&request);
    process.kill().unwrap();
    process.wait().unwrap();
    let text = answer.error();
    assert!(text.contains("is in this host's own network namespace"), "{text}");
    assert_eq!(common::ip_json(&["route"]), before);
    assert_eq!(common::cali_interfaces(), Vec::<String>::new());
    world.cleanup("c1").ok();
}

/// What others left in etcd does not keep an agent from finishing a container.
#[test]
fn cleanup_is_not_stopped_by_what_nobody_can_mend() {
    let Some(world) = common::world() else { return };
    let key = "/calico/v1/host/agent-1/workload/mesos/c1/endpoint/0123";
    let endpoint = json!({"state": "active", "name": "cali-much-too-long-a-name", "mac": "x",
        "profile_ids": [], "ipv4_nets": ["192.168.9.1/32"], "ipv6_nets": []});
    world.etcd.put(key, &endpoint.to_string());
    world.etcd.put("/calico/ipam/v2/assignment/ipv4/block/192.168.9.0-26", "no block");
    world.cleanup("c1").ok();
    assert!(world.etcd.node("/calico/v1/host/agent-1/workload/mesos/c1").is_none());
    assert!(world.log().contains("192.168.9.0-26 is not as expected"));
}

/// A value that is not in its format costs what it describes, and nothing else.
#[test]
fn what_cannot_be_read_stops_nothing_else() {
    let Some(world) = common::world() else { return };
    let folder = "/calico/ipam/v2/assignment/ipv4/block";
    let got = world.allocate("uid-1", 1, 1).ok();
    let (v4, v6) = (got["ipv4"][0].as_str().unwrap(), got["ipv6"][0].as_str().unwrap());
    let container = Container::start("c1");
    world.isolate(&container, &[], &[v4], &[v6]).ok();

    // The block that this host prefers, a pool, and a handle.
    world.etcd.put(&format!("{folder}/192.168.0.0-26"), "no block");
    world.etcd.put("/calico/v1/ipam/v4/pool/10.9.0.0-16", "no pool");
    world.etcd.put("/calico/ipam/v2/handle/uid-1", "no handle");
    let other = world.allocate("uid-2", 1, 0).ok();
    assert_eq!(other["ipv4"][0], "192.168.0.64");
    let log = world.log();
    assert!(log.contains("192.168.0.0-26 is not as expected"), "{log}");
    assert!(log.contains("10.9.0.0-16 is not as expected"), "{log}");
    world.release_ips(&[v4, v6]).ok();
    world.cleanup("c1").ok();
    let v6_block = "/calico/ipam/v2/assignment/ipv6/block/fd80:24e2:f998:72d6::-122";
    let v6_block = world.etcd.node(v6_block).unwrap();
    assert!(!v6_block["value"].as_str().unwrap().contains("uid-1"), "{v6_block}");
    assert!(world.etcd.node("/calico/v1/host/agent-1/workload/mesos/c1").is_none());

    // Where nothing can be read, that is what is said.
    world.etcd.delete("/calico/v1/ipam/v4/pool");
    world.etcd.put("/calico/v1/ipam/v4/pool/10.9.0.0-16", "no pool");
    let text = world.allocate("uid-3", 1, 0).error();
    assert!(text.contains("10.9.0.0-16 is not as expected"), "{text}");
}

#[test]
fn a_release_by_uid_passes_over_what_cannot_be_read() {
    let Some(world) = common::world() else { return };
    world.allocate("uid-1", 1, 1).ok();
    world.allocate("uid-2", 0, 1).ok();
    let block = "/calico/ipam/v2/assignment/ipv4/block/192.168.0.0-26";
    let good = world.etcd.node(block).unwrap()["value"].as_str().unwrap().to_owned();
    world.etcd.put(block, "no block");
    world.etcd.put("/calico/ipam/v2/handle/uid-2", "no handle");
    world.release_uid("uid-1").ok();
    world.release_uid("uid-2").ok();
    assert!(world.etcd.node("/calico/ipam/v2/handle/uid-1").is_some());
    let v6_block = "/calico/ipam/v2/assignment/ipv6/block/fd80:24e2:f998:72d6::-122";
    let v6_block = world.etcd.node(v6_block).unwrap();
    assert!(!v6_block["value"].as_str().unwrap().contains("uid-"), "{v6_block}");

    // Once the block is mended, the handle still leads there.
    world.etcd.put(block, &good);
    world.etcd.delete("/calico/ipam/v2/handle/uid-2");
    world.release_uid("uid-1").ok();
    assert_eq!(tree::count(&world.etcd).len(), 0);
    assert!(tree::handles(&world.etcd).is_empty());
}
