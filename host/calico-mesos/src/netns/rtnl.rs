//! A routing netlink socket: requests that are acknowledged, and dumps.

use std::net::{IpAddr, Ipv6Addr};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkHeader,
    NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::{AddressAttribute, AddressHeaderFlags, AddressMessage, AddressScope},
    link::{InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage},
    route::{
        RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope,
        RouteType,
    },
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use nix::errno::Errno;

use super::Namespace;
use crate::error::{Error, Result};

/// A message from the kernel fits: it uses at most 32 KiB for a part of a dump.
const BUFFER: usize = 32 << 10;

/// An interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its number.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its address on the link, if it has one of six bytes.
    pub mac: Option<[u8; 6]>,
    /// Whether it is the loopback interface.
    pub loopback: bool,
}

/// A socket in the namespace in which it was opened.
pub struct Rtnl {
    socket: Socket,
    sequence: u32,
    buffer: Vec<u8>,
}

/// What the kernel said no to.
#[derive(Debug)]
pub struct Refusal {
    what: String,
    errno: Errno,
}

impl Refusal {
    /// Whether the thing is not there.
    pub fn is_missing(&self) -> bool {
        matches!(self.errno, Errno::ENODEV | Errno::ENOENT)
    }
}

impl From<Refusal> for Error {
    fn from(Refusal { what, errno }: Refusal) -> Self {
        Self::Namespace(format!("{what}: {}", errno.desc()))
    }
}

/// An address of this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The number of its interface.
    pub link: u32,
    /// The address.
    pub ip: IpAddr,
    /// An address of the network that it leads to: the peer's on a link between two.
    pub network: IpAddr,
    /// The prefix length of that network.
    pub prefix: u8,
}

/// A route to other hosts, of the main table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The number of its interface.
    pub link: u32,
    /// An address of the network that it leads to.
    pub network: IpAddr,
    /// The prefix length of that network.
    pub prefix: u8,
    /// The host that it leads through; without one, the network is on the link.
    pub gateway: Option<IpAddr>,
    /// Whether BIRD, the kernel or somebody else has made it.
    pub by: RouteProtocol,
}

type Done = std::result::Result<(), Refusal>;

impl Rtnl {
    /// Opens a socket in the namespace of the calling thread.
    pub fn open() -> Result<Self> {
        let failed = |e: std::io::Error| Error::Namespace(format!("netlink: {e}"));
        let mut socket = Socket::new(NETLINK_ROUTE).map_err(failed)?;
        socket.bind_auto().map_err(failed)?;
        socket.connect(&SocketAddr::new(0, 0)).map_err(failed)?;
        Ok(Self { socket, sequence: 0, buffer: Vec::with_capacity(BUFFER) })
    }

