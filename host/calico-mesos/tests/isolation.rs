//! Who may talk to whom: what Felix makes of the profiles that the plugin writes, in both families.

mod common;

use common::{Container, HOST_IP, HOST_IP6, World, felix::Policy, tree};
use serde_json::{Value, json};

const RULES: &str = "/calico/v1/policy/profile/default_mesos-name/rules";

/// What calico-mesos 0.2.0 wrote for an agent that has these addresses.
fn rules_of_0_2_0(hosts: &[&str]) -> Value {
    let side = |net: &str| -> Vec<Value> {
        let single = |ip: &&str| format!("{ip}/{}", if ip.contains(':') { 128 } else { 32 });
        hosts.iter().map(|ip| json!({"action": "allow", net: single(ip)})).collect()
    };
    json!({"id": "default_mesos-name", "inbound_rules": side("src_net"),
        "outbound_rules": side("dst_net")})
}

/// The netgroups of the containers 1 to 6.
const GROUPS: [&[&str]; 6] = [&["prod"], &["prod"], &["dev"], &["prod", "dev"], &["public"], &[]];

/// A container's number, which is the end of its two addresses.
fn addresses(number: usize) -> [String; 2] {
    [format!("192.168.0.{number}"), format!("fd80::{number}")]
}

/// Connects containers of these netgroups, the first one with number 1.
fn connect(world: &World, netgroups: &[&[&str]]) -> Vec<Container> {
    let connect = |(at, groups): (usize, &&[&str])| {
        let container = Container::start(&format!("c{}", at + 1));
        let [v4, v6] = addresses(at + 1);
        world.isolate(&container, groups, &[&v4], &[&v6]).ok();
        container
    };
    netgroups.iter().enumerate().map(connect).collect()
}

/// For each family, who of [`GROUPS`] gets to whom.
fn assert_isolated(world: &World) {
    let policy = Policy::read(&world.etcd);
    for (family, host, stranger) in [(0, HOST_IP, "10.240.0.9"), (1, HOST_IP6, "fd00:240::9")] {
        for (to, wanted) in GROUPS.iter().enumerate() {
            let to_ip = &addresses(to + 1)[family];
            for (from, has) in GROUPS.iter().enumerate().filter(|(from, _)| *from != to) {
                // Outbound, a container of any group may talk to everybody, one of none to its agent alone.
                let lets = !has.is_empty()
                    && (wanted.contains(&"public")
                        || has.iter().any(|group| wanted.contains(group)));
                let from_ip = &addresses(from + 1)[family];
                assert_eq!(policy.lets(from_ip, to_ip), lets, "{from_ip} to {to_ip}");
            }
            assert!(policy.lets(host, to_ip), "the agent to {to_ip}");
            assert!(policy.lets(to_ip, host), "{to_ip} to the agent");
            assert_eq!(policy.lets(stranger, to_ip), wanted.contains(&"public"), "{to_ip}");
        }
    }
}

#[test]
fn netgroups_are_isolated_in_both_families() {
    let Some(world) = common::world() else { return };
    let _containers = connect(&world, &GROUPS);
    assert_isolated(&world);
}

/// IPv6 is no way around the groups where the host has no IPv6 address of its own, nor IPv4 where it has no IPv4 one.
#[test]
fn netgroups_are_isolated_on_a_host_of_one_family() {
    let Some(mut world) = common::world() else { return };
    world.etcd.delete("/calico/bgp/v1/host/agent-1/ip_addr_v6");
    let _containers = connect(&world, &[&["prod"], &["dev"]]);
    let lets = |world: &World, family: usize| {
        Policy::read(&world.etcd).lets(&addresses(1)[family], &addresses(2)[family])
    };
    assert_eq!([0, 1].map(|family| lets(&world, family)), [false, false]);
    ["c1", "c2"].iter().for_each(|id| drop(world.cleanup(id).ok()));

    world.etcd.delete("/calico/v1/policy");
    world.etcd.delete("/calico/bgp/v1/host/agent-1/ip_addr_v4");
    world.etcd.delete("/calico/v1/host/agent-1/bird_ip");
    world.etcd.put("/calico/bgp/v1/host/agent-1/ip_addr_v6", HOST_IP6);
    world.set("CALICO_MESOS_GATEWAY", "link-local");
    common::ip(&["addr", "flush", "dev", "uplink"]);
    let _containers = connect(&world, &[&["prod"], &["dev"]]);
    assert_eq!([0, 1].map(|family| lets(&world, family)), [false, false]);
}

#[test]
fn the_profile_of_0_2_0_is_mended() {
    let Some(world) = common::world() else { return };
    // The last one from a time at which the host had other addresses.
    for hosts in
        [&[HOST_IP, HOST_IP6][..], &[HOST_IP], &[HOST_IP6], &["10.9.9.9", "fd00:9::9", HOST_IP]]
    {
        world.etcd.put(RULES, &rules_of_0_2_0(hosts).to_string());
        world.etcd.put(&RULES.replace("rules", "tags"), r#"["default_mesos-name"]"#);
        let _containers = connect(&world, &[&["prod"], &["dev"]]);
        let policy = Policy::read(&world.etcd);
        for family in [0, 1] {
            let [one, other] = [1, 2].map(|number| addresses(number)[family].clone());
            assert!(!policy.lets(&one, &other), "{hosts:?}: {one} to {other}");
        }
        for host in hosts.iter().filter(|host| [HOST_IP, HOST_IP6].contains(*host)) {
            let family = usize::from(host.contains(':'));
            assert!(policy.lets(host, &addresses(1)[family]), "{hosts:?}: {host}");
        }
        assert!(world.log().contains("profile default_mesos-name let everything in"));
        ["c1", "c2"].iter().for_each(|id| drop(world.cleanup(id).ok()));
    }
}

#[test]
fn what_administrators_made_of_the_profile_is_left_alone() {
    let Some(world) = common::world() else { return };
    let mut more = rules_of_0_2_0(&[HOST_IP, HOST_IP6]);
    let ssh = json!({"action": "allow", "protocol": "tcp", "dst_ports": [22]});
    more["inbound_rules"].as_array_mut().unwrap().push(ssh);
    for rules in [more, rules_of_0_2_0(&["10.0.0.1", "10.0.0.2", "10.0.0.3"]), json!("no rules")] {
        world.etcd.put(RULES, &rules.to_string());
        let _containers = connect(&world, &[&["prod"]]);
        assert_eq!(tree::tree(&world.etcd)[RULES], rules);
        world.cleanup("c1").ok();
    }
}
