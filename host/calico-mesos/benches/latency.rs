//! What the plugin costs, as ratios. Needs root and etcd, else it says so and ends.
//!
//! A round is one `allocate` and one `isolate`, each a process of its own as net-modules starts it: from
//! starting the process to having read its answer, with the log at its default level, and with everything
//! that is no request at all (the processes, the interface, the supervision).
//!
//! It is compared with the same requests to etcd, the very ones that such a round was seen to make: same
//! keys, conditions and values, in the order in which they came. One bare HTTP client makes them, one after
//! the other, in one process that is already running, over one connection that stays open from round to
//! round, and it reads each answer to its end. It does no other work. etcd keeps its data on the disk,
//! with its own sync of each write (a read through the quorum is one too), and is on the same machine, so there
//! is no network whose time would hide that of the plugin.
//!
//! A third line says what is the least that two processes could take: this program started twice for
//! nothing, and the bare client's requests. And a Python process that only imports what the original
//! imported is timed too (`PYTHON` names one that has the modules). Rounds alternate, and the medians count. The
//! containers are there beforehand: while one is made etcd falls asleep, and whoever comes next pays for waking it.
//! Other work on the machine delays processes that start far more than one that runs: measure on a
//! quiet machine; `cargo xtask bench plugin` gives both sides a real-time priority where it may. `PLUGIN` names another
//! build of the program, as for the tests.

#[path = "../tests/common/mod.rs"]
mod common;

