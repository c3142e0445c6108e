//! What is in etcd: pools, addresses, profiles, other hosts.

use super::*;

#[test]
fn pools_that_give_no_address_or_another_hosts() {
    let Some(world) = common::world() else { return };
    let pool = |cidr: &str, word: &str| {
        world.etcd.pool(cidr);
        fails(&world, "", "pools", word);
        let version = if cidr.contains(':') { 6 } else { 4 };
        world.etcd.delete(&format!("/calico/v1/ipam/v{version}/pool/{}", cidr.replace('/', "-")));
    };
    pool("10.9.0.0/27", "10.9.0.0/27 is smaller than a block");
    pool("fd09::/123", "fd09::/123 is smaller than a block");
    pool("10.0.0.0/8", "overlaps 10.240.0.0/24, the network of this host's uplink");
    pool("10.240.0.128/25", "10.240.0.0/24");
    pool("fd00:240::/48", "uplink");
    world.etcd.put("/calico/v1/host/agent-2/bird_ip", "172.20.0.2");
    pool("172.20.0.0/16", "the host agent-2");
    let masters = "echo zk://10.240.0.9:2181,192.168.3.4:2181/mesos >mesos/zk";
    fails(&world, masters, "pools", "192.168.3.4/32, a master or its ZooKeeper");
    common::ip(&["addr", "add", "192.168.7.1/24", "dev", "wire"]);
    fails(&world, "", "pools", "192.168.7.0/24");
}

/// In clouds an address is often a network of its own, and the routes say what else is there.
#[test]
fn pools_that_routes_lead_to() {
    let Some(world) = common::world() else { return };
    common::ip(&["addr", "add", "172.30.0.5/32", "dev", "wire"]);
    common::ip(&["route", "add", "172.30.0.0/20", "dev", "wire"]);
    common::ip(&["-6", "route", "add", "fd12::/32", "dev", "wire"]);
    for network in ["172.29.0.0/16", "172.31.5.0/24"] {
        common::ip(&["route", "add", network, "via", "10.240.0.254"]);
    }
    common::ip(&["route", "add", "172.28.3.0/26", "via", "10.240.0.254", "proto", "bird"]);
    let remove = |cidr: &str| {
        let version = if cidr.contains(':') { 6 } else { 4 };
        world.etcd.delete(&format!("/calico/v1/ipam/v{version}/pool/{}", cidr.replace('/', "-")));
    };
    for (cidr, word) in [
        ("172.30.15.0/24", "172.30.0.0/20, a network that this host reaches on wire"),
        ("172.31.0.0/16", "172.31.5.0/24, a network that this host reaches through 10.240.0.254"),
        ("fd12:0:1::/48", "fd12::/32, a network that this host reaches on wire"),
    ] {
        world.etcd.pool(cidr);
        fails(&world, "", "pools", word);
        remove(cidr);
    }
    // A part of a network that a router knows may have been set aside for containers, and BIRD's routes are Calico's.
    for cidr in ["172.29.4.0/24", "172.28.0.0/16"] {
        world.etcd.pool(cidr);
        assert_eq!(check(&world).statuses(&["pools"]), ["ok"], "{cidr}");
        remove(cidr);
    }
}

