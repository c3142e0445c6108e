//! What Calico's data say of hosts: this one has to be there with addresses that are its own, and no two may have
//! the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use serde_json::Value;

use super::report::Finding;
use crate::{
    error::Result, etcd::Client, host, ipam::cidr::Cidr, netns::rtnl::Rtnl, profile, survey,
};

const START_NODE: &str =
    "start calico-node on this host (systemctl start calico-node), under this host name";

/// The keys of a host's addresses: those that Felix reads, those that BIRD reads.
const KEYS: [(&str, &str); 4] = [
    ("/calico/v1/host", "bird_ip"),
    ("/calico/v1/host", "bird6_ip"),
    ("/calico/bgp/v1/host", "ip_addr_v4"),
    ("/calico/bgp/v1/host", "ip_addr_v6"),
];

/// An address of a host in Calico's data.
#[derive(Clone, Debug)]
pub struct HostAddress {
    /// The host.
    pub host: String,
    key: &'static str,
    value: String,
}

impl HostAddress {
    /// The address; none where the value is no address.
    pub fn ip(&self) -> Option<IpAddr> {
        self.value.parse().ok()
    }
}

/// All addresses of all hosts. Empty values mean that there is none.
pub fn read(client: &Client) -> Result<Vec<HostAddress>> {
    let mut keys = Vec::new();
    for (folder, name) in KEYS {
        for host in client.names(folder)? {
            let key = format!("{folder}/{host}/{name}");
            keys.push(((host, name), key));
        }
    }
    let mut found = Vec::new();
    survey::read_each(client, &keys, |(host, key), node| {
        let value = node.map(|node| node.value.trim().to_owned()).unwrap_or_default();
        if !value.is_empty() {
            found.push(HostAddress { host: host.clone(), key, value });
        }
    })?;
    Ok(found)
}

/// This host, and the addresses of all.
pub fn findings(addresses: &Result<Vec<HostAddress>>) -> Vec<Finding> {
    match addresses {
        Ok(addresses) => vec![this_host(addresses), duplicates(addresses)],
        Err(error) => ["calico-host", "addresses"]
            .map(|name| Finding::fail(name, error.to_string(), START_NODE))
            .into(),
    }
}

/// Is this host in Calico's data, with addresses that are really its own? Where they are not, another
/// host may have the same name.
fn this_host(addresses: &[HostAddress]) -> Finding {
    let name = "calico-host";
    let known = host::name().and_then(|host| Ok((host, Rtnl::open()?.addresses()?)));
    let (host, known) = match known {
        Ok(known) => known,
        Err(error) => return Finding::fail(name, error.to_string(), "run this as root"),
    };
    let of_host: Vec<_> = addresses.iter().filter(|address| address.host == host).collect();
    if !of_host.iter().any(|address| address.ip().is_some_and(|ip| ip.is_ipv4())) {
        let text = format!("etcd has no Calico IPv4 address of {host}");
        return match namesake(addresses, &host) {
            Some(other) => {
                let text = format!("{text}, but of {other}");
                Finding::fail(name, text, "Calico, Mesos and hostname have to use one name")
            }
            None => Finding::fail(name, text, START_NODE),
        };
    }
    let is_own = |ip: IpAddr| !ip.is_loopback() && known.iter().any(|address| address.ip == ip);
    if let Some(wrong) = of_host.iter().find(|address| !address.ip().is_some_and(is_own)) {
        let value = wrong.value.escape_debug();
        let text = format!(
            "Calico has {value} for {host} ({}), which is no address of this host",
            wrong.key
        );
        let help = "two hosts with one name? each host needs its own; else start calico-node again with --ip";
        return Finding::fail(name, text, help);
    }
    let values: BTreeSet<_> = of_host.iter().map(|address| address.value.as_str()).collect();
    let values = values.into_iter().collect::<Vec<_>>().join(" and ");
    Finding::ok(name, format!("{host} has {values}"))
}

