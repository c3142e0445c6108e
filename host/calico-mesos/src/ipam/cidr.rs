//! Networks: parsing, containment, and the blocks that a pool is made of.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use super::Family;

/// Addresses in a block.
pub const BLOCK_SIZE: usize = 64;

/// A network: an address whose host bits are zero, and a prefix length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr {
    base: IpAddr,
    prefix: u8,
}

impl Cidr {
    /// Reads `a.b.c.d/n`; host bits are cleared.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/')?;
        let (address, prefix): (IpAddr, u8) = (address.parse().ok()?, prefix.parse().ok()?);
        (prefix <= width(address)).then(|| Self::new(address, prefix))
    }

    /// Reads the form that stands in keys: `a.b.c.d-n`.
    pub fn from_key(text: &str) -> Option<Self> {
        Self::parse(&text.replace('-', "/"))
    }

    /// The network of an address; a prefix that is too long is the whole address.
    pub fn new(address: IpAddr, prefix: u8) -> Self {
        let prefix = prefix.min(width(address));
        let host_bits = u32::from(width(address) - prefix);
        let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
        Self { base: from_bits(family(address), bits(address) & mask), prefix }
    }

    /// The block that an address belongs to.
    pub fn block_of(address: IpAddr) -> Self {
        Self::new(address, width(address) - 6)
    }

    /// The form for keys.
    pub fn key(self) -> String {
        format!("{}-{}", self.base, self.prefix)
    }

    /// The family.
    pub fn family(self) -> Family {
        family(self.base)
    }

    /// True where this is exactly one block.
    pub fn is_block(self) -> bool {
        self.prefix == width(self.base) - 6
    }

    /// Whether `inner` lies in this network.
    pub fn contains(self, inner: Self) -> bool {
        self.family() == inner.family()
            && self.prefix <= inner.prefix
            && Self::new(inner.base, self.prefix) == self
    }

    /// Whether the two have an address in common.
    pub fn overlaps(self, other: Self) -> bool {
        self.contains(other) || other.contains(self)
    }

    /// Whether an address lies in this network.
    pub fn has(self, address: IpAddr) -> bool {
        self.contains(Self::new(address, width(address)))
    }

    /// The blocks of a pool in order; a pool smaller than a block has none.
    pub fn blocks(self) -> impl Iterator<Item = Self> {
        let block_prefix = width(self.base) - 6;
        let bits_between = block_prefix.checked_sub(self.prefix);
        let count = bits_between.map_or(0, |b| 1u128.checked_shl(b.into()).unwrap_or(u128::MAX));
        let start = bits(self.base);
        (0..count).map(move |i| Self {
            base: from_bits(self.family(), start + i * BLOCK_SIZE as u128),
            prefix: block_prefix,
        })
    }

    /// The address with this number in the network.
    pub fn nth(self, ordinal: usize) -> IpAddr {
        from_bits(self.family(), bits(self.base) + ordinal as u128)
    }

    /// The number of an address in this network, if it is in there.
    pub fn ordinal(self, address: IpAddr) -> Option<usize> {
        self.has(address).then(|| (bits(address) - bits(self.base)) as usize)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

fn family(address: IpAddr) -> Family {
    if address.is_ipv4() { Family::V4 } else { Family::V6 }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(ip) => ip.to_bits().into(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

fn from_bits(family: Family, bits: u128) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::from_bits(bits as u32).into(),
        Family::V6 => Ipv6Addr::from_bits(bits).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cidr(text: &str) -> Cidr {
        Cidr::parse(text).unwrap()
    }

    #[test]
    fn parsing_and_keys() {
        assert_eq!(cidr("192.168.1.77/16").to_string(), "192.168.0.0/16");
        assert_eq!(cidr("fd80:24e2:f998:72d6::/64").key(), "fd80:24e2:f998:72d6::-64");
        assert_eq!(Cidr::from_key("10.0.0.64-26"), Some(cidr("10.0.0.64/26")));
        for bad in ["10.0.0.0", "10.0.0.0/33", "::/129", "x/8", "/", "10.0.0.0/-1"] {
            assert_eq!(Cidr::parse(bad), None, "{bad}");
        }
        assert_eq!(cidr("0.0.0.0/0").to_string(), "0.0.0.0/0");
        assert_eq!(cidr("ffff::/0").to_string(), "::/0");
    }

    #[test]
    fn blocks_of_pools() {
        let keys: Vec<_> = cidr("10.0.0.0/24").blocks().map(Cidr::key).collect();
        assert_eq!(keys, ["10.0.0.0-26", "10.0.0.64-26", "10.0.0.128-26", "10.0.0.192-26"]);
        assert_eq!(cidr("192.168.0.0/16").blocks().count(), 1024);
        assert_eq!(cidr("10.0.0.0/27").blocks().count(), 0);
        let second = cidr("fd80:24e2:f998:72d6::/64").blocks().nth(1).unwrap();
        assert_eq!(second.to_string(), "fd80:24e2:f998:72d6::40/122");
        assert!(second.is_block());
    }

    #[test]
    fn ordinals() {
        let block = Cidr::block_of("10.0.0.77".parse().unwrap());
        assert_eq!(block.to_string(), "10.0.0.64/26");
        assert_eq!(block.ordinal("10.0.0.77".parse().unwrap()), Some(13));
        assert_eq!(block.ordinal("10.0.0.1".parse().unwrap()), None);
        assert_eq!(block.nth(63).to_string(), "10.0.0.127");
        assert!(!cidr("10.0.0.0/8").has("::1".parse().unwrap()));
        assert!(!cidr("10.0.0.0/26").contains(cidr("10.0.0.0/24")));
    }
}