/// `allocate` would find nothing in them.
#[test]
fn pools_without_a_free_address_for_this_host() {
    let Some(world) = common::world() else { return };
    world.etcd.delete("/calico/v1/ipam/v4/pool/192.168.0.0-16");
    world.etcd.pool("10.9.0.0/26");
    let key = "/calico/ipam/v2/assignment/ipv4/block/10.9.0.0-26";
    let affinity = |host: &str| format!("/calico/ipam/v2/host/{host}/ipv4/block/10.9.0.0-26");
    let block = |host: &str, free: usize, strict: bool| {
        let allocations: Vec<_> =
            (0..64).map(|i| if i < free { json!(null) } else { json!(0) }).collect();
        let mut block = json!({"cidr": "10.9.0.0/26", "affinity": format!("host:{host}"),
            "allocations": allocations, "attributes": [{"handle_id": "a", "secondary": {}}]});
        if strict {
            block["unallocated"] = (0..free).collect::<Vec<_>>().into();
            block["strict_affinity"] = true.into();
        }
        world.etcd.put(key, &block.to_string());
        world.etcd.put(&affinity(host), "");
    };
    let is_full = || fails(&world, "", "pools", "no IPv4 address is free for this host");
    let has_room = || assert_eq!(check(&world).statuses(&["pools"]), ["ok"]);
    has_room();
    block("agent-2", 1, false);
    has_room();
    block("agent-2", 0, false);
    is_full();
    block("agent-2", 1, true);
    is_full();
    world.allocate("uid-a", 1, 0).error();
    world.etcd.put("/calico/ipam/v2/config", r#"{"strict_affinity":true}"#);
    block("agent-2", 1, false);
    is_full();
    world.etcd.delete(&affinity("agent-2"));
    block("agent-1", 1, true);
    has_room();
    world.allocate("uid-a", 1, 0).ok();
    is_full();
    world.etcd.put("/calico/ipam/v2/config", r#"{"auto_allocate_blocks":false}"#);
    world.etcd.pool("10.9.1.0/26");
    is_full();
    world.etcd.put("/calico/ipam/v2/config", "strict");
    fails(&world, "", "pools", "/calico/ipam/v2/config is not as expected");
}

#[test]
fn two_hosts_with_one_address() {
    let Some(world) = common::world() else { return };
    for (key, value) in [
        ("/calico/v1/host/agent-2/bird_ip", common::HOST_IP),
        ("/calico/bgp/v1/host/agent-2/ip_addr_v4", common::HOST_IP),
        ("/calico/bgp/v1/host/agent-2/ip_addr_v6", common::HOST_IP6),
    ] {
        world.etcd.put(key, value);
        fails(&world, "", "addresses", "agent-1 and agent-2 have one address");
        world.etcd.delete(key);
    }
    world.etcd.put("/calico/v1/host/agent-2/bird_ip", "10.240.0.2");
    assert_eq!(check(&world).status, 0);
    // Felix' address of this host alone.
    world.etcd.put("/calico/v1/host/agent-1/bird_ip", "10.240.0.77");
    fails(&world, "", "calico-host", "10.240.0.77");
    world.etcd.put("/calico/v1/host/agent-1/bird_ip", "127.0.0.1");
    fails(&world, "", "calico-host", "127.0.0.1");
}

#[test]
fn a_host_that_calico_has_under_a_longer_name() {
    let Some(world) = common::world() else { return };
    for folder in ["/calico/v1/host", "/calico/bgp/v1/host"] {
        world.etcd.delete(&format!("{folder}/agent-1"));
    }
    world.etcd.put("/calico/v1/host/agent-1.example.org/bird_ip", common::HOST_IP);
    fails(&world, "", "calico-host", "but of agent-1.example.org");
}

/// Executors are in containers, their agents on the host.
#[test]
fn a_felix_that_lets_no_executor_reach_its_agent() {
    let Some(world) = common::world() else { return };
    let all = "/calico/v1/config/DefaultEndpointToHostAction";
    let own = "/calico/v1/host/agent-1/config/DefaultEndpointToHostAction";
    world.etcd.put(all, "RETURN");
    assert_eq!(check(&world).statuses(&["to-host"]), ["ok"]);
    world.etcd.put(own, "DROP");
    fails(&world, "", "to-host", "host/agent-1/config/DefaultEndpointToHostAction is 'DROP'");
    world.etcd.put(all, "DROP");
    world.etcd.put(own, "ACCEPT");
    assert_eq!(check(&world).statuses(&["to-host"]), ["ok"]);
    world.etcd.delete(own);
    fails(&world, "", "to-host", "is 'DROP'");
    world.etcd.put(all, "return");
    fails(&world, "", "to-host", "is 'return'");
    world.etcd.delete(all);
    let report = check(&world);
    assert_eq!((report.statuses(&["to-host"]), report.status), (vec!["warn"], 0));
}

/// The profile of an agent is made once; the host may get another address.
#[test]
fn a_profile_that_is_of_an_older_address() {
    let Some(world) = common::world() else { return };
    let rules = |net: &str, version: u8| {
        json!({"id": "x", "inbound_rules": [], "outbound_rules": [
            {"action": "allow", "dst_net": net, "ip_version": version}]})
    };
    for (name, rules, status) in [
        ("default_agent-1", rules("10.240.0.9/32", 4), "warn"),
        ("default_agent-1.example.org", rules("10.240.0.9/32", 4), "warn"),
        ("default_agent-1", rules("fd00::/8", 6), "warn"),
        ("default_agent-1", rules("10.240.0.0/24", 4), "ok"),
        ("default_agent-10", rules("10.240.0.9/32", 4), "ok"),
        ("ng_agent-1", rules("10.240.0.9/32", 4), "ok"),
    ] {
        let key = format!("/calico/v1/policy/profile/{name}");
        world.etcd.put(&format!("{key}/rules"), &rules.to_string());
        let report = check(&world);
        assert_eq!(
            (report.statuses(&["own-profile"]), report.status),
            (vec![status], 0),
            "{rules}"
        );
        assert!(status == "ok" || report.message("own-profile").contains(name));
        world.etcd.delete(&key);
    }
}
