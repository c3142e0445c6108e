//! Other hosts and other clients that work on the same blocks: what they did before, and what they do meanwhile.

mod common;

use calico_plugin::{netns::provision::Pair, protocol::Addresses};
use common::{Container, World, etcd::Etcd, proxy::Proxy, tree};
use nix::unistd::sethostname;
use serde_json::{Value, json};

const V4: &str = "10.9.0.0/26";
const V6: &str = "fd09::/122";

fn block_key(cidr: &str) -> String {
    let family = if cidr.contains(':') { 6 } else { 4 };
    format!("/calico/ipam/v2/assignment/ipv{family}/block/{}", cidr.replace('/', "-"))
}

fn affinity_key(host: &str, cidr: &str) -> String {
    let family = if cidr.contains(':') { 6 } else { 4 };
    format!("/calico/ipam/v2/host/{host}/ipv{family}/block/{}", cidr.replace('/', "-"))
}

/// An empty block of a host, as Calico 0.9 writes it.
fn block(cidr: &str, host: &str) -> Value {
    json!({"cidr": cidr, "affinity": format!("host:{host}"), "allocations": vec![Value::Null; 64],
        "attributes": []})
}

/// Two hosts, two blocks of each family.
fn two_blocks() -> Option<World> {
    let world = common::empty_world()?;
    world.etcd.pool("10.9.0.0/25");
    world.etcd.pool("fd09::/121");
    Some(world)
}

fn as_host(name: &str) {
    sethostname(name).unwrap();
}

fn value(etcd: &Etcd, key: &str) -> Option<Value> {
    tree::tree(etcd).get(key).cloned()
}

/// Each affinity is the block's own, which is all that BIRD goes by.
fn assert_agree(etcd: &Etcd, what: &str) {
    let tree = tree::tree(etcd);
    for key in tree.keys().filter(|key| key.starts_with("/calico/ipam/v2/host/")) {
        let parts: Vec<_> = key.split('/').collect();
        let [.., host, _, "block", name] = parts[..] else { continue };
        let Some(block) = tree.get(&block_key(&name.replace('-', "/"))) else { continue };
        assert_eq!(block["affinity"], format!("host:{host}"), "{what}: {key}");
    }
}

#[test]
fn a_stale_affinity_goes_with_the_next_allocate() {
    for cidr in [V4, V6] {
        let Some(world) = two_blocks() else { return };
        let count = |uid: &str| {
            let six = cidr.contains(':');
            world.allocate(uid, usize::from(!six), usize::from(six)).ok()
        };
        // agent-2 was killed between the two writes of a claim, and agent-1 claims the block.
        world.etcd.put(&affinity_key("agent-2", cidr), "");
        count("uid-1");
        assert_eq!(value(&world.etcd, &block_key(cidr)).unwrap()["affinity"], "host:agent-1");
        as_host("agent-2");
        count("uid-2");
        assert_eq!(value(&world.etcd, &affinity_key("agent-2", cidr)), None);
        assert_agree(&world.etcd, cidr);

        // The same where its own block has room, so that the other one is not needed.
        world.etcd.put(&affinity_key("agent-2", cidr), "");
        count("uid-3");
        assert_eq!(value(&world.etcd, &affinity_key("agent-2", cidr)), None);
        assert!(world.log().contains("is not agent-2's: dropped its affinity"));
        assert_agree(&world.etcd, cidr);
        assert_eq!(tree::count(&world.etcd).len(), 3);
    }
}

/// Containers of one family alone must not leave a stale affinity of the other for ever.
#[test]
fn affinities_of_a_family_that_is_not_wanted_are_looked_at() {
    for (other, v4, v6) in [(V6, 1, 0), (V4, 0, 1)] {
        let Some(world) = two_blocks() else { return };
        world.etcd.put(&block_key(other), &block(other, "agent-2").to_string());
        world.etcd.put(&affinity_key("agent-1", other), "");
        world.allocate("uid-1", v4, v6).ok();
        assert_eq!(value(&world.etcd, &affinity_key("agent-1", other)), None, "{other}");
        assert_eq!(value(&world.etcd, &block_key(other)).unwrap(), block(other, "agent-2"));
    }
}

