//! `calico_mesos check` on a host that is ready and on hosts that are not.

mod common;

use std::{collections::BTreeMap, process::Command};

use common::World;
use serde_json::Value;

/// The names of a host that is ready, and a name server that is not there, which takes no time.
const NAMES: &str = "
    echo nameserver 127.0.0.1 >resolv.conf
    echo hosts: files dns >nsswitch.conf
    echo 10.240.0.1 agent-1.example.org agent-1 >hosts";

/// A root of the test's own, in the folder that is the first argument: programs and libraries are the machine's, /etc
/// and /calico are new.
const ROOT: &str = r#"
    set -e
    mkdir "$1/root"
    mount -t tmpfs none "$1/root"
    cd "$1/root"
    for part in bin lib lib64 sbin usr; do
        if [ -L "/$part" ]; then cp -P "/$part" .
        elif [ -d "/$part" ]; then mkdir "$part"; mount --rbind "/$part" "$part"; fi
    done
    mkdir -p dev proc calico etc/default/mesos-slave.d "./$1"
    mount --rbind /dev dev
    mount --rbind /proc proc
    cp "$2" calico/calico_mesos
    (cd etc; eval "$3")
    exec chroot . /calico/calico_mesos check $4
"#;

/// What one run of `check` said.
struct Report {
    checks: BTreeMap<String, Value>,
    status: i32,
}

impl Report {
    fn statuses(&self, names: &[&str]) -> Vec<&str> {
        names.iter().map(|name| self.checks[*name]["status"].as_str().unwrap()).collect()
    }

    fn message(&self, name: &str) -> &str {
        self.checks[name]["message"].as_str().unwrap()
    }
}

fn check(world: &World) -> Report {
    check_with(world, "")
}

/// Runs it as `world` has it, with what `prepare` makes in /etc.
fn check_with(world: &World, prepare: &str) -> Report {
    let output = command(world, prepare, "--json").output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| {
        panic!("{e}: {}", String::from_utf8_lossy(&output.stderr));
    });
    let checks = report["checks"].as_array().unwrap().iter();
    let checks = checks.map(|check| (check["name"].as_str().unwrap().to_owned(), check.clone()));
    let status = output.status.code().unwrap();
    assert_eq!(report["ready"], status == 0);
    Report { checks: checks.collect(), status }
}

fn command(world: &World, prepare: &str, format: &str) -> Command {
    let folder = tempfile::tempdir_in(world.folder.path()).unwrap().keep();
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", ROOT, "sh"]).arg(folder).arg(common::program());
    command.args([&format!("{NAMES}\n{prepare}"), format]).env_clear();
    let plugin = world.command();
    command.envs(plugin.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command
}

const ALL: [&str; 11] = [
    "settings",
    "hostname",
    "fqdn",
    "namespaces",
    "log",
    "modules",
    "etcd",
    "etcd-v2",
    "calico-keys",
    "calico-host",
    "pools",
];

/// A modules.json and the files that it names.
fn installed() -> String {
    let json = concat!(env!("CARGO_MANIFEST_DIR"), "/package/modules.json");
    let library = "../opt/net-modules/libmesos_network_isolator.so";
    format!("cp {json} ../calico; mkdir -p ../opt/net-modules; touch {library}")
}

#[test]
fn a_host_that_is_ready() {
    let Some(world) = common::world() else { return };
    let report = check_with(&world, &installed());
    assert_eq!(report.statuses(&ALL), ["ok"; 11], "{:?}", report.checks);
    assert_eq!(report.message("fqdn"), "agent-1.example.org is 10.240.0.1");
    let output = command(&world, &installed(), "").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("ok    etcd         http://127.0.0.1:2379 answers"), "{text}");
    assert!(text.contains("192.168.0.0/16, fd80:24e2:f998:72d6::/64"), "{text}");
    assert_eq!(common::cali_interfaces(), Vec::<String>::new());
}

#[test]
fn an_etcd_without_calicos_data() {
    let Some(world) = common::empty_world() else { return };
    let report = check(&world);
    let got = report.statuses(&["etcd", "etcd-v2", "calico-keys", "calico-host", "pools"]);
    assert_eq!(got, ["ok", "ok", "fail", "fail", "fail"]);
}

#[test]
fn an_address_that_is_missing_or_wrong() {
    let Some(mut world) = common::world() else { return };
    world.set("ETCD_AUTHORITY", "SET-THE-ETCD-ADDRESS:4001");
    let report = check(&world);
    assert_eq!(report.status, 1);
    assert!(report.message("etcd").contains("placeholder"));
    assert_eq!(report.statuses(&["pools"]), ["skip"]);
    world.set("ETCD_AUTHORITY", "127.0.0.1:1");
    let report = check(&world);
    assert_eq!(report.statuses(&["settings", "etcd", "etcd-v2"]), ["ok", "fail", "skip"]);
    assert!(report.message("etcd").contains("Is the address in ETCD_AUTHORITY"));
    world.etcd.stop();
    world.set("ETCD_AUTHORITY", "");
    let report = check(&world);
    assert_eq!(report.statuses(&["settings"]), ["fail"]);
    assert!(report.message("etcd").contains("ETCD_AUTHORITY is not set"));
}

