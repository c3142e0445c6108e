//! Many requests at once, also while etcd is stopped, paused or killed: no address twice, none lost, all handles
//! right, and nothing left after recovery and release.

mod common;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::atomic::{AtomicUsize, Ordering},
};

use common::{World, etcd::Etcd, finish, tree};
use nix::{
    sched::{CloneFlags, unshare},
    sys::signal::Signal,
    unistd::sethostname,
};
use serde_json::json;

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
    let in_etcd: BTreeMap<_, _> =
        uids_and_addresses(tree::count(&world.etcd)).into_iter().collect();
    assert_eq!(&in_etcd, got);
}

fn uids_and_addresses(assigned: BTreeMap<(String, usize), String>) -> BTreeSet<(String, String)> {
    let pair = |((block, ordinal), uid): ((String, usize), _)| {
        let base: std::net::Ipv4Addr = block.split_once('/').unwrap().0.parse().unwrap();
        let ip = std::net::Ipv4Addr::from_bits(base.to_bits() + ordinal as u32);
        (uid, ip.to_string())
    };
    assigned.into_iter().map(pair).collect()
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

/// The request at whose start etcd is disturbed, and the one at which it recovers: those in between are more than
/// the processes.
const DISTURBED: usize = 60;
const RECOVERED: usize = DISTURBED + 2 * PROCESSES;

/// Eight requests at a time, and one more, with something happening to etcd in the middle. Those who were told an
/// address have it, and those that begin after the recovery get one; after `release` nothing is left of anybody's.
fn storm(disturb: impl Fn(&mut Etcd), recover: impl Fn(&mut Etcd)) {
    let Some(mut world) = common::empty_world() else { return };
    five_blocks(&world);
    let mut under_way = VecDeque::new();
    let (mut told, mut failed) = (BTreeMap::new(), Vec::new());
    for number in 0..REQUESTS + PROCESSES {
        if number == DISTURBED {
            // Who is not answered does not wait long for it.
            world.set("CALICO_MESOS_CALL_TIMEOUT", "1");
            world.set("CALICO_MESOS_TOTAL_TIMEOUT", "3");
        }
        if number < REQUESTS {
            let child = world.start(&json!({"command": "allocate", "args": {
                "hostname": "mesos-name", "uid": uid(number), "num_ipv4": 1, "num_ipv6": 0}}));
            under_way.push_back((number, child));
        }
        match number {
            DISTURBED => disturb(&mut world.etcd),
            RECOVERED => {
                recover(&mut world.etcd);
                world.set("CALICO_MESOS_CALL_TIMEOUT", "");
                world.set("CALICO_MESOS_TOTAL_TIMEOUT", "");
            }
            _ => {}
        }
        if number < PROCESSES {
            continue;
        }
        let (number, child) = under_way.pop_front().unwrap();
        match finish(child).json["ipv4"][0].as_str() {
            Some(ip) => drop(told.insert(uid(number), ip.to_owned())),
            None => failed.push(number),
        }
    }
    assert!(!failed.is_empty() && failed.iter().all(|number| *number <= RECOVERED), "{failed:?}");
    let assigned = uids_and_addresses(tree::assigned(&world.etcd));
    for (uid, ip) in &told {
        assert!(assigned.contains(&(uid.clone(), ip.clone())), "{uid} was told {ip}");
    }
    for number in failed {
        world.release_uid(&uid(number)).ok();
    }
    release_all(&world, &told);
    assert!(tree::handles(&world.etcd).is_empty());
}

fn uid(number: usize) -> String {
    format!("uid-{number}")
}

#[test]
fn etcd_paused_in_the_middle() {
    storm(|etcd| etcd.signal(Signal::SIGSTOP), |etcd| etcd.signal(Signal::SIGCONT));
}

#[test]
fn etcd_killed_in_the_middle() {
    storm(Etcd::stop, Etcd::restart);
}

#[test]
fn etcd_stopped_in_the_middle() {
    storm(Etcd::end, Etcd::restart);
}
