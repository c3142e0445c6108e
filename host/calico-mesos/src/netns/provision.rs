//! The container's interface: a veth pair, `eth0` in the container and `cali...` on the host, with
//! addresses and routes (facts 2.2). A pair that is dropped before it is kept is removed again.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{
    Namespace,
    rtnl::{Rtnl, link_local},
};
use crate::{
    error::{Error, Result},
    log,
    protocol::Addresses,
};

/// The interface in the container.
const INSIDE: &str = "eth0";

/// The IPv6 default route's next hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gateway6 {
    /// This address; Felix answers for it (proxy neighbour).
    Address(Ipv6Addr),
    /// The link-local address of the pair's host side.
    HostSide,
}

/// A pair of this request.
pub struct Pair {
    host: Rtnl,
    inside: Rtnl,
    host_name: String,
    /// The number of the interface on the host. Once the pair is gone, another request may use its name.
    host_index: Option<u32>,
    index: u32,
    mac: [u8; 6],
    kept: bool,
}

impl Pair {
    /// Makes the pair, up and with its addresses, for the namespace of a process.
    pub fn make(pid: u32, host_name: String, addresses: &Addresses) -> Result<Self> {
        let namespace = Namespace::of_process(pid)?;
        // The container has ended, its number is another's now, and this host's own routes are not to be changed.
        if namespace.is(&Namespace::of_thread()?)? {
            let text = format!("Process {pid} is in this host's own network namespace.");
            return Err(Error::Namespace(text));
        }
        let inside = namespace.open_rtnl()?;
        let mut host = Rtnl::open()?;
        // A pair of this name is another request's: it is not touched.
        host.add_veth(&host_name, INSIDE, &namespace)?;
        let mut pair =
            Self { host, inside, host_name, host_index: None, index: 0, mac: [0; 6], kept: false };
        pair.host_index = Some(pair.host.link(&pair.host_name)?.index);
        pair.configure(addresses)?;
        Ok(pair)
    }

    /// Sets up the container's side, through the socket in its namespace.
    fn configure(&mut self, addresses: &Addresses) -> Result<()> {
        // A container must be able to talk to its own addresses, which the kernel routes over loopback. Where
        // the caller has set it up already, this changes nothing.
        self.inside.set_up("lo")?;
        self.inside.set_up(INSIDE)?;
        let link = self.inside.link(INSIDE)?;
        self.index = link.index;
        self.mac = link.mac.ok_or_else(|| Error::Namespace(format!("{INSIDE} has no MAC")))?;
        let v4 = addresses.v4.iter().copied().map(IpAddr::V4);
        for ip in v4.chain(addresses.v6.iter().copied().map(IpAddr::V6)) {
            self.inside.add_address(self.index, ip)?;
        }
        Ok(())
    }

    /// Adds the default routes and returns the IPv6 next hop that is used.
    pub fn add_routes(
        &mut self,
        gateway4: Option<Ipv4Addr>,
        gateway6: Option<Gateway6>,
    ) -> Result<Option<Ipv6Addr>> {
        let gateway6 = match gateway6 {
            None => None,
            Some(Gateway6::Address(ip)) => Some(ip),
            Some(Gateway6::HostSide) => Some(link_local(self.host_mac()?)),
        };
        let gateway4 = gateway4.map(IpAddr::V4);
        for gateway in gateway4.into_iter().chain(gateway6.map(IpAddr::V6)) {
            self.inside.add_host_route(self.index, gateway)?;
            self.inside.add_default_route(self.index, gateway)?;
        }
        Ok(gateway6)
    }

    /// The address of the container's side on the link.
    pub fn mac(&self) -> String {
        self.mac.map(|byte| format!("{byte:02x}")).join(":")
    }

    /// Lets the pair stay.
    pub fn keep(mut self) {
        self.kept = true;
    }

    fn host_mac(&mut self) -> Result<[u8; 6]> {
        let link = self.host.link(&self.host_name)?;
        link.mac.ok_or_else(|| Error::Namespace(format!("{} has no MAC", self.host_name)))
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        let removed = match self.host_index {
            Some(index) => self.host.remove_link_number(index),
            None => self.host.remove_link(&self.host_name),
        };
        match removed {
            Ok(()) => log::info(&format!("rolled back {}", self.host_name)),
            // It went with its namespace.
            Err(refusal) if refusal.is_missing() => {}
            Err(refusal) => log::error(&format!("cannot roll back: {}", Error::from(refusal))),
        }
    }
}

/// Removes a pair by the name of its host side; false where there is none. With a namespace that has
/// ended, the kernel has removed it already.
pub fn remove(host_name: &str) -> Result<bool> {
    match Rtnl::open()?.remove_link(host_name) {
        Ok(()) => Ok(true),
        Err(refusal) if refusal.is_missing() => Ok(false),
        Err(refusal) => Err(refusal.into()),
    }
}