#[test]
fn names_that_other_hosts_could_not_use() {
    let Some(world) = common::world() else { return };
    let fqdn = |hosts: &str| {
        let report = check_with(&world, &format!("echo '{hosts}' >hosts"));
        format!("{} {}", report.statuses(&["fqdn"])[0], report.message("fqdn"))
    };
    assert!(fqdn("10.240.0.1 agent-1").starts_with("warn hostname -f gives agent-1, without"));
    let loopback = fqdn("127.0.1.1 agent-1.example.org agent-1");
    assert!(loopback.starts_with("warn agent-1.example.org is a loopback address"), "{loopback}");
    let unknown = fqdn("");
    assert!(unknown.starts_with("fail hostname -f fails: "), "{unknown}");
    for (name, status) in [("localhost", "fail"), ("agent-1.example.org", "warn")] {
        nix::unistd::sethostname(name).unwrap();
        assert_eq!(check(&world).statuses(&["hostname"]), [status], "{name}");
    }
}

#[test]
fn files_that_are_missing_or_broken() {
    let Some(mut world) = common::world() else { return };
    let modules = |prepare: &str| {
        let report = check_with(&world, prepare);
        format!("{} {}", report.statuses(&["modules"])[0], report.message("modules"))
    };
    let missing = modules("");
    assert!(missing.starts_with("warn ") && missing.contains("/calico/modules.json"), "{missing}");
    let broken = modules("echo '{,}' >../calico/modules.json");
    assert!(broken.starts_with("fail /calico/modules.json: "), "{broken}");
    let library = modules(&format!("{}; rm -r ../opt", installed()));
    assert!(library.contains("libmesos_network_isolator.so, which does not exist"), "{library}");

    world.set("CALICO_MESOS_LOG_FILE", "/proc/no-folder/log");
    assert_eq!(check(&world).statuses(&["log"]), ["warn"]);
}

/// The agent's files are read as the wrapper reads them.
#[test]
fn the_agents_files_are_read_as_by_the_wrapper() {
    let Some(mut world) = common::world() else { return };
    world.set("ETCD_AUTHORITY", "");
    world.set("CALICO_MESOS_LOG_FILE", "");
    let with_files = |make: &str| check_with(&world, &format!("cd default/mesos-slave.d; {make}"));
    let good = "echo ETCD_AUTHORITY=127.0.0.1:2379 >50-calico";
    let placeholder = "echo ETCD_AUTHORITY=SET-THE-ETCD-ADDRESS:4001";
    for left in ["50-calico.rpmnew", "50-calico~", "50-calico.rpmsave", "'#50#'", ".50.swp"] {
        let report = with_files(&format!("{good}; {placeholder} >{left}"));
        assert_eq!(report.statuses(&["settings", "etcd"]), ["ok", "ok"], "{left}");
    }
    for broken in ["echo 'A=(' >../mesos-slave", "echo exit >../mesos-slave"] {
        let report = with_files(&format!("{good}; {broken}"));
        assert_eq!(report.statuses(&["settings"]), ["fail"], "{broken}");
        assert!(report.message("settings").contains("to the end"), "{broken}");
    }
    let report = with_files(&format!("{good}; echo CALICO_MESOS_LOG_FILE=/calico/log >>50-calico"));
    assert_eq!(report.message("log"), "/calico/log");
}

#[test]
fn two_hosts_with_one_name() {
    let Some(world) = common::world() else { return };
    world.etcd.put("/calico/bgp/v1/host/agent-1/ip_addr_v4", "10.240.0.77");
    let report = check(&world);
    assert_eq!(report.statuses(&["calico-host"]), ["fail"]);
    assert!(report.message("calico-host").contains("10.240.0.77"));
}

/// calicoctl and calico-node read the same variable, and take one address.
#[test]
fn an_authority_that_calicoctl_does_not_take() {
    let Some(mut world) = common::world() else { return };
    assert_eq!(check(&world).statuses(&["authority"]), ["ok"]);
    world.set("ETCD_AUTHORITY", "127.0.0.1:2379,127.0.0.1:1");
    let report = check(&world);
    assert_eq!(report.statuses(&["authority", "etcd"]), ["warn", "ok"]);
    assert!(report.message("authority").contains("calicoctl and calico-node take one"));
    // Several for this program alone.
    world.set("ETCD_ENDPOINTS", "http://127.0.0.1:1,http://127.0.0.1:2379");
    world.set("ETCD_AUTHORITY", "127.0.0.1:2379");
    assert_eq!(check(&world).statuses(&["authority", "etcd"]), ["ok", "ok"]);
    // Unset, calicoctl uses an address of its own.
    world.set("ETCD_AUTHORITY", "");
    let report = check(&world);
    assert_eq!(report.statuses(&["authority"]), ["warn"]);
    assert!(report.message("authority").contains("127.0.0.1:4001"));
}
