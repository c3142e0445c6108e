//! Pools: whether they give addresses, and such that lead to containers.

use std::net::IpAddr;

use netlink_packet_route::route::RouteProtocol;

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

/// A network that is somebody's.
struct Taken {
    network: Cidr,
    whose: String,
    /// Whether all of it is: of one that a gateway leads to, a part may have been set aside for containers.
    is_whole: bool,
}

impl Taken {
    fn single(ip: IpAddr, whose: String) -> Self {
        Self { network: Cidr::new(ip, u8::MAX), whose, is_whole: true }
    }

    fn forbids(&self, pool: Cidr) -> bool {
        match self.is_whole {
            true => self.network.overlaps(pool),
            false => pool.contains(self.network),
        }
    }
}

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
    let Taken { network, whose, .. } = taken.iter().find(|taken| taken.forbids(pool))?;
    Some(format!("{pool} overlaps {network}, {whose}"))
}

/// The networks of this host, and the single addresses of all hosts, of etcd and of the masters.
fn taken(
    settings: &Settings,
    agent: Option<&Agent>,
    hosts: &Result<Vec<HostAddress>>,
) -> std::result::Result<Vec<Taken>, String> {
    let mut taken = own_networks().map_err(|error| error.to_string())?;
    // Where they cannot be read, the check of hosts fails.
    for host in hosts.iter().flatten() {
        let ip = host.ip().filter(|ip| !ip.is_loopback());
        taken.extend(ip.map(|ip| Taken::single(ip, format!("the host {}", host.host))));
    }
    for address in &settings.addresses {
        let ip = address.host().parse().ok().filter(|ip: &IpAddr| !ip.is_loopback());
        taken.extend(ip.map(|ip| Taken::single(ip, "etcd".to_owned())));
    }
    let masters = agent.into_iter().flat_map(Agent::master_addresses);
    let masters = masters.filter(|ip| !ip.is_loopback());
    taken.extend(masters.map(|ip| Taken::single(ip, "a master or its ZooKeeper".to_owned())));
    Ok(taken)
}

/// The networks that this host's interfaces are in, or that its routes lead to, but for Calico's own.
fn own_networks() -> Result<Vec<Taken>> {
    let mut rtnl = Rtnl::open()?;
    let links = rtnl.links()?;
    let mut networks = Vec::new();
    for address in rtnl.addresses()? {
        let Some(link) = links.iter().find(|link| link.index == address.link) else { continue };
        let is_link_local = Cidr::parse("fe80::/10").is_some_and(|net| net.has(address.ip));
        if !(link.loopback || is_calicos(&link.name) || is_link_local) {
            let network = Cidr::new(address.network, address.prefix);
            let whose = format!("the network of this host's {}", link.name);
            networks.push(Taken { network, whose, is_whole: true });
        }
    }
    // In clouds, an address is often a network of its own, and routes alone say what else is there.
    let routes = rtnl.routes()?.into_iter().filter(|route| route.by != RouteProtocol::Bird);
    for route in routes {
        let Some(link) = links.iter().find(|link| link.index == route.link) else { continue };
        let is_link_local = Cidr::parse("fe80::/10").is_some_and(|net| net.has(route.network));
        if link.loopback || is_calicos(&link.name) || is_link_local {
            continue;
        }
        let network = Cidr::new(route.network, route.prefix);
        match route.gateway {
            None => {
                let whose = format!("a network that this host reaches on {}", link.name);
                networks.push(Taken { network, whose, is_whole: true });
            }
            Some(gateway) => {
                let whose = format!("a network that this host reaches through {gateway}");
                networks.push(Taken { network, whose, is_whole: false });
                let whose = format!("the gateway of {network}");
                networks.push(Taken::single(gateway, whose));
            }
        }
    }
    Ok(networks)
}

fn is_calicos(link: &str) -> bool {
    link.starts_with("cali") || link.starts_with("tunl")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pools_that_give_no_address_or_one_that_is_taken() {
        let net = |text: &str| Cidr::parse(text).unwrap();
        let taken = |network: &str, whose: &str, is_whole| Taken {
            network: net(network),
            whose: whose.to_owned(),
            is_whole,
        };
        let taken = [
            taken("10.1.2.0/24", "eth0", true),
            taken("fd00:1::7/128", "a", true),
            taken("192.168.0.0/16", "a router", false),
        ];
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
            ("192.168.0.0/16", "a router"),
            ("192.0.0.0/8", "a router"),
        ] {
            let fault = fault(net(pool), &taken).unwrap_or_default();
            assert!(fault.contains(word) && fault.starts_with(pool), "{pool}: {fault}");
        }
        for pool in ["10.9.0.0/26", "10.1.3.0/24", "fd00::/122", "172.16.0.0/12", "192.168.4.0/24"]
        {
            assert_eq!(fault(net(pool), &taken), None, "{pool}");
        }
    }
}
