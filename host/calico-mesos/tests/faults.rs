//! Requests that are interrupted at each of their steps, an etcd that is away or hangs, and signals. After
//! recovery, `release` and `cleanup` there is no address, handle, endpoint or interface left.

mod common;

use std::{
    collections::BTreeMap,
    process::{Child, Stdio},
};

use common::{
    Answer, Container, World, cali_interfaces, finish, isolate_request,
    proxy::{Fault, Proxy},
    tree,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};

/// What happens to one request at a time.
const FAULTS: [Fault; 4] = [Fault::LoseRequest, Fault::LoseAnswer, Fault::Late, Fault::Kill];

/// A world in which the plugin goes through the proxy.
fn world() -> Option<(World, Proxy)> {
    let mut world = common::world()?;
    let proxy = Proxy::start();
    world.set("ETCD_AUTHORITY", &proxy.address.to_string());
    Some((world, proxy))
}

/// Calls the plugin with a fault. There is one answer, and of a plugin that was killed it is one that says so.
fn call(world: &World, proxy: &Proxy, request: &Value, fault: Fault, at: usize) -> Answer {
    proxy.arm(fault, at);
    let child = world.start(request);
    proxy.plugin(child.id());
    let answer = finish(child);
    if fault == Fault::Kill && proxy.seen() >= at {
        let text = answer.json["error"].as_str().unwrap();
        assert!(text.contains("was killed before it could answer"), "{answer:?}");
    }
    answer
}

fn allocate(uid: &str) -> Value {
    json!({"command": "allocate", "args": {
        "hostname": "mesos-name", "uid": uid, "num_ipv4": 2, "num_ipv6": 1}})
}

fn reserve(uid: &str) -> Value {
    json!({"command": "reserve", "args": {
        "hostname": "mesos-name", "uid": uid, "ipv4_addrs": ["192.168.5.5", "192.168.6.6"]}})
}

/// Interrupts an IPAM request everywhere; the uid `has` addresses by then.
fn ipam_everywhere(has: &[&str], request: impl Fn(&str) -> Value, addresses: usize) {
    let Some((world, proxy)) = world() else { return };
    let prepare = |uid: &str| {
        proxy.arm(Fault::None, 0);
        world.etcd.delete("/calico/ipam");
        if !has.is_empty() {
            world.reserve(uid, has).ok();
        }
    };
    prepare("uid-0");
    call(&world, &proxy, &request("uid-0"), Fault::None, 0).ok();
    let steps = proxy.seen();
    assert!(steps >= 8, "{steps}");
    for fault in FAULTS {
        for at in 1..=steps {
            let uid = format!("uid-{fault:?}-{at}");
            prepare(&uid);
            let answer = call(&world, &proxy, &request(&uid), fault, at);
            assert!(proxy.seen() >= at, "{fault:?} at {at}");
            if fault != Fault::Kill {
                // Rolled back, or done in spite of all: in both cases whole.
                let done = if answer.json["error"].is_null() { addresses } else { 0 };
                let count = tree::count(&world.etcd).len();
                assert_eq!(count, has.len() + done, "{fault:?} at {at}: {answer:?}");
            }
            // Whatever was left, the handle leads to it.
            proxy.arm(Fault::None, 0);
            world.release_uid(&uid).ok();
            assert_eq!(tree::count(&world.etcd).len(), 0, "{fault:?} at {at}");
        }
    }
}

#[test]
fn allocate_interrupted_at_each_step() {
    ipam_everywhere(&[], allocate, 3);
    ipam_everywhere(&["192.168.0.9"], allocate, 3);
}

#[test]
fn reserve_interrupted_at_each_step() {
    ipam_everywhere(&[], reserve, 2);
    ipam_everywhere(&["192.168.5.9"], reserve, 2);
}

/// A release that is interrupted: the agent says it once, and again only if the plugin was killed; in the same
/// way, or by uid where it was by address.
#[test]
fn release_interrupted_at_each_step() {
    for (by_ip, again_by_ip) in [(false, false), (true, true), (true, false)] {
        for fault in FAULTS {
            let Some((world, proxy)) = world() else { return };
            let mut at = 1;
            loop {
                proxy.arm(Fault::None, 0);
                let got = world.allocate("uid-1", 2, 1).ok();
                let families = ["ipv4", "ipv6"].iter();
                let ips: Vec<_> = families.flat_map(|f| got[f].as_array().unwrap()).collect();
                let request = |by_ip| {
                    let args = if by_ip { json!({"ips": ips}) } else { json!({"uid": "uid-1"}) };
                    json!({"command": "release", "args": args})
                };
                let answer = call(&world, &proxy, &request(by_ip), fault, at);
                let seen = proxy.seen();
                proxy.arm(Fault::None, 0);
                if fault == Fault::Kill {
                    world.call(&request(again_by_ip)).ok();
                } else {
                    answer.ok();
                }
                assert_eq!(tree::count(&world.etcd).len(), 0, "{fault:?} at {at}");
                assert!(tree::handles(&world.etcd).is_empty(), "{fault:?} at {at}");
                if seen < at {
                    break;
                }
                at += 1;
            }
            assert!(at > 5, "{at}");
        }
    }
}

