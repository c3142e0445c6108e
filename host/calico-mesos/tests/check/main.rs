//! `calico_mesos check` on a host that is ready and on hosts that are not.

#[path = "../common/mod.rs"]
mod common;
mod data;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use common::World;
use serde_json::{Value, json};

/// The names of a host that is ready, and a name server that is not there, which takes no time.
const NAMES: &str = "
    echo nameserver 127.0.0.1 >resolv.conf
    echo hosts: files dns >nsswitch.conf
    echo 10.240.0.1 agent-1.example.org agent-1 >hosts";

/// A root of the test's own, in the folder that is the first argument: programs and libraries are the machine's, with the
/// wrapper and an agent beside them; /etc and /calico are new, as packages and an administrator leave them.
const ROOT: &str = r#"
    set -e
    mkdir "$1/root"
    mount -t tmpfs none "$1/root"
    cd "$1/root"
    bring() {
        if [ -L "/$1" ]; then cp -P "/$1" "$1"
        elif [ -d "/$1" ]; then mkdir -p "$1"; mount --rbind "/$1" "$1"; fi
    }
    for part in bin lib lib64 sbin; do bring $part; done
    for part in /usr/*; do case $part in */bin|*/sbin) ;; *) bring "${part#/}" ;; esac; done
    for part in bin sbin; do
        mkdir -p usr/$part usr/machine/$part
        mount --bind /usr/$part usr/machine/$part
        (cd usr/$part && ln -s ../machine/$part/* .)
    done
    mkdir -p dev proc calico opt/net-modules etc/mesos etc/default/mesos-slave.d "./$1"
    mount --rbind /dev dev
    mount --rbind /proc proc
    cp "$2" calico/calico_mesos
    cp "$3" usr/bin/mesos-init-wrapper
    cp "$4/modules.json" calico
    cp "$4/50-calico" etc/default/mesos-slave.d
    printf '%s\n' "$5" >>etc/default/mesos-slave.d/50-calico
    echo zk://10.240.0.9:2181/mesos >etc/mesos/zk
    printf '#!/bin/sh\n' >usr/sbin/mesos-slave
    chmod 755 usr/sbin/mesos-slave
    { printf '\177ELF\002\001\001\000\000\000\000\000\000\000\000\000\003\000\076\000'
      printf 'com_mesosphere_mesos_NetworkIsolator\000com_mesosphere_mesos_NetworkHook\000'
    } >opt/net-modules/libmesos_network_isolator.so
    (cd etc; eval "$6")
    exec chroot . /calico/calico_mesos ${ACTION:-check} $7
"#;

/// The wrapper, which is built where only this package's tests are.
fn wrapper() -> &'static Path {
    static WRAPPER: OnceLock<PathBuf> = OnceLock::new();
    WRAPPER.get_or_init(|| {
        let program =
            Path::new(env!("CARGO_BIN_EXE_calico_mesos")).with_file_name("mesos-init-wrapper");
        if !program.exists() {
            let build = ["build", "--package", "mesos-init-wrapper", "--offline"];
            let target = program.ancestors().nth(2).unwrap();
            let mut cargo = Command::new(env!("CARGO"));
            cargo.args(build).env("CARGO_TARGET_DIR", target);
            assert!(cargo.status().unwrap().success());
        }
        program
    })
}

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
    report(command(world, prepare, "--json"))
}

fn report(mut command: Command) -> Report {
    let output = command.output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| {
        panic!("{e}: {}", String::from_utf8_lossy(&output.stderr));
    });
    let checks = report["checks"].as_array().unwrap().iter();
    let checks = checks.map(|check| (check["name"].as_str().unwrap().to_owned(), check.clone()));
    let status = output.status.code().unwrap();
    assert_eq!(report["ready"], status == 0);
    Report { checks: checks.collect(), status }
}

/// The world's variables are the agent's, not those of the shell that asks.
fn command(world: &World, prepare: &str, format: &str) -> Command {
    let folder = tempfile::tempdir_in(world.folder.path()).unwrap().keep();
    let plugin = world.command();
    let text = |text: &std::ffi::OsStr| text.to_str().unwrap().to_owned();
    let settings: String = plugin
        .get_envs()
        .filter_map(|(name, value)| Some((text(name), text(value?))))
        .filter(|(name, _)| name != "PATH")
        .map(|(name, value)| format!("{name}='{value}'\n"))
        .collect();
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", ROOT, "sh"]).arg(folder);
    command.arg(common::program()).arg(wrapper());
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/package"));
    command.args([&settings, &format!("{NAMES}\n{prepare}"), format]);
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command
}

const ALL: [&str; 17] = [
    "agent",
    "modules",
    "isolation",
    "hooks",
    "settings",
    "authority",
    "hostname",
    "fqdn",
    "address",
    "namespaces",
    "log",
    "forwarding",
    "etcd",
    "etcd-v2",
    "calico-keys",
    "calico-host",
    "pools",
];

#[test]
fn a_host_that_is_ready() {
    let Some(world) = common::world() else { return };
    let report = check(&world);
    assert_eq!(report.statuses(&ALL), ["ok"; 17], "{:?}", report.checks);
    assert_eq!((report.statuses(&["addresses"])[0], report.status), ("ok", 0));
    assert_eq!(report.message("fqdn"), "agent-1.example.org is 10.240.0.1");
    let output = command(&world, "", "").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("ok    etcd         http://127.0.0.1:2379 answers"), "{text}");
    assert!(text.contains("192.168.0.0/16, fd80:24e2:f998:72d6::/64"), "{text}");
    assert_eq!(common::cali_interfaces(), Vec::<String>::new());
}

/// A host that is ready but for what `prepare` makes in /etc: the check that fails, and its message.
fn fails(world: &World, prepare: &str, name: &str, word: &str) {
    let report = check_with(world, prepare);
    let message = report.message(name);
    assert_eq!((report.statuses(&[name])[0], report.status), ("fail", 1), "{prepare}: {message}");
    assert!(message.contains(word), "{prepare}: {message}");
}

#[test]
fn an_agent_that_does_not_use_the_module() {
    let Some(world) = common::world() else { return };
    for (line, name, word) in [
        ("MESOS_ISOLATION=posix/cpu,posix/mem", "isolation", "posix/cpu,posix/mem"),
        ("ISOLATION=cgroups/cpu", "isolation", "cgroups/cpu"),
        ("MESOS_ISOLATION=com_mesosphere_mesos_NetworkHook", "isolation", "does not use"),
        ("MESOS_ISOLATION=com_mesosphere_mesos_NetworkIsolator,other", "isolation", "other"),
        ("MESOS_HOOKS=", "hooks", "not set"),
        ("unset MESOS_HOOKS", "hooks", "not set"),
        ("MESOS_HOOKS=com_mesosphere_mesos_NetworkIsolator", "hooks", "does not use"),
        ("MESOS_HOOKS=com_mesosphere_mesos_NetworkHook,other", "hooks", "other"),
        ("unset MESOS_MODULES", "modules", "no modules"),
        ("MESOS_MODULES=file:///calico/other.json", "modules", "other.json"),
        ("MESOS_CONTAINERIZERS=docker", "agent", "docker"),
        ("MESOS_LAUNCHER=posix", "agent", "posix"),
        ("ISOLATION=com_mesosphere_mesos_NetworkIsolator,posix/cup", "isolation", "posix/cup"),
        ("ISOLATION=com_mesosphere_mesos_NetworkIsolator,cgroups", "isolation", "cgroups"),
        (
            "ISOLATION=com_mesosphere_mesos_NetworkIsolator,network/port_mapping",
            "isolation",
            "which Mesos is built without",
        ),
        ("MESOS_HOOKS=com_mesosphere_mesos_NetworkHook,", "hooks", "names \"\""),
        ("MESOS_CONTAINERIZERS=mesos,dcoker", "agent", "dcoker"),
        ("IP=127.0.0.1", "address", "127.0.0.1"),
        ("MESOS_IP=10.240.0.7", "address", "no address of this host"),
        ("LIBPROCESS_IP=127.0.0.1", "address", "127.0.0.1"),
    ] {
        fails(&world, &format!("echo '{line}' >default/mesos-slave"), name, word);
    }
    let beside = "ISOLATION=com_mesosphere_mesos_NetworkIsolator,posix/cpu,cgroups/mem";
    let report = check_with(&world, &format!("echo '{beside}' >default/mesos-slave"));
    assert_eq!((report.statuses(&["isolation"])[0], report.status), ("ok", 0));
    // A file is a flag, too.
    let file = "mkdir mesos-slave; echo posix/cpu >mesos-slave/isolation";
    fails(&world, file, "isolation", "posix/cpu");
    fails(&world, "echo 127.0.0.1 agent-1 >hosts", "address", "127.0.0.1");
    let report = check_with(&world, "echo zk://localhost:2181/mesos >mesos/zk");
    assert_eq!((report.statuses(&["agent"])[0], report.status), ("warn", 0));
}

#[test]
fn a_configuration_that_the_wrapper_refuses() {
    let Some(world) = common::world() else { return };
    for (prepare, word) in [
        ("rm mesos/zk", "nothing says where the master is"),
        ("echo zk://a/mesos >mesos/zk", "lacks a port"),
        ("echo 'A=(' >default/mesos-slave", "mesos-slave"),
        ("echo exit >default/mesos-slave", "mesos-slave"),
        ("echo 'IP=$NOPE' >default/mesos-slave", "NOPE"),
        ("mkdir mesos-slave; echo x >mesos-slave/no-switch_user", "no-switch_user"),
        ("rm ../usr/sbin/mesos-slave", "/usr/sbin/mesos-slave"),
        ("chmod 644 ../usr/sbin/mesos-slave", "/usr/sbin/mesos-slave"),
        ("rm ../usr/bin/mesos-init-wrapper", "is not there"),
        ("echo 'echo nothing' >../usr/bin/mesos-init-wrapper", "mesos-init-wrapper"),
        (
            r"printf '#!/bin/sh\necho error: --print0 >&2\nexit 64\n' >../usr/bin/mesos-init-wrapper",
            "too old",
        ),
    ] {
        fails(&world, prepare, "agent", word);
    }
    let report = check_with(&world, "rm mesos/zk");
    assert_eq!(report.statuses(&["settings", "etcd", "hooks"]), ["fail", "skip", "skip"]);
}

/// The default address may be that of another cluster.
#[test]
fn repair_does_not_guess_an_address() {
    let Some(world) = common::world() else { return };
    let repair = |prepare: &str| {
        let mut command = command(&world, prepare, "");
        command.env("ACTION", "repair");
        let output = command.output().unwrap();
        (String::from_utf8(output.stdout).unwrap(), output.status.code())
    };
    assert_eq!(repair(""), ("nothing is left to be done\n".to_owned(), Some(0)));
    let (text, status) = repair("rm mesos/zk");
    assert!(text.contains("the agent's settings are not known"), "{text}");
    assert_eq!(status, Some(1));
}

/// What the agent has counts, not what the shell has.
#[test]
fn an_address_that_is_good_in_the_shell_alone() {
    let Some(mut world) = common::world() else { return };
    let in_shell = |world: &World| {
        let mut command = command(world, "", "--json");
        command.env("ETCD_AUTHORITY", common::AUTHORITY);
        report(command)
    };
    assert_eq!(in_shell(&world).statuses(&["settings", "etcd"]), ["ok", "ok"]);
    world.set("ETCD_AUTHORITY", "SET-THE-ETCD-ADDRESS:4001");
    let report = in_shell(&world);
    assert_eq!((report.statuses(&["settings", "etcd"]), report.status), (vec!["warn", "fail"], 1));
    assert!(report.message("etcd").contains("placeholder"));
    assert!(report.message("settings").contains("ETCD_AUTHORITY of this shell"));
    world.set("ETCD_AUTHORITY", "");
    assert_eq!(in_shell(&world).statuses(&["settings", "etcd"]), ["fail", "fail"]);
    // A password arrives, and is not shown.
    world.set("ETCD_ENDPOINTS", "http://root:hunter2@127.0.0.1:2379");
    let report = in_shell(&world);
    assert_eq!(report.statuses(&["etcd"]), ["ok"]);
    assert!(!format!("{:?}", report.checks).contains("hunter2"));
}

#[test]
fn a_kernel_that_forwards_no_packets() {
    let Some(world) = common::world() else { return };
    common::sysctl("net/ipv4/ip_forward", "0");
    fails(&world, "", "forwarding", "net.ipv4.ip_forward is 0");
    common::sysctl("net/ipv4/ip_forward", "1");
    common::sysctl("net/ipv4/conf/default/forwarding", "0");
    fails(&world, "", "forwarding", "net.ipv4.conf.default.forwarding is 0");
}

/// What cannot be asked is not taken for well.
#[test]
fn checks_that_cannot_be_made() {
    let Some(world) = common::world() else { return };
    fails(&world, "rm ../usr/bin/hostname", "fqdn", "hostname is not there");
    fails(&world, "rm ../usr/bin/getent", "address", "getent is not there");
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
    let library = "../opt/net-modules/libmesos_network_isolator.so";
    let edit = |what: &str| format!("sed -i '{what}' ../calico/modules.json");
    for (prepare, word) in [
        ("rm ../calico/modules.json", "/calico/modules.json"),
        ("echo '{,}' >../calico/modules.json", "/calico/modules.json: "),
        (&format!("rm {library}"), "libmesos_network_isolator.so"),
        (&format!("rm {library}; mkdir {library}"), "not a regular file"),
        (&format!(": >{library}"), "no library for x86-64"),
        (&edit("s/NetworkHook/NetworkHooks/"), "no module com_mesosphere_mesos_NetworkHooks"),
        (&edit("s/Isolator\"/Other\"/"), "no module com_mesosphere_mesos_NetworkOther"),
        (&edit("s,/opt/net-modules,/usr/lib64/mesos,"), "/usr/lib64/mesos"),
        (&edit("s,/calico/calico_mesos,/usr/bin/calico_mesos,"), "/usr/bin/calico_mesos"),
        (&edit("s/ipam_command/ipam/"), "ipam_command"),
        (
            "cp ../calico/calico_mesos ../calico/x; chmod 644 ../calico/x
          sed -i s,calico/calico_mesos,calico/x, ../calico/modules.json",
            "cannot be executed",
        ),
    ] {
        fails(&world, prepare, "modules", word);
    }
    // Another program may be meant.
    let other = "cp ../calico/calico_mesos ../calico/x; sed -i s,calico/calico_mesos,calico/x, ../calico/modules.json";
    assert_eq!(check_with(&world, other).statuses(&["modules"]), ["warn"]);

    world.set("CALICO_MESOS_LOG_FILE", "/proc/no-folder/log");
    assert_eq!(check(&world).statuses(&["log"]), ["warn"]);
}

/// The wrapper says what the agent gets.
#[test]
fn the_agents_files_are_read_by_the_wrapper() {
    let Some(world) = common::world() else { return };
    let placeholder = "echo ETCD_AUTHORITY=SET-THE-ETCD-ADDRESS:4001";
    for left in ["50-calico.rpmnew", "50-calico~", "50-calico.rpmsave", "'#50#'", ".50.swp"] {
        let report = check_with(&world, &format!("{placeholder} >default/mesos-slave.d/{left}"));
        assert_eq!(report.statuses(&["settings", "etcd"]), ["ok", "ok"], "{left}");
    }
    fails(&world, &format!("{placeholder} >default/mesos-slave"), "etcd", "placeholder");
    let report = check_with(&world, "echo CALICO_MESOS_LOG_FILE=/calico/log >default/mesos-slave");
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