#[test]
fn an_affinity_that_no_block_agrees_with_goes() {
    let Some(world) = two_blocks() else { return };
    let other = "10.9.0.64/26";
    world.allocate("uid-1", 1, 0).ok();
    let mut later = block(other, "agent-2");
    later["sequenceNumber"] = json!(1);
    let mut given_up = block(other, "");
    given_up["affinity"] = json!("");
    let mut nobodys = block(other, "");
    nobodys["affinity"] = Value::Null;
    for block in [block(other, "agent-2"), later, given_up, nobodys] {
        world.etcd.put(&block_key(other), &block.to_string());
        world.etcd.put(&affinity_key("agent-1", other), "");
        world.allocate("uid-2", 1, 0).ok();
        assert_eq!(value(&world.etcd, &affinity_key("agent-1", other)), None, "{block}");
        assert_eq!(value(&world.etcd, &block_key(other)).unwrap(), block);
    }
    // A block outside of all pools, and none at all there.
    let outside = "10.8.0.0/26";
    for has_block in [true, false] {
        world.etcd.put(&affinity_key("agent-1", outside), "");
        if has_block {
            world.etcd.put(&block_key(outside), &block(outside, "agent-2").to_string());
        }
        world.allocate("uid-3", 1, 0).ok();
        assert_eq!(value(&world.etcd, &affinity_key("agent-1", outside)), None);
        world.etcd.delete(&block_key(outside));
    }
    // What may be its own stays: one that cannot be read, and one of a pool that is gone.
    world.etcd.put(&affinity_key("agent-1", other), "{}");
    world.etcd.put(&block_key(other), "no block");
    world.etcd.put(&affinity_key("agent-1", outside), "");
    world.etcd.put(&block_key(outside), &block(outside, "agent-1").to_string());
    world.allocate("uid-4", 1, 0).ok();
    for cidr in [other, outside] {
        assert!(value(&world.etcd, &affinity_key("agent-1", cidr)).is_some(), "{cidr}");
    }
}

/// A claim that was cut short, and that nobody else has made, is completed.
#[test]
fn an_affinity_without_a_block_gets_it() {
    let Some(world) = two_blocks() else { return };
    world.allocate("uid-1", 1, 0).ok();
    world.etcd.put(&affinity_key("agent-1", "10.9.0.64/26"), "");
    world.allocate("uid-2", 1, 0).ok();
    let block = value(&world.etcd, &block_key("10.9.0.64/26")).unwrap();
    assert_eq!(block["affinity"], "host:agent-1");
}