#[test]
fn isolate_interrupted_at_each_step() {
    let Some((world, proxy)) = world() else { return };
    let workload = "/calico/v1/host/agent-1/workload/mesos";
    let first = Container::start("first");
    let request =
        isolate_request(&first.id, first.pid(), &["prod"], &["192.168.0.1"], &["fd80::1"]);
    call(&world, &proxy, &request, Fault::None, 0).ok();
    let steps = proxy.seen();
    world.cleanup("first").ok();
    for fault in FAULTS {
        for at in 1..=steps {
            world.etcd.delete("/calico/v1/policy");
            let container = Container::start(&format!("c-{fault:?}-{at}"));
            let request = isolate_request(
                &container.id,
                container.pid(),
                &["prod"],
                &["192.168.0.1"],
                &["fd80::1"],
            );
            let answer = call(&world, &proxy, &request, fault, at);
            if fault != Fault::Kill {
                // Whole: connected and in etcd, or neither.
                let done = answer.json["error"].is_null();
                assert_eq!(cali_interfaces().len(), usize::from(done), "{fault:?} at {at}");
                let key = format!("{workload}/{}", container.id);
                let nodes = world.etcd.node(&format!("{key}/endpoint"));
                let nodes = nodes.map_or(0, |node| node["nodes"].as_array().map_or(0, Vec::len));
                assert_eq!(nodes, usize::from(done), "{fault:?} at {at}: {answer:?}");
            }
            proxy.arm(Fault::None, 0);
            world.cleanup(&container.id).ok();
            assert_eq!(cali_interfaces(), Vec::<String>::new(), "{fault:?} at {at}");
            assert!(world.etcd.node(&format!("{workload}/{}", container.id)).is_none());
            // And the container can be connected after all.
            world.isolate(&container, &["prod"], &["192.168.0.1"], &[]).ok();
            world.cleanup(&container.id).ok();
        }
    }
}

#[test]
fn cleanup_interrupted_at_each_step() {
    let Some((world, proxy)) = world() else { return };
    for fault in FAULTS {
        let mut at = 1;
        loop {
            let container = Container::start("c1");
            proxy.arm(Fault::None, 0);
            let got = world.allocate("uid-1", 1, 0).ok();
            world.isolate(&container, &[], &[got["ipv4"][0].as_str().unwrap()], &[]).ok();
            let request = json!({"command": "cleanup", "args": {
                "hostname": "mesos-name", "container_id": "c1"}});
            let answer = call(&world, &proxy, &request, fault, at);
            let seen = proxy.seen();
            proxy.arm(Fault::None, 0);
            if fault == Fault::Kill {
                world.cleanup("c1").ok();
            } else {
                answer.ok();
            }
            assert_eq!(tree::count(&world.etcd).len(), 0, "{fault:?} at {at}");
            assert!(tree::handles(&world.etcd).is_empty(), "{fault:?} at {at}");
            assert_eq!(cali_interfaces(), Vec::<String>::new(), "{fault:?} at {at}");
            assert!(world.etcd.node("/calico/v1/host/agent-1/workload/mesos/c1").is_none());
            if seen < at {
                break;
            }
            at += 1;
        }
        assert!(at > 4);
    }
}

/// etcd goes away at any step and comes back: what was done until then is taken back when it does, and nothing
/// that the uid had before.
#[test]
fn a_rollback_waits_for_an_etcd_that_is_away() {
    let Some((world, proxy)) = world() else { return };
    let container = Container::start("c1");
    let isolate = isolate_request("c1", container.pid(), &[], &["192.168.0.1"], &[]);
    let reserve = json!({"command": "reserve", "args": {
        "hostname": "mesos-name", "uid": "uid-1", "ipv4_addrs": ["192.168.0.5", "192.168.6.6"]}});
    for request in [allocate("uid-1"), reserve, isolate] {
        // The first time makes blocks and profiles, the second one shows how many steps there are.
        let mut steps = 0;
        for _ in 0..2 {
            world.reserve("uid-1", &["192.168.0.9"]).ok();
            call(&world, &proxy, &request, Fault::None, 0).ok();
            steps = proxy.seen();
            world.release_uid("uid-1").ok();
            world.cleanup("c1").ok();
        }
        world.reserve("uid-1", &["192.168.0.9"]).ok();
        let before = keys(&world);
        for at in 1..=steps {
            proxy.arm(Fault::Away, at);
            let mut child = world.start(&request);
            // More than were under way with the one that was lost. Who has nothing to take back ends without trying to.
            common::wait_for("several tries, or the end", || {
                proxy.seen() > at + 5 || child.try_wait().unwrap().is_some()
            });
            proxy.arm(Fault::None, 0);
            assert!(finish(child).error().contains("etcd cannot be reached"), "{at}: {request}");
            assert_eq!(keys(&world), before, "{at}: {request}");
            assert_eq!(cali_interfaces(), Vec::<String>::new(), "{at}: {request}");
        }
        proxy.arm(Fault::None, 0);
        world.release_uid("uid-1").ok();
    }
}

