//! Pools: whether they give addresses, and such that lead to containers.

use std::net::IpAddr;

use super::{agent::Agent, hosts::HostAddress, report::Finding};
use crate::{
    error::Result,
    etcd::Client,
    host,
    ipam::{Family, Ipam, cidr::Cidr, pool},
    netns::rtnl::Rtnl,
    settings::Settings,
};

const ADD: &str = "calicoctl pool add CIDR, with a network that nothing else uses";
const CORRECT: &str = "correct the pool with calicoctl pool, or what is named with etcdctl";

/// A network that is somebody's, and whose.
type Taken = (Cidr, String);

/// Whether there are pools, and nothing speaks against any of them.
pub fn finding(
    client: &Client,
    settings: &Settings,
    agent: Option<&Agent>,
    hosts: &Result<Vec<HostAddress>>,
) -> Finding {
    let name = "pools";
    let list = |family| -> Result<Vec<_>> {
        Ok(pool::read(client, family)?.into_iter().collect::<std::result::Result<_, _>>()?)
    };
    let (v4, v6) = match list(Family::V4).and_then(|v4| Ok((v4, list(Family::V6)?))) {
        Ok(pools) => pools,
        Err(error) => {
            return Finding::fail(name, error.to_string(), CORRECT);
        }
    };
    if v4.is_empty() {
        return Finding::fail(name, "no IPv4 pool is configured", ADD);
    }
    let taken = match taken(settings, agent, hosts) {
        Ok(taken) => taken,
        Err(text) => return Finding::fail(name, text, "run this as root"),
    };
    let all = || v4.iter().chain(&v6).copied();
    let faults: Vec<_> = all().filter_map(|pool| fault(pool, &taken)).collect();
    if !faults.is_empty() {
        let help = format!("{ADD}; then calicoctl pool remove");
        return Finding::fail(name, faults.join("; "), &help);
    }
    match host::name().and_then(|host| Ipam { client, host: &host }.has_room(Family::V4)) {
        Ok(true) => {}
        Ok(false) => {
            let text = "no IPv4 address is free for this host: all are taken, or in blocks of other hosts alone";
            return Finding::fail(name, text, ADD);
        }
        Err(error) => return Finding::fail(name, error.to_string(), CORRECT),
    }
    let names: Vec<_> = all().map(|pool| pool.to_string()).collect();
    Finding::ok(name, names.join(", "))
}

/// What is wrong with a pool.
fn fault(pool: Cidr, taken: &[Taken]) -> Option<String> {
    if pool.blocks().next().is_none() {
        let least = match pool.family() {
            Family::V4 => 26,
            Family::V6 => 122,
        };
        return Some(format!("{pool} is smaller than a block, /{least}, and gives no addresses"));
    }
    let special = [
        "0.0.0.0/8",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "224.0.0.0/3",
        "fe80::/10",
        "ff00::/8",
        "::/96",
    ];
    let mut special = special.into_iter().filter_map(Cidr::parse);
    if let Some(network) = special.find(|network| network.overlaps(pool)) {
        return Some(format!("{pool} has addresses of {network}, which no container can have"));
    }
    let (network, whose) = taken.iter().find(|(network, _)| network.overlaps(pool))?;
    Some(format!("{pool} overlaps {network}, {whose}"))
}

/// The networks of this host, and the single addresses of all hosts, of etcd and of the masters.
fn taken(
    settings: &Settings,
    agent: Option<&Agent>,
    hosts: &Result<Vec<HostAddress>>,
) -> std::result::Result<Vec<Taken>, String> {
    let mut taken = own_networks().map_err(|error| error.to_string())?;
    let single = |ip: IpAddr, whose: String| (Cidr::new(ip, u8::MAX), whose);
    // Where they cannot be read, the check of hosts fails.
    for host in hosts.iter().flatten() {
        let ip = host.ip().filter(|ip| !ip.is_loopback());
        taken.extend(ip.map(|ip| single(ip, format!("the host {}", host.host))));
    }
    for address in &settings.addresses {
        let ip = address.host().parse().ok().filter(|ip: &IpAddr| !ip.is_loopback());
        taken.extend(ip.map(|ip| single(ip, "etcd".to_owned())));
    }
    let masters = agent.into_iter().flat_map(Agent::master_addresses);
    let masters = masters.filter(|ip| !ip.is_loopback());
    taken.extend(masters.map(|ip| single(ip, "a master or its ZooKeeper".to_owned())));
    Ok(taken)
}

/// The networks that this host's interfaces are in, but for Calico's own.
fn own_networks() -> Result<Vec<Taken>> {
    let mut rtnl = Rtnl::open()?;
    let links = rtnl.links()?;
    let mut networks = Vec::new();
    for address in rtnl.addresses()? {
        let Some(link) = links.iter().find(|link| link.index == address.link) else { continue };
        let is_calicos = link.name.starts_with("cali") || link.name.starts_with("tunl");
        let is_link_local = Cidr::parse("fe80::/10").is_some_and(|net| net.has(address.ip));
        if !(link.loopback || is_calicos || is_link_local) {
            let network = Cidr::new(address.network, address.prefix);
            networks.push((network, format!("the network of this host's {}", link.name)));
        }
    }
    Ok(networks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pools_that_give_no_address_or_one_that_is_taken() {
        let net = |text: &str| Cidr::parse(text).unwrap();
        let taken =
            [(net("10.1.2.0/24"), "eth0".to_owned()), (net("fd00:1::7/128"), "a".to_owned())];
        for (pool, word) in [
            ("10.9.0.0/27", "smaller"),
            ("10.9.0.1/32", "smaller"),
            ("fd00::/123", "smaller"),
            ("10.0.0.0/8", "eth0"),
            ("10.1.2.64/26", "eth0"),
            ("0.0.0.0/0", "no container"),
            ("127.0.0.0/16", "no container"),
            ("224.0.0.0/8", "no container"),
            ("fe80::/64", "no container"),
            ("fd00:1::/64", "overlaps"),
        ] {
            let fault = fault(net(pool), &taken).unwrap_or_default();
            assert!(fault.contains(word) && fault.starts_with(pool), "{pool}: {fault}");
        }
        for pool in ["10.9.0.0/26", "10.1.3.0/24", "fd00::/122", "172.16.0.0/12"] {
            assert_eq!(fault(net(pool), &taken), None, "{pool}");
        }
    }
}
