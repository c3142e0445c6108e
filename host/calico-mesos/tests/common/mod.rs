//! The world in which the tests run the plugin: a fresh network namespace that stands for the host (the test's
//! own thread is moved into it, so everything that it starts is in there too), a host name of its own,
//! a real etcd on that namespace's loopback, and containers that are processes in namespaces of
//! their own. The machine's own interfaces, name and ports are never touched.
//!
//! `ip` is used to look at what the plugin made, so that its netlink code is not its own judge.

#![allow(dead_code, reason = "each test file uses its part of this")]

pub mod etcd;
pub mod felix;
pub mod proxy;
#[path = "../../../../tests/support/skip.rs"]
mod skip;
pub mod tree;

use std::{
    io::{Read, Write},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use calico_plugin::netns::Namespace;
use nix::{
    sched::{CloneFlags, unshare},
    unistd::sethostname,
};
use serde_json::{Value, json};

/// The host's name, and its Calico address on `uplink`.
pub const HOST: &str = "agent-1";
pub const HOST_IP: &str = "10.240.0.1";
pub const HOST_IP6: &str = "fd00:240::1";
pub const AUTHORITY: &str = "127.0.0.1:2379";

/// The program: the one that was built with the tests, or, to try a packaged one, what `PLUGIN` names.
pub fn program() -> PathBuf {
    std::env::var_os("PLUGIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_calico_mesos").into()).into()
}

/// A host with an etcd.
pub struct World {
    pub etcd: etcd::Etcd,
    pub folder: tempfile::TempDir,
    environment: Vec<(String, String)>,
}

/// Makes a world, or notes why not.
pub fn world() -> Option<World> {
    let world = empty_world()?;
    world.etcd.seed();
    Some(world)
}

/// A world whose etcd has no data.
pub fn empty_world() -> Option<World> {
    if !host_namespace() {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let etcd = etcd::Etcd::start(folder.path());
    let log = folder.path().join("log/isolator.log");
    let environment = vec![
        ("ETCD_AUTHORITY".to_owned(), AUTHORITY.to_owned()),
        ("CALICO_MESOS_LOG".to_owned(), "debug".to_owned()),
        ("CALICO_MESOS_LOG_FILE".to_owned(), log.to_str().unwrap().to_owned()),
    ];
    Some(World { etcd, folder, environment })
}

/// Moves the calling thread into a namespace that looks like a host; false where that cannot be.
pub fn host_namespace() -> bool {
    let test = std::thread::current().name().unwrap_or_default().to_owned();
    if !skip::have_as_root(
        &format!("calico_mesos: {test}"),
        &["etcd", "ip", "unshare", "mount", "hostname"],
    ) {
        return false;
    }
    unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWUTS).unwrap();
    sethostname(HOST).unwrap();
    ip(&["link", "set", "lo", "up"]);
    ip(&["link", "add", "uplink", "type", "veth", "peer", "name", "wire"]);
    ip(&["addr", "add", &format!("{HOST_IP}/24"), "dev", "uplink"]);
    ip(&["addr", "add", &format!("{HOST_IP6}/64"), "dev", "uplink", "nodad"]);
    ip(&["link", "set", "uplink", "up"]);
    ip(&["link", "set", "wire", "up"]);
    // The kernel's proxy ARP answers for addresses that it has a route to.
    ip(&["route", "add", "default", "via", "10.240.0.254", "dev", "uplink"]);
    sysctl("net/ipv4/ip_forward", "1");
    sysctl("net/ipv6/conf/all/forwarding", "1");
    true
}

