//! Host names. The guide of 2015 demands that `hostname` is unique in the cluster, that Calico and Mesos see
//! the same, and that `hostname -f` gives a name under which other hosts reach this one. Names are looked up by
//! programs of the system, as Mesos and Calico look them up: this one knows no NSS.

use std::{net::IpAddr, time::Duration};

use super::{
    agent::Environment,
    command,
    report::{Finding, skipped},
};
use crate::{host, netns::rtnl::Rtnl};

/// Everything about names.
pub fn findings(environment: &Environment) -> Vec<Finding> {
    vec![hostname(), fqdn(), address(environment)]
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

/// Asks a program; the error is a text.
fn ask(program: &str, arguments: &[&str]) -> Result<String, String> {
    let words = format!("{program} {}", arguments.join(" "));
    match command::ask(program, arguments, &[], LOOK_UP) {
        Ok(answer) if answer.success => Ok(answer.text()),
        Ok(answer) => Err(format!("{words} fails: {}", answer.stderr)),
        Err(Some(why)) => Err(format!("no answer from the name servers: {why}")),
        Err(None) => Err(format!("{words} cannot be asked: {program} is not there")),
    }
}

/// All addresses of a name.
fn look_up(name: &str, database: &str) -> Result<Vec<IpAddr>, String> {
    let text =
        ask("getent", &[database, name]).map_err(|why| format!("{name} is not known: {why}"))?;
    let addresses = text.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok());
    Ok(addresses.collect())
}

fn fqdn() -> Finding {
    let name = "fqdn";
    let help = "add ADDRESS FQDN SHORT-NAME to DNS or /etc/hosts, for every host on every host";
    // The command that the guide names, because it is what Mesos' and Calico's guides compare with.
    let fqdn = match ask("hostname", &["-f"]) {
        Ok(fqdn) => fqdn,
        Err(why) => return Finding::fail(name, why, help),
    };
    if !fqdn.contains('.') {
        return Finding::warn(name, format!("hostname -f gives {fqdn}, without a domain"), help);
    }
    match look_up(&fqdn, "ahosts") {
        Err(why) => Finding::fail(name, why, help),
        Ok(addresses) => match addresses.iter().find(|ip| !ip.is_loopback()) {
            Some(ip) => Finding::ok(name, format!("{fqdn} is {ip}")),
            None => Finding::warn(
                name,
                format!("{fqdn} is a loopback address here, so other hosts cannot be told"),
                help,
            ),
        },
    }
}

/// The address under which masters and containers reach the agent: what it is told, else that of the host's name.
fn address(environment: &Environment) -> Finding {
    let name = "address";
    let Some(agent) = environment.agent() else {
        return skipped(name, "the agent has to be able to start first");
    };
    let help = "set IP=ADDRESS in /etc/default/mesos-slave, to this host's own";
    let any = |value: &&str| *value != "0.0.0.0";
    if let Some(advertised) = agent.variable("LIBPROCESS_ADVERTISE_IP") {
        return judge(advertised, "LIBPROCESS_ADVERTISE_IP", false, help);
    }
    if agent.flag("ip_discovery_command").is_some() {
        let text = "the agent asks a command for its address (ip_discovery_command), which is not run here";
        let help = "see that it prints an address of this host that is no loopback address";
        return Finding::warn(name, text, help);
    }
    let told = agent.flag("ip").map(|ip| (ip, "the flag ip"));
    let told = told.or_else(|| Some((agent.variable("LIBPROCESS_IP")?, "LIBPROCESS_IP")));
    if let Some((ip, origin)) = told.filter(|(ip, _)| any(ip)) {
        return judge(ip, origin, true, help);
    }
    let found = host::name().map_err(|error| error.to_string());
    match found.and_then(|host| Ok((look_up(&host, "ahostsv4")?, host))) {
        Ok((addresses, host)) => match addresses.first() {
            Some(ip) => judge(&ip.to_string(), &format!("the name {host}"), true, help),
            None => Finding::fail(name, format!("{host} has no IPv4 address"), help),
        },
        Err(why) => Finding::fail(name, why, help),
    }
}

/// Whether an agent can be reached under an address.
fn judge(text: &str, origin: &str, own: bool, help: &str) -> Finding {
    let failed = |why: &str| {
        let text = format!("{} ({origin}) {why}", text.escape_debug());
        Finding::fail("address", text, help)
    };
    let Ok(ip) = text.parse::<IpAddr>() else { return failed("is no address") };
    if ip.is_loopback() {
        return failed("is reached neither by containers nor by masters on other hosts");
    }
    match Rtnl::open().and_then(|mut rtnl| rtnl.addresses()) {
        Err(error) => failed(&format!("cannot be compared with this host's: {error}")),
        Ok(known) if own && !known.iter().any(|address| address.ip == ip) => {
            failed("is no address of this host")
        }
        Ok(_) => Finding::ok("address", format!("the agent is reached at {ip} ({origin})")),
    }
}
