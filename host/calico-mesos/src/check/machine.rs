//! What the plugin and Felix need of the machine: namespaces, interfaces, a log, a kernel that forwards packets and
//! has iptables.

use nix::sched::{CloneFlags, unshare};

use super::{agent::Environment, report::Finding};
use crate::{
    error::{Error, Result},
    host, log,
    netns::{Namespace, rtnl::Rtnl},
};

/// Everything about the machine.
pub fn findings(environment: &Environment) -> Vec<Finding> {
    vec![namespaces(), log_file(environment), forwarding(), kernel()]
}

fn namespaces() -> Finding {
    match try_namespace() {
        Ok(()) => Finding::ok("namespaces", "a namespace and a pair of interfaces can be made"),
        Err(error) => Finding::fail(
            "namespaces",
            error.to_string(),
            "run this as root, on a kernel with network namespaces and veth",
        ),
    }
}

/// Makes a namespace and in it a pair of interfaces. Both end with the thread: the host sees nothing.
fn try_namespace() -> Result<()> {
    let failed = |text: String| Error::Namespace(text);
    let inside = move || {
        unshare(CloneFlags::CLONE_NEWNET).map_err(|e| failed(format!("a new namespace: {e}")))?;
        let own = Namespace::of_thread()?;
        Rtnl::open()?.add_veth("cali-check", "eth0", &own)?;
        Ok(())
    };
    let thread = std::thread::Builder::new().spawn(inside).map_err(|e| failed(e.to_string()))?;
    thread.join().unwrap_or_else(|_| Err(failed("the check itself failed".to_owned())))
}

fn log_file(environment: &Environment) -> Finding {
    let path = log::path_from_setting(environment.get("CALICO_MESOS_LOG_FILE"));
    match log::open_file(&path) {
        Ok(_) => Finding::ok("log", path.display().to_string()),
        Err(error) => Finding::warn(
            "log",
            error.to_string(),
            "run this as root; the plugin works without its log, but nobody will know why it fails",
        ),
    }
}

/// Packets to and from containers are forwarded: by the switch itself, and by those of the interfaces to come.
fn forwarding() -> Finding {
    let name = "forwarding";
    let help = "sysctl -w net.ipv4.ip_forward=1, and the same in a file in /etc/sysctl.d that no later one undoes";
    for switch in ["ipv4/ip_forward", "ipv4/conf/default/forwarding"] {
        match is_on(switch) {
            Ok(true) => {}
            Ok(false) => {
                let text =
                    format!("net.{} is 0: no container is reached", switch.replace('/', "."));
                return Finding::fail(name, text, help);
            }
            Err(error) => return Finding::fail(name, error.to_string(), help),
        }
    }
    if host::has_ipv6() && !matches!(is_on("ipv6/conf/all/forwarding"), Ok(true)) {
        let text =
            "net.ipv6.conf.all.forwarding is not 1: no IPv6 address of a container is reached";
        return Finding::warn(
            name,
            text,
            "sysctl -w net.ipv6.conf.all.forwarding=1, and in /etc/sysctl.d",
        );
    }
    Finding::ok(name, "packets are forwarded")
}

fn is_on(switch: &str) -> std::io::Result<bool> {
    Ok(fs_err::read_to_string(format!("/proc/sys/net/{switch}"))?.trim() != "0")
}

/// What Felix needs of the kernel, and cannot load from within its container.
const KERNEL: [&str; 3] = ["ip_tables", "ip6_tables", "xt_set"];

fn kernel() -> Finding {
    let name = "kernel";
    let release = nix::sys::utsname::uname().map(|kernel| kernel.release().to_owned());
    let release = release.unwrap_or_default().to_string_lossy().into_owned();
    let read = |path: String| fs_err::read_to_string(path);
    let loaded = read("/proc/modules".to_owned()).unwrap_or_default();
    let built_in = read(format!("/lib/modules/{release}/modules.builtin")).unwrap_or_default();
    let known = read(format!("/lib/modules/{release}/modules.dep"));
    // A kernel without modules shows no list of them.
    let has_modules = fs_err::exists("/proc/modules").unwrap_or(true);
    let away: Vec<_> = KERNEL.into_iter().filter(|it| !is_there(it, &loaded, &built_in)).collect();
    if away.is_empty() || !has_modules {
        return Finding::ok(name, "nothing that Felix needs has to be loaded first");
    }
    let list = away.join(" ");
    let is_missing = |it: &&&str| known.as_ref().is_ok_and(|known| !is_file_of(known, it));
    if let Some(missing) = away.iter().find(is_missing) {
        let text = format!("this kernel has no {missing}, which Felix needs");
        return Finding::fail(name, text, "boot a kernel of CentOS 7, with its modules");
    }
    let help = format!("modprobe -a {list}, and the names in a file in /etc/modules-load.d");
    Finding::warn(name, format!("not loaded: {list}; Felix may not be able to"), &help)
}

/// Whether a part of the kernel is loaded, or built in.
fn is_there(name: &str, loaded: &str, built_in: &str) -> bool {
    let is_loaded = loaded.lines().any(|line| line.split(' ').next() == Some(name));
    is_loaded || is_file_of(built_in, name)
}

/// Whether a list of modules.builtin's or modules.dep's form has a module.
fn is_file_of(list: &str, name: &str) -> bool {
    let file = |line: &str| {
        let path = line.split(':').next().unwrap_or_default();
        let file = path.rsplit('/').next().unwrap_or_default();
        file.split(".ko").next() == Some(name)
    };
    list.lines().any(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_the_kernel_that_are_loaded_or_built_in() {
        let loaded = "xt_set 18141 0 - Live 0x0\nip_tables 27115 1 xt_set, Live 0x0\n";
        let built_in = "kernel/net/ipv6/netfilter/ip6_tables.ko\n";
        assert!(KERNEL.iter().all(|name| is_there(name, loaded, built_in)));
        assert!(!is_there("xt_set", "ip_set 1 1 xt_set, Live 0x0\n", ""));
        let dependencies = "kernel/net/netfilter/xt_set.ko.xz: kernel/net/ip_set.ko.xz\n";
        assert!(is_file_of(dependencies, "xt_set") && !is_file_of(dependencies, "ip_set"));
    }
}