    /// Makes a veth pair: `host_name` here, up, and `peer_name` in another namespace. One request, so
    /// there is no moment in which the peer has a name on the host (the original's `tmp...`).
    pub fn add_veth(&mut self, host_name: &str, peer_name: &str, peer: &Namespace) -> Done {
        let mut inner = LinkMessage::default();
        inner.attributes = vec![
            LinkAttribute::IfName(peer_name.to_owned()),
            LinkAttribute::NetNsFd(peer.raw_fd()),
        ];
        let mut link = LinkMessage::default();
        link.header.flags = LinkFlags::Up;
        link.header.change_mask = LinkFlags::Up;
        link.attributes = vec![
            LinkAttribute::IfName(host_name.to_owned()),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::Veth),
                LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(inner))),
            ]),
        ];
        let what = format!("making {host_name} with its peer {peer_name}");
        self.ask(what, RouteNetlinkMessage::NewLink(link), NLM_F_CREATE | NLM_F_EXCL)
    }

    /// Removes the interface with this number, which no other one gets.
    pub fn remove_link_number(&mut self, index: u32) -> Done {
        let mut link = LinkMessage::default();
        link.header.index = index;
        self.ask(format!("removing interface {index}"), RouteNetlinkMessage::DelLink(link), 0)
    }

    /// Removes an interface by its name.
    pub fn remove_link(&mut self, name: &str) -> Done {
        let message = RouteNetlinkMessage::DelLink(named(name));
        self.ask(format!("removing {name}"), message, 0)
    }

    /// Sets an interface up.
    pub fn set_up(&mut self, name: &str) -> Done {
        let mut link = named(name);
        link.header.flags = LinkFlags::Up;
        link.header.change_mask = LinkFlags::Up;
        let what = format!("setting {name} up");
        self.ask(what, RouteNetlinkMessage::SetLink(link), 0)
    }

    /// Adds an address as a network of its own. Duplicate address detection is off for it: IPAM has seen
    /// to that, and the container must not wait.
    pub fn add_address(&mut self, index: u32, ip: IpAddr) -> Done {
        let mut message = AddressMessage::default();
        message.header.family = family(ip);
        message.header.prefix_len = width(ip);
        message.header.index = index;
        message.header.scope = AddressScope::Universe;
        message.attributes = vec![AddressAttribute::Address(ip)];
        if ip.is_ipv4() {
            message.attributes.push(AddressAttribute::Local(ip));
        } else {
            message.header.flags = AddressHeaderFlags::Nodad;
        }
        let what = format!("adding {ip}");
        self.ask(what, RouteNetlinkMessage::NewAddress(message), NLM_F_CREATE | NLM_F_REPLACE)
    }

    /// Adds a route to one address that is on the link.
    pub fn add_host_route(&mut self, index: u32, to: IpAddr) -> Done {
        let mut message = route(to, index);
        message.header.destination_prefix_length = width(to);
        message.header.scope = RouteScope::Link;
        message.attributes.push(RouteAttribute::Destination(route_address(to)));
        self.add_route(format!("adding the route to {to}"), message)
    }

    /// Adds the default route.
    pub fn add_default_route(&mut self, index: u32, via: IpAddr) -> Done {
        let mut message = route(via, index);
        message.header.scope = RouteScope::Universe;
        message.attributes.push(RouteAttribute::Gateway(route_address(via)));
        self.add_route(format!("adding the default route via {via}"), message)
    }

    fn add_route(&mut self, what: String, message: RouteMessage) -> Done {
        let message = RouteNetlinkMessage::NewRoute(message);
        self.ask(what, message, NLM_F_CREATE | NLM_F_REPLACE)
    }

    /// Finds an interface by its name.
    pub fn link(&mut self, name: &str) -> Result<Link> {
        let message = RouteNetlinkMessage::GetLink(named(name));
        let what = format!("looking for {name}");
        let answers = self.talk(what.clone(), message, NLM_F_ACK)?;
        let missing = || Refusal { what, errno: Errno::ENODEV }.into();
        answers.into_iter().find_map(as_link).ok_or_else(missing)
    }

    /// All interfaces, in the order of their numbers.
    pub fn links(&mut self) -> Result<Vec<Link>> {
        let message = RouteNetlinkMessage::GetLink(LinkMessage::default());
        let answers = self.talk("listing interfaces".to_owned(), message, NLM_F_DUMP)?;
        let mut links: Vec<Link> = answers.into_iter().filter_map(as_link).collect();
        links.sort_unstable_by_key(|link| link.index);
        Ok(links)
    }

    /// All addresses, IPv4 first.
    pub fn addresses(&mut self) -> Result<Vec<Address>> {
        let mut all = self.ipv4_addresses()?;
        all.extend(self.addresses_of(AddressFamily::Inet6)?);
        Ok(all)
    }

    /// All IPv4 addresses.
    pub fn ipv4_addresses(&mut self) -> Result<Vec<Address>> {
        self.addresses_of(AddressFamily::Inet)
    }

    fn addresses_of(&mut self, family: AddressFamily) -> Result<Vec<Address>> {
        let mut message = AddressMessage::default();
        message.header.family = family;
        let message = RouteNetlinkMessage::GetAddress(message);
        let answers = self.talk("listing addresses".to_owned(), message, NLM_F_DUMP)?;
        Ok(answers.into_iter().filter_map(as_address).collect())
    }

    /// All routes of the main table that lead to other hosts, IPv4 first; not the default routes.
    pub fn routes(&mut self) -> Result<Vec<Route>> {
        let mut routes = Vec::new();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let mut message = RouteMessage::default();
            message.header.address_family = family;
            let message = RouteNetlinkMessage::GetRoute(message);
            let answers = self.talk("listing routes".to_owned(), message, NLM_F_DUMP)?;
            routes.extend(answers.into_iter().filter_map(as_route));
        }
        Ok(routes)
    }

    fn ask(&mut self, what: String, message: RouteNetlinkMessage, flags: u16) -> Done {
        self.talk(what, message, flags | NLM_F_ACK).map(drop)
    }

    /// Sends one request and reads until its acknowledgement or the end of its dump.
    fn talk(
        &mut self,
        what: String,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> std::result::Result<Vec<RouteNetlinkMessage>, Refusal> {
        let refused = |errno| Refusal { what: what.clone(), errno };
        let broken = |e: std::io::Error| refused(Errno::from_raw(e.raw_os_error().unwrap_or(0)));
        self.sequence += 1;
        let mut header = NetlinkHeader::default();
        header.flags = flags | NLM_F_REQUEST;
        header.sequence_number = self.sequence;
        let mut packet = NetlinkMessage::new(header, NetlinkPayload::from(message));
        packet.finalize();
        let mut bytes = vec![0; packet.buffer_len()];
        packet.serialize(&mut bytes);
        self.socket.send(&bytes, 0).map_err(broken)?;
        let mut answers = Vec::new();
        loop {
            // Into the room that is there: it need not be cleared first.
            self.buffer.clear();
            self.socket.recv(&mut self.buffer, 0).map_err(broken)?;
            let mut rest = &self.buffer[..];
            while !rest.is_empty() {
                let answer: NetlinkMessage<RouteNetlinkMessage> =
                    NetlinkMessage::deserialize(rest).map_err(|_| refused(Errno::EBADMSG))?;
                let taken = (answer.header.length as usize).next_multiple_of(4).min(rest.len());
                rest = &rest[taken..];
                if answer.header.sequence_number != self.sequence {
                    continue;
                }
                match answer.payload {
                    NetlinkPayload::InnerMessage(inner) => answers.push(inner),
                    NetlinkPayload::Done(_) => return Ok(answers),
                    NetlinkPayload::Error(error) if error.code.is_none() => return Ok(answers),
                    NetlinkPayload::Error(error) => {
                        return Err(refused(Errno::from_raw(error.raw_code().abs())));
                    }
                    _ => {}
                }
            }
        }
    }
}