/// What is in etcd, without folders that are empty.
fn keys(world: &World) -> BTreeMap<String, Value> {
    let mut keys = tree::tree(&world.etcd);
    keys.retain(|_, value| !value.is_null());
    keys
}

/// net-modules asks for them once: an etcd that is being restarted meanwhile must not cost an address.
#[test]
fn release_and_cleanup_wait_for_an_etcd_that_is_away() {
    let Some((world, proxy)) = world() else { return };
    let container = Container::start("c1");
    let got = world.allocate("uid-1", 2, 1).ok();
    let ip = got["ipv4"][0].as_str().unwrap();
    world.isolate(&container, &[], &[ip], &[]).ok();
    let release = json!({"command": "release", "args": {"ips": [ip]}});
    let cleanup = json!({"command": "cleanup", "args": {
        "hostname": "mesos-name", "container_id": "c1"}});
    for request in [release, cleanup, json!({"command": "release", "args": {"uid": "uid-1"}})] {
        proxy.arm(Fault::Away, 1);
        let child = world.start(&request);
        common::wait_for("several tries", || proxy.seen() > 5);
        proxy.arm(Fault::None, 0);
        finish(child).ok();
    }
    assert_eq!(tree::count(&world.etcd).len(), 0);
    assert!(tree::handles(&world.etcd).is_empty());
    assert_eq!(cali_interfaces(), Vec::<String>::new());
    assert!(world.etcd.node("/calico/v1/host/agent-1/workload/mesos/c1").is_none());
}

#[test]
fn an_etcd_that_hangs_is_not_waited_for() {
    let Some(mut world) = common::world() else { return };
    world.set("CALICO_MESOS_CALL_TIMEOUT", "1");
    world.etcd.signal(Signal::SIGSTOP);
    let text = world.allocate("uid-1", 1, 1).error();
    assert!(
        text.contains("etcd cannot be reached") && text.contains("no answer in time"),
        "{text}"
    );
    world.etcd.signal(Signal::SIGCONT);
    world.release_uid("uid-1").ok();
    assert_eq!(tree::count(&world.etcd).len(), 0);
    world.allocate("uid-1", 1, 1).ok();
}

/// A member that has lost the others answers, but with nothing else than that.
#[test]
fn the_next_address_is_used_when_one_has_no_quorum() {
    let Some(mut world) = common::world() else { return };
    let alone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = alone.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in alone.incoming() {
            let mut stream = stream.unwrap();
            let _ = std::io::Read::read(&mut stream, &mut [0; 4096]);
            let body = r#"{"errorCode":300,"message":"Raft Internal Error","cause":"timed out"}"#;
            let head = "HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\nContent-Length:";
            let _ = std::io::Write::write_all(
                &mut stream,
                format!("{head} {}\r\n\r\n{body}", body.len()).as_bytes(),
            );
        }
    });
    world.set("ETCD_AUTHORITY", &format!("{address},127.0.0.1:2379"));
    world.allocate("uid-1", 2, 1).ok();
    assert_eq!(tree::count(&world.etcd).len(), 3);
}

#[test]
fn the_next_address_is_used_when_one_is_dead() {
    let Some(mut world) = common::world() else { return };
    world.set("ETCD_AUTHORITY", "127.0.0.1:1,127.0.0.1:2379");
    world.allocate("uid-1", 1, 0).ok();
    world.set("ETCD_ENDPOINTS", "http://127.0.0.1:1, http://127.0.0.1:2379");
    world.set("ETCD_AUTHORITY", "ignored:1");
    world.allocate("uid-2", 1, 0).ok();

    // A write whose answer is lost on the first address is found out about on the second.
    let proxy = Proxy::start();
    world.set("ETCD_ENDPOINTS", &format!("http://{},http://127.0.0.1:2379", proxy.address));
    proxy.arm(Fault::LoseAnswer, 5);
    world.allocate("uid-3", 1, 0).ok();
    assert_eq!(tree::count(&world.etcd).len(), 3);
}