/// What somebody else does while an `allocate` is under way, at each of its steps.
#[test]
fn others_act_at_each_step_of_an_allocate() {
    type Act = fn(&Direct);
    let acts: [(&str, Act); 5] = [
        ("another host takes the block", |etcd| etcd.take("agent-2")),
        ("another process of this host takes it", |etcd| {
            etcd.prefer("agent-1");
            etcd.take("agent-1");
        }),
        ("the other host gives it up", |etcd| etcd.give_up()),
        ("the other host gives it up, and another process of this host takes it", |etcd| {
            etcd.give_up();
            etcd.prefer("agent-1");
            etcd.take("agent-1");
        }),
        ("another process of this host takes the affinity for stale", |etcd| {
            etcd.unprefer("agent-1")
        }),
    ];
    // The block is nobody's, and it is another host's already; this host has an affinity to it, or none.
    for (is_taken, has_affinity) in [(false, false), (false, true), (true, true)] {
        for (what, act) in acts {
            let Some(mut world) = common::empty_world() else { return };
            world.etcd.pool("10.9.0.0/25");
            let proxy = Proxy::start();
            world.set("ETCD_AUTHORITY", &proxy.address.to_string());
            let mut at = 1;
            loop {
                world.etcd.delete("/calico/ipam");
                // It prefers an own block that is full, so that the other one is needed.
                let mut full = block("10.9.0.64/26", "agent-1");
                full["allocations"] = json!(vec![0; 64]);
                full["attributes"] = json!([{"handle_id": null, "secondary": {}}]);
                world.etcd.put(&block_key("10.9.0.64/26"), &full.to_string());
                world.etcd.put(&affinity_key("agent-1", "10.9.0.64/26"), "");
                let direct = Direct;
                if is_taken {
                    direct.take("agent-2");
                }
                if has_affinity {
                    direct.prefer("agent-1");
                }
                proxy.meanwhile(at, move || act(&Direct));
                let what = format!("{what}, at {at}, taken {is_taken}, affinity {has_affinity}");
                drop(world.allocate("uid-1", 1, 0));
                let seen = proxy.seen();
                proxy.meanwhile(usize::MAX, || ());
                let preferred = |etcd: &Etcd| {
                    let block = value(etcd, &block_key(V4));
                    block.is_some_and(|block| block["affinity"] == "host:agent-1")
                };
                let has = |etcd: &Etcd| value(etcd, &affinity_key("agent-1", V4)).is_some();
                // A block of its own has its affinity, whoever acted when.
                assert!(!preferred(&world.etcd) || has(&world.etcd), "{what}");
                // One that somebody took after the last look goes with the next request.
                world.allocate("uid-2", 1, 0);
                assert_agree(&world.etcd, &what);
                assert_eq!(preferred(&world.etcd), has(&world.etcd), "{what}");
                if seen < at {
                    break;
                }
                at += 1;
            }
            assert!(at > 5, "{at}");
        }
    }
}

/// Requests to etcd that do not go through the proxy.
struct Direct;

impl Direct {
    fn put(&self, key: &str, query: &str, value: &str) {
        let url = format!("{}{query}", common::etcd::url(key));
        // What is there already stays.
        let _ = ureq::put(url).send_form([("value", value)]);
    }

    fn prefer(&self, host: &str) {
        self.put(&affinity_key(host, V4), "", "");
    }

    /// As long as the block is not the host's.
    fn unprefer(&self, host: &str) {
        if !self.block().contains(host) {
            let _ = ureq::delete(common::etcd::url(&affinity_key(host, V4))).call();
        }
    }

    fn take(&self, host: &str) {
        self.put(&block_key(V4), "?prevExist=false", &block(V4, host).to_string());
    }

    /// As far as it is another host's.
    fn give_up(&self) {
        if self.block().contains("agent-2") {
            let _ = ureq::delete(common::etcd::url(&block_key(V4))).call();
        }
    }

    fn block(&self) -> String {
        let answer = ureq::get(common::etcd::url(&block_key(V4))).call();
        answer.map_or(String::new(), |mut answer| answer.body_mut().read_to_string().unwrap())
    }
}

/// What a client of Calico 0.14 or later finds in a block, which it asserts, and the address that it would take next.
fn next_of_a_later_client(etcd: &Etcd, cidr: &str) -> u64 {
    let block = value(etcd, &block_key(cidr)).unwrap();
    let free: Vec<u64> =
        block["unallocated"].as_array().unwrap().iter().filter_map(Value::as_u64).collect();
    let mut sorted = free.clone();
    sorted.sort_unstable();
    let allocations = block["allocations"].as_array().unwrap();
    let null: Vec<u64> = (0..64).filter(|o| allocations[*o as usize].is_null()).collect();
    assert_eq!(sorted, null, "{block}");
    free[0]
}