fn named(name: &str) -> LinkMessage {
    let mut link = LinkMessage::default();
    link.attributes.push(LinkAttribute::IfName(name.to_owned()));
    link
}

fn route(ip: IpAddr, index: u32) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family(ip);
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    // As `ip route` marks what it adds.
    message.header.protocol = RouteProtocol::Boot;
    message.header.kind = RouteType::Unicast;
    message.attributes.push(RouteAttribute::Oif(index));
    message
}

fn as_link(message: RouteNetlinkMessage) -> Option<Link> {
    let RouteNetlinkMessage::NewLink(message) = message else { return None };
    let (mut name, mut mac) = (None, None);
    for attribute in message.attributes {
        match attribute {
            LinkAttribute::IfName(text) => name = Some(text),
            LinkAttribute::Address(bytes) => mac = bytes.try_into().ok(),
            _ => {}
        }
    }
    let loopback = message.header.flags.contains(LinkFlags::Loopback);
    Some(Link { index: message.header.index, name: name?, mac, loopback })
}

fn as_address(message: RouteNetlinkMessage) -> Option<Address> {
    let RouteNetlinkMessage::NewAddress(message) = message else { return None };
    let (mut local, mut remote) = (None, None);
    for attribute in message.attributes {
        match attribute {
            AddressAttribute::Local(ip) => local = Some(ip),
            AddressAttribute::Address(ip) => remote = Some(ip),
            _ => {}
        }
    }
    let header = message.header;
    let network = remote.or(local)?;
    Some(Address { link: header.index, ip: local.or(remote)?, network, prefix: header.prefix_len })
}

fn as_route(message: RouteNetlinkMessage) -> Option<Route> {
    let RouteNetlinkMessage::NewRoute(message) = message else { return None };
    let header = message.header;
    let is_main = header.table == RouteHeader::RT_TABLE_MAIN;
    if header.kind != RouteType::Unicast || !is_main || header.destination_prefix_length == 0 {
        return None;
    }
    let (mut link, mut network, mut gateway) = (None, None, None);
    for attribute in message.attributes {
        match attribute {
            RouteAttribute::Oif(index) => link = Some(index),
            RouteAttribute::Destination(to) => network = as_ip(&to),
            RouteAttribute::Gateway(through) => gateway = as_ip(&through),
            _ => {}
        }
    }
    let prefix = header.destination_prefix_length;
    Some(Route { link: link?, network: network?, prefix, gateway, by: header.protocol })
}

fn as_ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(ip) => Some(IpAddr::V4(*ip)),
        RouteAddress::Inet6(ip) => Some(IpAddr::V6(*ip)),
        _ => None,
    }
}

fn family(ip: IpAddr) -> AddressFamily {
    if ip.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

fn width(ip: IpAddr) -> u8 {
    if ip.is_ipv4() { 32 } else { 128 }
}

fn route_address(ip: IpAddr) -> RouteAddress {
    match ip {
        IpAddr::V4(ip) => RouteAddress::Inet(ip),
        IpAddr::V6(ip) => RouteAddress::Inet6(ip),
    }
}

/// The link-local address that the kernel gives to an interface with this MAC (EUI-64).
pub fn link_local(mac: [u8; 6]) -> Ipv6Addr {
    let [a, b, c, d, e, f] = mac;
    Ipv6Addr::from([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_local_of_a_mac() {
        let ip = link_local([0x52, 0x54, 0x00, 0x12, 0x34, 0x56]);
        assert_eq!(ip.to_string(), "fe80::5054:ff:fe12:3456");
    }

    #[test]
    fn the_loopback_interface_is_there() {
        let mut rtnl = Rtnl::open().unwrap();
        assert!(rtnl.links().unwrap().iter().any(|link| link.name == "lo" && link.loopback));
        assert_eq!(rtnl.link("lo").unwrap().index, 1);
        let text = rtnl.link("no-such-link").unwrap_err().to_string();
        assert!(text.contains("no-such-link"), "{text}");
    }
}