/// Runs `ip` and returns what it prints.
pub fn ip(args: &[&str]) -> String {
    let output = Command::new("ip").args(args).output().expect("ip (Debian: iproute2)");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {args:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs `ip -j` and returns its JSON.
pub fn ip_json(args: &[&str]) -> Value {
    let mut all = vec!["-j"];
    all.extend(args);
    let text = ip(&all);
    if text.trim().is_empty() { json!([]) } else { serde_json::from_str(&text).unwrap() }
}

pub fn sysctl(name: &str, value: &str) {
    fs_err::write(format!("/proc/sys/{name}"), value).unwrap();
}

/// The interfaces of this host whose names begin with `cali`.
pub fn cali_interfaces() -> Vec<String> {
    let links = ip_json(&["link"]);
    let names = links.as_array().unwrap().iter().map(|link| link["ifname"].as_str().unwrap());
    names.filter(|name| name.starts_with("cali")).map(str::to_owned).collect()
}

/// Waits for a condition, up to a time that no working machine needs.
pub fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !done() {
        assert!(Instant::now() < end, "{what}: not in 30 s");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What the plugin answered.
#[derive(Debug)]
pub struct Answer {
    pub json: Value,
    pub status: ExitStatus,
}

impl Answer {
    /// The answer of a request that must have succeeded.
    pub fn ok(self) -> Value {
        assert!(self.json["error"].is_null() && self.status.success(), "{self:?}");
        self.json
    }

    /// The text of a failure. The plugin says so with its exit status, if it was there to do so.
    pub fn error(self) -> String {
        assert!(matches!(self.status.code(), Some(1) | None), "{self:?}");
        self.json["error"].as_str().unwrap_or_else(|| panic!("{self:?}")).to_owned()
    }
}

impl World {
    /// Sets a variable for the plugin.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// The plugin's command.
    pub fn command(&self) -> Command {
        let mut command = Command::new(program());
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Calls the plugin as net-modules does (facts 1.8): argv[0] alone, one document on stdin, which then
    /// ends; waits for the exit before it reads stdout; never reads stderr; does not care for
    /// the exit status.
    pub fn call(&self, request: &Value) -> Answer {
        finish(self.start(request))
    }

    /// Starts the plugin and hands over the request.
    pub fn start(&self, request: &Value) -> Child {
        let mut command = self.command();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(request.to_string().as_bytes()).unwrap();
        child
    }

    pub fn allocate(&self, uid: &str, v4: usize, v6: usize) -> Answer {
        self.call(&json!({"command": "allocate", "args": {
            "hostname": "mesos-name", "uid": uid, "num_ipv4": v4, "num_ipv6": v6}}))
    }

    pub fn reserve(&self, uid: &str, v4: &[&str]) -> Answer {
        self.call(&json!({"command": "reserve", "args": {
            "hostname": "mesos-name", "uid": uid, "ipv4_addrs": v4}}))
    }

    pub fn release_uid(&self, uid: &str) -> Answer {
        self.call(&json!({"command": "release", "args": {"uid": uid}}))
    }

    pub fn release_ips(&self, ips: &[&str]) -> Answer {
        self.call(&json!({"command": "release", "args": {"ips": ips}}))
    }

    pub fn isolate(
        &self,
        container: &Container,
        groups: &[&str],
        v4: &[&str],
        v6: &[&str],
    ) -> Answer {
        self.call(&isolate_request(&container.id, container.pid(), groups, v4, v6))
    }

    pub fn cleanup(&self, container_id: &str) -> Answer {
        self.call(&json!({"command": "cleanup", "args": {
            "hostname": "mesos-name", "container_id": container_id}}))
    }

    pub fn log_path(&self) -> PathBuf {
        self.folder.path().join("log/isolator.log")
    }

    pub fn log(&self) -> String {
        fs_err::read_to_string(self.log_path()).unwrap_or_default()
    }
}

pub fn isolate_request(id: &str, pid: u32, groups: &[&str], v4: &[&str], v6: &[&str]) -> Value {
    json!({"command": "isolate", "args": {
        "hostname": "mesos-name", "container_id": id, "pid": pid,
        "ipv4_addrs": v4, "ipv6_addrs": v6, "netgroups": groups,
        "labels": [{"key": "rack", "value": "3A"}]}})
}

/// Waits for the exit, then reads stdout.
pub fn finish(mut child: Child) -> Answer {
    let status = child.wait().unwrap();
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert!(text.len() < 64 * 1024);
    let json = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text:?}"));
    Answer { json, status }
}

/// The process that would answer in the place of the plugin.
pub fn stand_in_of(plugin: u32) -> u32 {
    let path = format!("/proc/{plugin}/task/{plugin}/children");
    let mut stand_in = None;
    wait_for("the stand-in", || {
        let text = fs_err::read_to_string(&path).unwrap();
        stand_in = text.split_whitespace().next().map(|pid| pid.parse().unwrap());
        stand_in.is_some()
    });
    stand_in.unwrap()
}

/// Waits until a process has a connection, or begins to make one.
pub fn wait_for_a_socket(pid: u32) {
    wait_for("a connection", || {
        let files = fs_err::read_dir(format!("/proc/{pid}/fd")).unwrap();
        files.filter_map(Result::ok).any(|file| {
            fs_err::read_link(file.path())
                .is_ok_and(|to| to.to_string_lossy().starts_with("socket:"))
        })
    });
}

/// A process in a network namespace of its own.
pub struct Container {
    pub id: String,
    process: Child,
}

impl Container {
    pub fn start(id: &str) -> Self {
        // The thread's namespace is the child's, and the thread is gone afterwards.
        let start = || {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            Command::new("sleep").arg("3600").spawn().unwrap()
        };
        let process = std::thread::scope(|scope| scope.spawn(start).join().unwrap());
        Self { id: id.to_owned(), process }
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Runs `work` in the container's namespace, on a thread of its own.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let inside = || {
            Namespace::of_process(self.pid()).unwrap().enter().unwrap();
            work()
        };
        std::thread::scope(|scope| scope.spawn(inside).join().unwrap())
    }

    /// Ends the process, and with it the namespace.
    pub fn end(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Sends a line from one container to another and back, over TCP.
pub fn talk(from: &Container, to: &Container, address: IpAddr) {
    let listener = to.run(|| TcpListener::bind(SocketAddr::new(address, 7777)).unwrap());
    let server = std::thread::spawn(move || {
        let (mut stream, peer) = listener.accept().unwrap();
        let mut text = [0; 4];
        stream.read_exact(&mut text).unwrap();
        stream.write_all(&text).unwrap();
        peer
    });
    let echoed = from.run(|| {
        let limit = Duration::from_secs(20);
        let mut stream = TcpStream::connect_timeout(&SocketAddr::new(address, 7777), limit)?;
        stream.set_read_timeout(Some(limit))?;
        stream.write_all(b"ping")?;
        let mut text = [0; 4];
        stream.read_exact(&mut text)?;
        std::io::Result::Ok(text)
    });
    assert_eq!(&echoed.unwrap_or_else(|e| panic!("to {address}: {e}")), b"ping");
    server.join().unwrap();
}