/// The plugin, waiting for an etcd that has stopped, and its stand-in.
fn waiting(world: &World) -> (Child, Pid, Pid) {
    let child = world.start(&allocate("uid-1"));
    let stand_in = common::stand_in_of(child.id());
    // By then it is past everything that it does at its start.
    common::wait_for_a_socket(child.id());
    let plugin = Pid::from_raw(child.id() as i32);
    (child, plugin, Pid::from_raw(stand_in as i32))
}

#[test]
fn signals_end_in_an_answer() {
    let Some(world) = common::world() else { return };
    world.etcd.signal(Signal::SIGSTOP);
    // Not SIGINT: what a shell starts in the background is deaf to it, tests too.
    for signal in [Signal::SIGTERM, Signal::SIGKILL, Signal::SIGABRT] {
        let (child, plugin, stand_in) = waiting(&world);
        kill(plugin, signal).unwrap();
        let text = finish(child).error();
        assert!(text.starts_with("Unhandled error calico_mesos was killed"), "{text}");
        // One that is sent to both ends only the one that works.
        let (child, plugin, stand_in_too) = waiting(&world);
        assert_ne!(stand_in, stand_in_too);
        if signal == Signal::SIGTERM {
            kill(stand_in_too, signal).unwrap();
        }
        kill(plugin, signal).unwrap();
        assert!(finish(child).error().contains("was killed"));
    }
    world.etcd.signal(Signal::SIGCONT);
    world.release_uid("uid-1").ok();
    assert_eq!(tree::count(&world.etcd).len(), 0);
}

#[test]
fn a_group_that_is_killed_is_answered_for() {
    use std::os::unix::process::CommandExt;
    let Some(world) = common::world() else { return };
    world.etcd.signal(Signal::SIGSTOP);
    let mut command = world.command();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
    let mut child = command.spawn().unwrap();
    let request = allocate("uid-1").to_string();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), request.as_bytes()).unwrap();
    common::wait_for_a_socket(child.id());
    kill(Pid::from_raw(-(child.id() as i32)), Signal::SIGKILL).unwrap();
    assert!(finish(child).error().contains("was killed"));
    world.etcd.signal(Signal::SIGCONT);
    world.release_uid("uid-1").ok();
}

/// A pipe that nobody reads, and a file that may not grow.
#[test]
fn a_log_that_misbehaves_costs_no_answer() {
    let Some(mut world) = common::world() else { return };
    let pipe = world.folder.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    world.set("CALICO_MESOS_LOG_FILE", pipe.to_str().unwrap());
    world.allocate("uid-1", 1, 0).ok();

    let full = world.folder.path().join("full");
    let mut command = world.command();
    let mut limited = std::process::Command::new("prlimit");
    limited.arg("--fsize=0").arg(command.get_program());
    limited.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    limited.env("CALICO_MESOS_LOG_FILE", &full).stdin(Stdio::piped()).stdout(Stdio::piped());
    command = limited;
    let mut child = command.spawn().unwrap();
    let request = allocate("uid-2").to_string();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), request.as_bytes()).unwrap();
    finish(child).ok();
    assert_eq!(fs_err::metadata(full).unwrap().len(), 0);
}

#[test]
fn without_its_stand_in_the_plugin_answers_all_the_same() {
    let Some(world) = common::world() else { return };
    world.etcd.signal(Signal::SIGSTOP);
    let (child, _, stand_in) = waiting(&world);
    kill(stand_in, Signal::SIGKILL).unwrap();
    world.etcd.signal(Signal::SIGCONT);
    finish(child).ok();
    world.release_uid("uid-1").ok();
}

#[test]
fn a_plugin_that_hangs_is_ended() {
    let Some(mut world) = common::world() else { return };
    world.set("CALICO_MESOS_TOTAL_TIMEOUT", "1");
    world.etcd.signal(Signal::SIGSTOP);
    let (child, plugin, _) = waiting(&world);
    kill(plugin, Signal::SIGSTOP).unwrap();
    // One second, and those for a rollback and for the answer itself.
    let text = finish(child).error();
    assert!(text.contains("calico_mesos gave no answer in 8 s"), "{text}");
    assert!(world.log().contains("gave no answer"));
    world.etcd.signal(Signal::SIGCONT);
    world.release_uid("uid-1").ok();
}

#[test]
fn a_closed_stdout_does_not_hang_or_leak() {
    let Some(world) = common::world() else { return };
    let mut command = world.command();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, allocate("uid-1").to_string().as_bytes()).unwrap();
    drop(stdin);
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(world.log().contains("nobody takes the answer"));
    assert_eq!(tree::count(&world.etcd).len(), 0);
    assert!(tree::handles(&world.etcd).is_empty());
}