/// A host of the same name, but for the domain or the case.
fn namesake<'a>(addresses: &'a [HostAddress], host: &str) -> Option<&'a str> {
    let short = |name: &str| name.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let mut others = addresses.iter().map(|address| address.host.as_str());
    others.find(|other| *other != host && short(other) == short(host))
}

/// BIRD speaks to one host for each address, and routes to one.
fn duplicates(addresses: &[HostAddress]) -> Finding {
    let mut hosts: BTreeMap<IpAddr, BTreeSet<&str>> = BTreeMap::new();
    for address in addresses {
        if let Some(ip) = address.ip() {
            hosts.entry(ip).or_default().insert(&address.host);
        }
    }
    let shared = hosts.iter().filter(|(_, hosts)| hosts.len() > 1).map(|(ip, hosts)| {
        let hosts: Vec<_> = hosts.iter().copied().collect();
        format!("{} have one address, {ip}", hosts.join(" and "))
    });
    let shared: Vec<_> = shared.collect();
    if shared.is_empty() {
        return Finding::ok("addresses", format!("{} of all hosts, no two the same", hosts.len()));
    }
    let help = "start calico-node on each with its own --ip; remove a host that is gone, or has another \
                name now, from /calico/v1/host and /calico/bgp/v1/host";
    Finding::fail("addresses", shared.join("; "), help)
}

/// Whether the profile that all containers of this host have still lets them reach it. It is made once and never changed,
/// and the host may have got another address since.
pub fn own_profile(client: &Client, addresses: &Result<Vec<HostAddress>>) -> Finding {
    let name = "own-profile";
    let found = host::name().and_then(|host| Ok((closed_to(client, addresses, &host)?, host)));
    match found {
        Ok((None, _)) => {
            Finding::ok(name, "lets containers reach this host, or is still to be made")
        }
        Ok((Some((profile, ip)), host)) => {
            let text = format!(
                "{profile} does not allow {ip}, the address of {host}: executors without a netgroup do not reach \
                 their agent"
            );
            let help = format!(
                "etcdctl rm --recursive {}/{profile} when no task runs here: the next one has it made anew",
                profile::FOLDER
            );
            Finding::warn(name, text, &help)
        }
        Err(error) => Finding::fail(name, error.to_string(), START_NODE),
    }
}

/// A profile of this host, under its short or its full name, and an IPv4 address of it that is not allowed there.
fn closed_to(
    client: &Client,
    addresses: &Result<Vec<HostAddress>>,
    host: &str,
) -> Result<Option<(String, IpAddr)>> {
    let own = addresses.iter().flatten().filter(|address| address.host == host);
    let own: BTreeSet<_> = own.filter_map(HostAddress::ip).filter(IpAddr::is_ipv4).collect();
    let is_own = |name: &String| {
        let agent = name.strip_prefix("default_").and_then(|agent| agent.strip_prefix(host));
        agent.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    for name in client.names(profile::FOLDER)?.into_iter().filter(is_own) {
        let node = client.get(&format!("{}/{name}/rules", profile::FOLDER))?;
        let rules: Value =
            node.and_then(|node| serde_json::from_str(&node.value).ok()).unwrap_or_default();
        // Without readable rules the check of profiles fails.
        let Some(rules) = rules["outbound_rules"].as_array() else { continue };
        let is_closed = |ip: &&IpAddr| !rules.iter().any(|rule| allows(rule, **ip));
        if let Some(ip) = own.iter().find(is_closed) {
            return Ok(Some((name, *ip)));
        }
    }
    Ok(None)
}

/// Whether a rule may let packets to an IPv4 address out.
fn allows(rule: &Value, ip: IpAddr) -> bool {
    let net = rule["dst_net"].as_str();
    let has = |net: &str| Cidr::parse(net).is_none_or(|net| net.has(ip));
    rule["action"].as_str() != Some("deny")
        && rule["ip_version"].as_u64() != Some(6)
        && net.is_none_or(has)
}