#[test]
fn blocks_of_later_clients_stay_true() {
    let Some(world) = two_blocks() else { return };
    let mut later = block(V4, "agent-1");
    later["strict_affinity"] = json!(false);
    // 0 was used last.
    later["unallocated"] = (1..64).chain([0]).collect::<Vec<u64>>().into();
    world.etcd.put(&block_key(V4), &later.to_string());
    world.etcd.put(&affinity_key("agent-1", V4), "");

    let got = world.allocate("uid-1", 2, 0).ok();
    assert_eq!(got["ipv4"], json!(["10.9.0.1", "10.9.0.2"]));
    assert_eq!(next_of_a_later_client(&world.etcd, V4), 3);
    world.reserve("uid-2", &["10.9.0.3"]).ok();
    assert_eq!(next_of_a_later_client(&world.etcd, V4), 4);
    world.release_ips(&["10.9.0.1"]).ok();
    world.release_uid("uid-2").ok();
    assert_eq!(next_of_a_later_client(&world.etcd, V4), 4);
    let block = value(&world.etcd, &block_key(V4)).unwrap();
    let free = block["unallocated"].as_array().unwrap();
    assert_eq!(free[free.len() - 3..], [json!(0), json!(1), json!(3)]);
    assert_eq!(block["strict_affinity"], json!(false));
    // cleanup frees, too.
    let container = Container::start("c1");
    world.etcd.put("/calico/bgp/v1/host/agent-1/ip_addr_v4", common::HOST_IP);
    world.isolate(&container, &[], &["10.9.0.2"], &[]).ok();
    world.cleanup("c1").ok();
    assert_eq!(next_of_a_later_client(&world.etcd, V4), 4);
    assert_eq!(tree::count(&world.etcd).len(), 0);

    // 0.2.0 left the list as it was: what it gave away is taken out with the next change.
    let mut untrue = block.clone();
    untrue["allocations"][4] = json!(0);
    untrue["attributes"] = json!([{"handle_id": null, "secondary": {}}]);
    world.etcd.put(&block_key(V4), &untrue.to_string());
    let got = world.allocate("uid-3", 1, 0).ok();
    assert_eq!(got["ipv4"], json!(["10.9.0.5"]));
    assert_eq!(next_of_a_later_client(&world.etcd, V4), 6);
}

#[test]
fn blocks_and_handles_with_unknown_members_are_left_alone() {
    let Some(world) = two_blocks() else { return };
    let mut unknown = block(V4, "agent-1");
    unknown["allocations"][7] = json!(0);
    unknown["attributes"] = json!([{"handle_id": "uid-7", "secondary": {}}]);
    for member in ["sequenceNumber", "hostAffinity"] {
        let mut unknown = unknown.clone();
        unknown[member] = json!("4");
        world.etcd.put(&block_key(V4), &unknown.to_string());
        world.etcd.put(&affinity_key("agent-1", V4), "");
        let handle = r#"{"id":"uid-7","block":{"10.9.0.0/26":1},"deleted":false}"#;
        world.etcd.put("/calico/ipam/v2/handle/uid-7", handle);
        let got = world.allocate("uid-1", 1, 0).ok();
        assert_eq!(got["ipv4"], json!(["10.9.0.64"]));
        world.reserve("uid-2", &["10.9.0.9"]).error();
        world.release_ips(&["10.9.0.7"]).ok();
        world.release_uid("uid-7").ok();
        world.release_uid("uid-1").ok();
        assert_eq!(value(&world.etcd, &block_key(V4)).unwrap(), unknown);
        let kept = value(&world.etcd, "/calico/ipam/v2/handle/uid-7").unwrap();
        assert_eq!(kept["deleted"], json!(false));
    }
    assert!(world.log().contains("unknown field `sequenceNumber`"));
}

