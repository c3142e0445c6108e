//! Host names. The guide of 2015 demands that `hostname` is unique in the cluster, that Calico and Mesos see
//! the same, and that `hostname -f` gives a name under which other hosts reach this one.

use std::{
    net::{IpAddr, ToSocketAddrs},
    process::Command,
    sync::mpsc,
    time::Duration,
};

use super::report::Finding;
use crate::host;

/// Everything about names.
pub fn findings() -> Vec<Finding> {
    vec![hostname(), fqdn()]
}

fn hostname() -> Finding {
    let name = "hostname";
    let help = "hostnamectl set-hostname NAME, another one for each host";
    match host::name() {
        Ok(host) if host.starts_with("localhost") => {
            Finding::fail(name, format!("{host} is every host's name"), help)
        }
        Ok(host) if host.contains('.') => Finding::warn(
            name,
            format!("{host}: a name with a domain"),
            "that works if Mesos and Calico were started under the same; the short name is safer",
        ),
        Ok(host) => Finding::ok(name, host),
        Err(error) => Finding::fail(name, error.to_string(), help),
    }
}

/// A name server that does not answer is not waited for longer.
const LOOK_UP: Duration = Duration::from_secs(3);

/// Runs `work` on a thread and waits for it no longer than [`LOOK_UP`].
fn in_time<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (sender, receiver) = mpsc::channel();
    std::thread::Builder::new()
        // Nobody may be listening any more.
        .spawn(move || drop(sender.send(work())))
        .ok()?;
    receiver.recv_timeout(LOOK_UP).ok()
}

fn fqdn() -> Finding {
    let name = "fqdn";
    let help = "add ADDRESS FQDN SHORT-NAME to DNS or /etc/hosts, for every host on every host";
    match in_time(move || look_up_fqdn(name, help)) {
        Some(finding) => finding,
        None => Finding::fail(name, "no answer from the name servers", help),
    }
}

fn look_up_fqdn(name: &'static str, help: &str) -> Finding {
    // The command that the guide names, because it is what Mesos' and Calico's guides compare with.
    let output = Command::new("hostname").arg("-f").output();
    let fqdn = match output {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        }
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Finding::fail(name, format!("hostname -f fails: {text}"), help);
        }
        Err(error) => return Finding::skip(name, format!("hostname -f cannot be run: {error}")),
    };
    if !fqdn.contains('.') {
        return Finding::warn(name, format!("hostname -f gives {fqdn}, without a domain"), help);
    }
    let addresses: Vec<IpAddr> = match (fqdn.as_str(), 0).to_socket_addrs() {
        Ok(addresses) => addresses.map(|address| address.ip()).collect(),
        Err(error) => return Finding::fail(name, format!("{fqdn} is not known: {error}"), help),
    };
    match addresses.iter().find(|ip| !ip.is_loopback()) {
        Some(ip) => Finding::ok(name, format!("{fqdn} is {ip}")),
        None => Finding::warn(
            name,
            format!("{fqdn} is a loopback address here, so other hosts cannot be told"),
            help,
        ),
    }
}
