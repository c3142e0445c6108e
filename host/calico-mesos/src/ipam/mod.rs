//! Address management as Calico 0.9 does it (facts 2.1, "IPAM v2"): addresses live in blocks of 64,
//! each block prefers one host (affinity), and a handle remembers where the addresses of a uid are.
//!
//! The rule that makes a killed process harmless: whoever comes again must find what is left. An address is
//! taken with its handle counted up first: `release` by uid finds it. An address is given back, by its
//! number, with the handle counted down first: who says so again finds the address still there, and its
//! handle's name in the block. The other way round nobody would know the handle any more.

pub mod affinity;
pub mod allocate;
pub mod block;
pub mod cidr;
pub mod config;
pub mod handle;
pub mod pool;
pub mod release;
pub mod reserve;
pub mod undo;

use crate::etcd::Client;

/// IPAM on one host.
pub struct Ipam<'a> {
    /// The data.
    pub client: &'a Client,
    /// The name of this host in Calico's keys: `gethostname()`, never the request's (facts 1.7).
    pub host: &'a str,
}

/// The two address families, which have separate pools and blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Blocks are /26.
    V4,
    /// Blocks are /122.
    V6,
}

impl Family {
    /// 4 or 6, as it stands in keys.
    pub fn number(self) -> u8 {
        match self {
            Self::V4 => 4,
            Self::V6 => 6,
        }
    }
}