#[test]
fn strict_affinity_is_heeded() {
    let Some(world) = two_blocks() else { return };
    let first = world.allocate("uid-1", 64, 0).ok();
    assert_eq!(first["ipv4"].as_array().unwrap().len(), 64);
    let other = "10.9.0.64/26";
    for member in ["strict_affinity", "strictAffinity"] {
        let mut strict = block(other, "agent-2");
        strict[member] = json!(true);
        world.etcd.put(&block_key(other), &strict.to_string());
        let text = world.allocate("uid-2", 1, 0).error();
        assert!(text.contains("no pool has a free address"), "{text}");
        let text = world.reserve("uid-2", &["10.9.0.70"]).error();
        assert!(text.contains("strict affinity is on"), "{text}");
        assert_eq!(value(&world.etcd, &block_key(other)).unwrap(), strict);
        assert!(value(&world.etcd, "/calico/ipam/v2/handle/uid-2").is_none());
    }
    // Of the whole cluster, for a block that says nothing itself.
    world.etcd.put(&block_key(other), &block(other, "agent-2").to_string());
    world.etcd.put("/calico/ipam/v2/config", r#"{"strict_affinity": true}"#);
    world.allocate("uid-2", 1, 0).error();
    world.reserve("uid-2", &["10.9.0.70"]).error();
    // A rule that cannot be read could forbid it.
    world.etcd.put("/calico/ipam/v2/config", "strict");
    let text = world.allocate("uid-2", 1, 0).error();
    assert!(text.contains("/calico/ipam/v2/config is not as expected"), "{text}");
    world.etcd.delete("/calico/ipam/v2/config");
    world.allocate("uid-2", 1, 0).ok();
    world.reserve("uid-2", &["10.9.0.70"]).ok();
}

#[test]
fn new_blocks_follow_the_clusters_rules() {
    let Some(world) = two_blocks() else { return };
    world.etcd.put(
        "/calico/ipam/v2/config",
        r#"{"strict_affinity": true, "auto_allocate_blocks": true}"#,
    );
    world.allocate("uid-1", 1, 0).ok();
    let made = value(&world.etcd, &block_key(V4)).unwrap();
    assert_eq!([&made["strict_affinity"], &made["strictAffinity"]], [true, true]);
    assert_eq!(next_of_a_later_client(&world.etcd, V4), 1);
    world.etcd.put(
        "/calico/ipam/v2/config",
        r#"{"strict_affinity": true, "auto_allocate_blocks": false}"#,
    );
    let got = world.allocate("uid-2", 64, 0).ok();
    assert_eq!(got["ipv4"].as_array().unwrap().len(), 63);
    world.allocate("uid-3", 1, 0).error();
    assert_eq!(value(&world.etcd, &block_key("10.9.0.64/26")), None);
    // A pool that is disabled gives none either.
    world.etcd.delete("/calico/ipam");
    world
        .etcd
        .put("/calico/v1/ipam/v4/pool/10.9.0.0-25", r#"{"cidr":"10.9.0.0/25","disabled":true}"#);
    world.allocate("uid-4", 1, 0).error();
}

/// `cleanup` of the same container, said by an agent that was started again, has removed the interface meanwhile.
#[test]
fn a_rollback_leaves_an_interface_of_another_request() {
    let Some(_world) = two_blocks() else { return };
    let container = Container::start("c1");
    let addresses = Addresses { v4: vec!["10.9.0.1".parse().unwrap()], v6: vec![] };
    let pair = Pair::make(container.pid(), "cali0123".to_owned(), &addresses).unwrap();
    common::ip(&["link", "del", "cali0123"]);
    common::ip(&["link", "add", "cali0123", "type", "veth", "peer", "name", "another"]);
    drop(pair);
    assert_eq!(common::cali_interfaces(), ["cali0123"]);
    common::ip(&["link", "del", "cali0123"]);
    let pair = Pair::make(container.pid(), "cali0123".to_owned(), &addresses).unwrap();
    drop(pair);
    assert_eq!(common::cali_interfaces(), Vec::<String>::new());
}