use std::{
    collections::HashMap,
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use common::{
    Container, World,
    etcd::url,
    isolate_request,
    proxy::{Fault, Proxy},
};
use serde_json::{Value, json};

const ROUNDS: usize = 60;

/// The limits of the issue.
const RATIO_MAX: f64 = 1.5;
const MEMORY_MAX_KB: u64 = 10_000;
const SIZE_MAX: u64 = 3_000_000;

fn main() -> ExitCode {
    // etcd and the containers end with `world`, so nothing here leaves by `exit`.
    match common::world() {
        Some(world) => measure(world),
        None => {
            println!("not measured: it needs root, etcd and ip");
            ExitCode::SUCCESS
        }
    }
}

fn measure(mut world: World) -> ExitCode {
    world.set("CALICO_MESOS_LOG", "info");
    let script = record(&mut world);
    copy_tree(&world);
    let mut bare = Bare::new(script);
    let (mut plugin_times, mut bare_times) = (Vec::new(), Vec::new());
    let (mut allocate_times, mut isolate_times) = (Vec::new(), Vec::new());
    // They live to the end, too: the kernel takes long to end a namespace, and keeps others from working on
    // theirs meanwhile.
    let containers: Vec<_> = (0..ROUNDS).map(container).collect();
    for (round, container) in containers.iter().enumerate() {
        let [allocated, isolated] = plugin_round(&world, container, round);
        allocate_times.push(allocated);
        isolate_times.push(isolated);
        plugin_times.push(allocated + isolated);
        bare_times.push(bare.round(round));
    }
    let quiet = ratio(fastest(&plugin_times), fastest(&bare_times));
    let (plugin, bare_median) = (median(plugin_times), median(bare_times));
    let ordinary = ratio(plugin, bare_median);
    println!("etcd requests in a round: {}", bare.script.len());
    println!("allocate+isolate, two processes: {plugin:.2?} (median of {ROUNDS})");
    let (allocate, isolate) = (median(allocate_times), median(isolate_times));
    println!("  of these allocate {allocate:.2?}, isolate {isolate:.2?}");
    let empty = median((0..30).map(|_| version_time(&world)).collect());
    println!("  a process that only prints its version: {empty:.2?}");
    println!("the same requests, bare client:  {bare_median:.2?}");
    println!("ratio of the medians: {ordinary:.2} (limit {RATIO_MAX})");
    let least = ratio(bare_median + empty * 2, bare_median);
    println!("ratio of two empty processes and the bare client, for comparison: {least:.2}");
    println!("ratio of the fastest tenths, for comparison: {quiet:.2}");
    let memory = memory_kb(&world);
    println!("memory, both processes of a request together: {memory} kB (limit {MEMORY_MAX_KB})");
    python(plugin);
    let size = fs_err::metadata(common::program()).map_or(0, |file| file.len());
    println!("size of the program: {size} bytes (limit {SIZE_MAX}, for the one that is shipped)");
    let too_large = size > SIZE_MAX && std::env::var_os("PLUGIN").is_some();
    if ordinary > RATIO_MAX || memory > MEMORY_MAX_KB || too_large {
        println!("over the limit");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn allocate_request(uid: &str) -> Value {
    json!({"command": "allocate", "args": {
        "hostname": "mesos-name", "uid": uid, "num_ipv4": 1, "num_ipv6": 0}})
}

fn container(round: usize) -> Container {
    Container::start(&format!("container-{round:04}"))
}

/// One measured round: how long `allocate` and `isolate` took.
fn plugin_round(world: &World, container: &Container, round: usize) -> [Duration; 2] {
    let uid = format!("uid-{round:04}");
    let start = Instant::now();
    let got = world.call(&allocate_request(&uid)).ok();
    let ip = got["ipv4"][0].as_str().unwrap();
    let allocated = start.elapsed();
    world.isolate(container, &["prod"], &[ip], &[]).ok();
    let isolated = start.elapsed() - allocated;
    [allocated, isolated]
}

/// The requests of one ordinary round, after the first one has made block and profiles.
fn record(world: &mut World) -> Vec<Vec<u8>> {
    let first = container(9998);
    plugin_round(world, &first, 9998);
    let proxy = Proxy::start();
    world.set("ETCD_AUTHORITY", &proxy.address.to_string());
    proxy.arm(Fault::None, 0);
    let container = container(9999);
    let got = world.call(&allocate_request("uid-9999")).ok();
    let ip = got["ipv4"][0].as_str().unwrap();
    world.isolate(&container, &["prod"], &[ip], &[]).ok();
    let script = proxy.record();
    world.set("ETCD_AUTHORITY", common::AUTHORITY);
    script
}

/// Copies /calico to /bare-x (a name of the same length is not needed), where the bare client works.
fn copy_tree(world: &World) {
    for (key, value) in common::tree::tree(&world.etcd) {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        if let Some(rest) = key.strip_prefix("/calico/")
            && !value.is_null()
        {
            world.etcd.put(&format!("/bare/{rest}"), &text);
        }
    }
}

/// A client that plays the recorded requests, with the names of its round and the indexes that it
/// has read, so that each compare-and-swap succeeds as the original's did.
struct Bare {
    agent: ureq::Agent,
    script: Vec<Vec<u8>>,
}

impl Bare {
    fn new(script: Vec<Vec<u8>>) -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).build();
        Self { agent: config.into(), script }
    }

    fn round(&mut self, round: usize) -> Duration {
        let requests: Vec<_> = self.script.iter().map(|raw| prepare(raw, round)).collect();
        let mut indexes: HashMap<String, u64> = HashMap::new();
        let start = Instant::now();
        for (method, path, body) in &requests {
            let (key, query) = path.split_once('?').unwrap_or((path, ""));
            if method == "GET" {
                let answer = self.agent.get(format!("{}{}?{query}", url(""), key)).call().unwrap();
                let text = answer.into_body().read_to_string().unwrap();
                let value: Value = serde_json::from_str(&text).unwrap();
                if let Some(index) = value["node"]["modifiedIndex"].as_u64() {
                    indexes.insert(key.to_owned(), index);
                }
                continue;
            }
            let query = match (query.starts_with("prevIndex="), indexes.get(key)) {
                (true, Some(index)) => format!("prevIndex={index}"),
                _ => query.to_owned(),
            };
            let request = self.agent.put(format!("{}{}?{query}", url(""), key));
            let request = request.content_type("application/x-www-form-urlencoded");
            let answer = request.send(body.as_str()).unwrap();
            assert!(answer.status().is_success(), "{method} {key}: {}", answer.status());
            answer.into_body().read_to_string().unwrap();
        }
        start.elapsed()
    }
}

/// A recorded request, moved to the bare tree and to the names of a round.
fn prepare(raw: &[u8], round: usize) -> (String, String, String) {
    let text = String::from_utf8_lossy(raw);
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let line = head.lines().next().unwrap();
    let mut words = line.split(' ');
    let method = words.next().unwrap().to_owned();
    let path = words.next().unwrap().strip_prefix("/v2/keys/calico").unwrap();
    let rename = |text: &str| {
        let number = format!("{round:04}");
        text.replace("uid-9999", &format!("uid-{number}"))
            .replace("container-9999", &format!("container-{number}"))
    };
    (method, rename(&format!("/bare{path}")), rename(body))
}

/// What it costs to start and end the program at all.
fn version_time(world: &World) -> Duration {
    let start = Instant::now();
    world.command().arg("--version").stdout(Stdio::null()).status().unwrap();
    start.elapsed()
}

fn ratio(a: Duration, b: Duration) -> f64 {
    a.as_secs_f64() / b.as_secs_f64()
}

/// The time that a tenth of the rounds stayed below.
fn fastest(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    times[times.len() / 10]
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// The most memory that the two processes of a request had, together, over some rounds of `allocate` and `isolate`.
fn memory_kb(world: &World) -> u64 {
    let rounds = ROUNDS..ROUNDS + 10;
    rounds
        .map(|round| {
            let uid = format!("uid-{round:04}");
            let (allocated, got) = watched(world, &allocate_request(&uid));
            let container = container(round);
            let ips = [got["ipv4"][0].as_str().unwrap()];
            let isolate = isolate_request(&container.id, container.pid(), &["prod"], &ips, &[]);
            let (isolated, _) = watched(world, &isolate);
            allocated.max(isolated)
        })
        .max()
        .unwrap_or_default()
}

/// A request, and the peak of its two processes: asked for again and again until they are gone.
fn watched(world: &World, request: &Value) -> (u64, Value) {
    let child = world.start(request);
    let peak = |pid: u32| {
        let status = fs_err::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().trim_end_matches(" kB").parse::<u64>().ok()
    };
    let children = format!("/proc/{pid}/task/{pid}/children", pid = child.id());
    let (mut own, mut stand_in) = (0, 0);
    // A process that has ended has no memory, until it is waited for.
    while let Some(kb) = peak(child.id()) {
        own = kb.max(own);
        let pids = fs_err::read_to_string(&children).unwrap_or_default();
        let of_children = pids.split_whitespace().filter_map(|pid| peak(pid.parse().ok()?));
        stand_in = of_children.sum::<u64>().max(stand_in);
        // With a real-time priority, who never waits keeps the others from working.
        std::thread::sleep(Duration::from_micros(50));
    }
    assert!(own > 0 && stand_in > 0, "never seen at work");
    (own + stand_in, common::finish(child).ok())
}

/// The floor of the frozen original: one interpreter, its imports, and nothing else. A round needs two.
fn python(plugin: Duration) {
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let import = || {
        let start = Instant::now();
        let status = Command::new(&python)
            .args(["-c", "import etcd, netaddr, json"])
            .stderr(Stdio::null())
            .status();
        status.is_ok_and(|status| status.success()).then(|| start.elapsed())
    };
    let times: Option<Vec<_>> = (0..15).map(|_| import()).collect();
    match times {
        Some(times) => {
            let floor = median(times) * 2;
            println!("Python, two processes that import etcd, netaddr and json: {floor:.2?}");
            println!("ratio: {:.1} times the whole plugin", ratio(floor, plugin));
        }
        None => println!("Python: not compared ({python} lacks python-etcd or netaddr)"),
    }
}
