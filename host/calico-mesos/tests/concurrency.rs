//! Many requests at once: no address twice, none lost, all handles right.

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicUsize, Ordering},
};

use common::{World, tree};
use nix::{
    sched::{CloneFlags, unshare},
    unistd::sethostname,
};

const REQUESTS: usize = 200;
const PROCESSES: usize = 8;

/// A pool of one block more than the 200 addresses need: five blocks of 64.
fn five_blocks(world: &World) {
    world.etcd.pool("10.0.0.0/24");
    world.etcd.pool("10.0.1.0/26");
}

/// Runs the requests, eight processes at a time, each lane as the host that `host_of` names, and
/// returns uid and address of each.
fn run(world: &World, host_of: impl Fn(usize) -> String + Sync) -> BTreeMap<String, String> {
    let next = AtomicUsize::new(0);
    let lane = |number: usize| {
        // Only this thread and its children get the name.
        unshare(CloneFlags::CLONE_NEWUTS).unwrap();
        sethostname(host_of(number)).unwrap();
        let mut got = Vec::new();
        loop {
            let uid = format!("uid-{}", next.fetch_add(1, Ordering::SeqCst));
            if uid == format!("uid-{REQUESTS}") || uid.len() > 7 {
                return got;
            }
            let answer = world.allocate(&uid, 1, 0).ok();
            let ips = answer["ipv4"].as_array().unwrap();
            assert_eq!(ips.len(), 1, "{uid}");
            got.push((uid, ips[0].as_str().unwrap().to_owned()));
            // The counter may have passed the end in another lane.
            if next.load(Ordering::SeqCst) >= REQUESTS {
                return got;
            }
        }
    };
    let lane = &lane;
    std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..PROCESSES).map(|n| scope.spawn(move || lane(n))).collect();
        lanes.into_iter().flat_map(|lane| lane.join().unwrap()).collect()
    })
}

/// Compares what the callers were told with what etcd has.
fn check(world: &World, got: &BTreeMap<String, String>) {
    assert_eq!(got.len(), REQUESTS);
    let addresses: BTreeSet<_> = got.values().collect();
    assert_eq!(addresses.len(), REQUESTS, "an address was given twice");
    let mut in_etcd = BTreeMap::new();
    for ((block, ordinal), uid) in tree::count(&world.etcd) {
        let (base, _) = block.split_once('/').unwrap();
        let base: std::net::Ipv4Addr = base.parse().unwrap();
        let ip = std::net::Ipv4Addr::from_bits(base.to_bits() + ordinal as u32);
        in_etcd.insert(uid, ip.to_string());
    }
    assert_eq!(&in_etcd, got);
}

fn release_all(world: &World, got: &BTreeMap<String, String>) {
    let pairs: Vec<_> = got.iter().collect();
    std::thread::scope(|scope| {
        for part in pairs.chunks(REQUESTS / PROCESSES) {
            scope.spawn(move || {
                for (i, (uid, ip)) in part.iter().enumerate() {
                    // Both ways, mixed.
                    let answer =
                        if i % 2 == 0 { world.release_uid(uid) } else { world.release_ips(&[ip]) };
                    answer.ok();
                }
            });
        }
    });
    assert_eq!(tree::count(&world.etcd).len(), 0);
}

#[test]
fn eight_processes_of_one_host() {
    let Some(world) = common::empty_world() else { return };
    five_blocks(&world);
    let got = run(&world, |_| common::HOST.to_owned());
    check(&world, &got);
    release_all(&world, &got);
}

#[test]
fn eight_hosts_with_fewer_blocks_than_hosts() {
    let Some(world) = common::empty_world() else { return };
    five_blocks(&world);
    let got = run(&world, |lane| format!("agent-{lane}"));
    check(&world, &got);
    release_all(&world, &got);
}
