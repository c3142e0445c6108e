//! Engines that do not see this machine's folders: podman and docker behind an address. And docker
//! itself, here: a real one, unpacked from Debian's packages without installing it.

use std::{
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use super::{
    stopped::started,
    yard::{MAKE, Yard, have, podman, units},
};
use crate::support;

/// A service behind an address of this machine, stopped with the value.
struct Service {
    child: Child,
    address: String,
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Service {
    fn start(command: &mut Command, port: u16) -> Self {
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let own = Self { child, address: format!("tcp://127.0.0.1:{port}") };
        // It says nothing when it is ready; it can only be tried.
        let tried = (0..600).any(|_| {
            std::thread::sleep(Duration::from_millis(100));
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        assert!(tried, "no service came up");
        own
    }

    fn podman() -> Self {
        let port = free_port();
        let address = format!("tcp:127.0.0.1:{port}");
        Self::start(&mut podman(&["system", "service", "--time", "0", &address]), port)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        support::run(Command::new("kill").arg(self.child.id().to_string()));
        self.child.wait().unwrap();
    }
}

/// The RPM, and what the build left in the way of links, modes and times.
fn outcome(yard: &Yard) -> (Vec<u8>, String) {
    let rpm = fs_err::read(yard.checkout.path("dist/el7/tiny-1.0-1.el7.x86_64.rpm")).unwrap();
    let list = "find . -printf '%p %y %m %l %U:%G\\n' | sort; find . -newermt 2001-01-01 -name old";
    let mut find = Command::new("sh");
    (rpm, support::ok(find.args(["-c", list]).current_dir(yard.result("build"))))
}

/// A build that makes what is hard to carry over: links, an old file, one for its owner alone.
const ODD: (&str, &str) = (
    "odd",
    "cp -a $SRC odd; ln -s odd/old link; touch -d 2000-01-01 odd/old; ln odd/old hard; \
     printf x > private; chmod 600 private; mkdir closed; chmod 700 closed; touch closed/in",
);

fn yard() -> Yard {
    let yard = Yard::new(&[MAKE[0], MAKE[1], ODD]);
    units(&yard, 3);
    yard.checkout.write("specs/tiny/src/sub/own", "own\n");
    yard
}

#[test]
fn a_remote_podman_gives_the_same_and_keeps_only_its_ccache() {
    if !have("remote podman", &["find"]) {
        return;
    }
    let (here, there) = (yard(), yard());
    // An image of its own has a ccache of its own, which no other test counts in.
    for yard in [&here, &there] {
        yard.own_image();
    }
    here.ok(&["rpm"]);
    let service = Service::podman();
    let host = ("CONTAINER_HOST", service.address.as_str());
    let said = support::ok(there.xtask(&["doctor"]).env(host.0, host.1));
    assert!(said.contains("files are copied to it"), "{said}");
    support::ok(there.xtask(&["rpm"]).env(host.0, host.1));
    assert!(outcome(&here) == outcome(&there), "{:?}", (outcome(&here).1, outcome(&there).1));
    assert!(!there.checkout.path("shared/ccache").exists(), "its cache is over there");
    // Again, and only what changed is compiled.
    there.checkout.write("specs/tiny/src/u1.cpp", "int f1() { return 1; }\n");
    let text = support::ok(there.xtask(&["rpm", "--json"]).env(host.0, host.1));
    assert!(text.contains("ccache had 3 of 4 objects"), "{text}");
    let volumes = || support::ok(&mut podman(&["volume", "ls", "--format", "{{.Name}}"]));
    // Other tests have volumes of theirs meanwhile.
    let log = fs_err::read_to_string(there.checkout.path("target/xtask/logs/compile-tiny.log"));
    let log = log.unwrap();
    let own = log.split_whitespace().find(|w| w.starts_with("mesos-calico-")).unwrap();
    let left = volumes();
    assert!(!left.lines().any(|volume| volume.starts_with(own)), "{own}: {left}");
    let key = log.split("mesos-calico-builder-test:").nth(1).unwrap();
    let cache = format!("mesos-calico-ccache-{}", &key[..12]);
    support::ok(&mut podman(&["volume", "rm", &cache]));
}

#[test]
fn a_stopped_or_killed_run_leaves_nothing_behind_an_address() {
    if !have("remote podman, stopped", &["kill"]) {
        return;
    }
    let yard = yard();
    yard.spec("tiny", "", &[("make", "echo standing; mkfifo still; cat still")]);
    let service = Service::podman();
    let host = ("CONTAINER_HOST", service.address.as_str());
    // The containers and volumes of this checkout's run, by their names.
    let there = |name: &str| {
        let volumes = support::ok(&mut podman(&["volume", "ls", "--format", "{{.Name}}"]));
        let containers = support::ok(&mut podman(&["ps", "--all", "--format", "{{.Names}}"]));
        volumes.matches(name).count() + containers.matches(name).count()
    };
    for signal in ["-INT", "-KILL"] {
        let mut run = started(&yard, &[host], "standing");
        let name = yard.names().pop().unwrap();
        assert_eq!(there(&name), 4, "a container, and volumes for build, stage and source");
        support::ok(Command::new("kill").args([signal, &run.id().to_string()]));
        run.wait().unwrap();
        if signal == "-KILL" {
            assert_eq!(there(&name), 4);
            yard.spec("tiny", "", &MAKE);
            support::ok(yard.xtask(&["rpm"]).env(host.0, host.1));
        }
        assert_eq!(there(&name), 0, "after {signal}");
    }
}

/// Debian's docker, unpacked where nothing of the machine's is touched.
fn docker_folder() -> PathBuf {
    let dir = support::scratch_root().join("docker");
    let made = dir.join("root");
    if !made.exists() {
        let unpack = "rm -rf new; mkdir -p new && cd new && apt-get download -q docker.io containerd && \
                      for deb in *.deb; do dpkg -x $deb root; done && mv root ..";
        fs_err::create_dir_all(&dir).unwrap();
        support::ok(Command::new("sh").args(["-euc", unpack]).current_dir(&dir));
    }
    dir
}

fn with_docker(root: &Path) -> std::ffi::OsString {
    let own = ["usr/sbin", "usr/bin"].map(|d| root.join("root").join(d));
    let rest = std::env::var_os("PATH").unwrap();
    std::env::join_paths(own.into_iter().chain(std::env::split_paths(&rest))).unwrap()
}

#[test]
fn docker_gives_the_same_here_and_behind_an_address() {
    if !have("docker", &["dpkg", "find"]) {
        return;
    }
    let here = yard();
    here.ok(&["rpm"]);
    let (dir, run) = (docker_folder(), tempfile::tempdir().unwrap());
    let (path, socket) = (with_docker(&dir), format!("unix://{}/socket", run.path().display()));
    let port = free_port();
    fs_err::write(run.path().join("none.json"), "{}").unwrap();
    let mut dockerd = Command::new("dockerd");
    dockerd.env("PATH", &path).args(["--iptables=false", "--bridge=none", "--data-root"]);
    dockerd.arg(dir.join("data")).arg("--exec-root").arg(run.path().join("exec"));
    dockerd.arg("--pidfile").arg(run.path().join("pid"));
    dockerd.arg("--config-file").arg(run.path().join("none.json"));
    dockerd.args(["--host", &socket, "--host", &format!("tcp://127.0.0.1:{port}")]);
    let service = Service::start(&mut dockerd, port);

    for host in [&socket, &service.address] {
        let there = yard();
        let mut rpm = there.xtask(&["rpm", "--builder", "docker"]);
        support::ok(rpm.env("PATH", &path).env("DOCKER_HOST", host));
        assert!(outcome(&here) == outcome(&there), "{:?}", (outcome(&here).1, outcome(&there).1));
        // Stopped, it leaves nothing.
        there.spec("tiny", "", &[("make", "echo standing; mkfifo still; cat still")]);
        let env = [("PATH", path.to_str().unwrap()), ("DOCKER_HOST", host.as_str())];
        let stopped = started(&there, &env, "standing");
        support::ok(Command::new("kill").args(["-INT", &stopped.id().to_string()]));
        assert_eq!(stopped.wait_with_output().unwrap().status.code(), Some(130));
    }
    let list = |what: &[&str]| {
        let mut docker = Command::new("docker");
        support::ok(docker.args(what).env("PATH", &path).env("DOCKER_HOST", &socket))
    };
    assert_eq!(list(&["ps", "--all", "--quiet"]), "");
    let volumes = list(&["volume", "ls", "--quiet"]);
    assert!(volumes.lines().all(|v| v.contains("-ccache-")), "{volumes}");
}
