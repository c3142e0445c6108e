//! What is known about this host: its name in Calico's keys, its Calico addresses, its interfaces.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::{
    error::{Error, Result},
    etcd::Client,
    netns::rtnl::Rtnl,
};

/// The name under which Calico and this plugin keep this host's data: `gethostname()`, as Calico's
/// own parts do (facts 1.7). It becomes a part of keys, so it must be one.
pub fn name() -> Result<String> {
    let name = nix::unistd::gethostname()
        .map_err(|errno| Error::Unhandled(format!("gethostname: {errno}")))?;
    name.into_string()
        .ok()
        .filter(|name| crate::protocol::fields::is_profile_name(name))
        .filter(|name| name != "." && name != "..")
        .ok_or_else(|| Error::Unhandled("this host's name cannot be a part of etcd keys".into()))
}

/// This host's addresses for Calico: what BIRD announces routes with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CalicoAddresses {
    /// IPv4, the gateway of containers by the rule of 2015.
    pub v4: Option<Ipv4Addr>,
    /// IPv6; hosts without it have an empty value.
    pub v6: Option<Ipv6Addr>,
}

impl CalicoAddresses {
    /// Reads them as `calicoctl node` wrote them: `/calico/bgp/v1/host/<host>/ip_addr_v4` and `_v6`
    /// (facts 2.1). Which key the plugin of 2015 read is UNCONFIRMED (facts 2.2), so where these are
    /// missing, the older `/calico/v1/host/<host>/bird_ip` and `bird6_ip` are tried.
    pub fn read(client: &Client, host: &str) -> Result<Self> {
        let bgp = Self::read_folder(client, &Self::key(host), "ip_addr_v4", "ip_addr_v6")?;
        if bgp.v4.is_some() {
            return Ok(bgp);
        }
        let felix =
            Self::read_folder(client, &format!("/calico/v1/host/{host}"), "bird_ip", "bird6_ip")?;
        Ok(Self { v4: felix.v4, v6: bgp.v6.or(felix.v6) })
    }

    /// Where they are, normally.
    pub fn key(host: &str) -> String {
        format!("/calico/bgp/v1/host/{host}")
    }

    fn read_folder(client: &Client, key: &str, v4: &str, v6: &str) -> Result<Self> {
        let nodes = client.list(key)?;
        let value = |name: &str| {
            nodes.iter().find(|node| node.name() == name).map(|node| node.value.trim())
        };
        // An empty or unreadable value means that the host has no such address.
        Ok(Self {
            v4: value(v4).and_then(|text| text.parse().ok()),
            v6: value(v6).and_then(|text| text.parse().ok()),
        })
    }

    /// Both, IPv4 first.
    pub fn iter(self) -> impl Iterator<Item = IpAddr> {
        self.v4.map(IpAddr::V4).into_iter().chain(self.v6.map(IpAddr::V6))
    }
}

/// Whether the kernel has IPv6 and it is on.
pub fn has_ipv6() -> bool {
    fs_err::read_to_string("/proc/sys/net/ipv6/conf/all/disable_ipv6")
        .is_ok_and(|text| text.trim() == "0")
}

/// The host's first IPv4 address as the original picked it: the first interface that is neither
/// loopback nor `docker0` (facts 1.7). Its fault of picking other bridges, tunnels and
/// Calico's own interfaces is not kept.
pub fn first_ipv4() -> Result<Option<Ipv4Addr>> {
    let mut rtnl = Rtnl::open()?;
    let links = rtnl.links()?;
    let addresses = rtnl.ipv4_addresses()?;
    let on = |index: u32| {
        addresses.iter().find_map(|address| match address.ip {
            IpAddr::V4(ip) if address.link == index && !ip.is_loopback() => Some(ip),
            _ => None,
        })
    };
    let mut outer = links.iter().filter(|link| !link.loopback && !is_inner(&link.name));
    Ok(outer.find_map(|link| on(link.index)))
}

/// Interfaces that lead to containers or virtual machines on this host, not to other hosts.
fn is_inner(name: &str) -> bool {
    ["docker", "cali", "tunl", "virbr", "veth", "br-"].iter().any(|start| name.starts_with(start))
}

#[cfg(test)]
mod tests {
    #[test]
    fn inner_interfaces() {
        for name in ["docker0", "cali0123456789a", "tunl0", "virbr0", "br-0a1b2c"] {
            assert!(super::is_inner(name), "{name}");
        }
        for name in ["eth0", "ens192", "bond0", "br0", "team0"] {
            assert!(!super::is_inner(name), "{name}");
        }
    }
}
