//! Affinity: which blocks a host prefers. `/calico/ipam/v2/host/<host>/ipv4/block/<cidr>`, with an
//! empty value, beside the `affinity` member of the block (facts 2.1), which is the one that decides.
//!
//! BIRD makes a blackhole of each affinity of its host, whatever the block says (facts 2.3): one that does not agree
//! with its block cuts the block's containers off. Two keys cannot be written at once, so whoever is killed between them
//! leaves one, and others go on meanwhile. Hence three rules. Who removes an affinity has read first the
//! affinity, then the block, and removes only what he has read. Who claims a block writes the affinity, then the block,
//! then the affinity again: somebody may have taken the first one for stale. And every `allocate` looks
//! at all affinities of its host.

use super::{
    Family, Ipam,
    block::{self, Block, Preference},
    cidr::Cidr,
    config::Config,
};
use crate::{
    error::Result,
    etcd::{Cond, Error, WriteError, cas},
    log,
};

/// An affinity of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Affinity {
    /// The block that is preferred.
    pub block: Cidr,
    /// The version of the key.
    pub index: u64,
}

/// Where the names of the blocks are that a host prefers.
pub fn folder(host: &str, family: Family) -> String {
    format!("/calico/ipam/v2/host/{host}/ipv{}/block", family.number())
}

/// The key of one of them.
pub fn key(host: &str, block: Cidr) -> String {
    format!("{}/{}", folder(host, block.family()), block.key())
}

impl Ipam<'_> {
    /// Where the names of the blocks are that this host prefers.
    pub(super) fn affinity_folder(&self, family: Family) -> String {
        folder(self.host, family)
    }

    /// The affinities of this host.
    pub fn affinities(&self, family: Family) -> Result<Vec<Affinity>> {
        let nodes = self.client.list(&self.affinity_folder(family))?;
        let mut affinities: Vec<_> = nodes
            .iter()
            .filter_map(|node| Some((Cidr::from_key(node.name())?, node.index)))
            .filter(|(block, _)| block.is_block() && block.family() == family)
            .map(|(block, index)| Affinity { block, index })
            .collect();
        affinities.sort_unstable();
        Ok(affinities)
    }

    /// All blocks that exist, whoever prefers them.
    pub fn known_blocks(&self, family: Family) -> Result<Vec<Cidr>> {
        let names = self.client.names(&block::folder(family))?;
        Ok(names.iter().filter_map(|name| Cidr::from_key(name)).filter(|c| c.is_block()).collect())
    }

    /// Makes a block for this host. False where another host has it.
    pub(super) fn claim(&self, cidr: Cidr, config: Config) -> Result<bool> {
        self.prefer(cidr)?;
        let new = Block::empty(cidr, self.host, config).to_json();
        if cas::create(self.client, &block::key(cidr), &new)? {
            self.prefer(cidr)?;
            log::info(&format!("claimed block {cidr}"));
            return Ok(true);
        }
        let affinity = self.client.get(&key(self.host, cidr))?;
        let ours = self.preference(cidr)?.is_some_and(|preference| preference.is(self.host));
        match affinity {
            Some(node) if !ours => {
                self.drop_affinity(Affinity { block: cidr, index: node.index })?;
            }
            None if ours => self.prefer(cidr)?,
            _ => {}
        }
        Ok(ours)
    }

    /// Writes the affinity, so that its version is a new one.
    fn prefer(&self, cidr: Cidr) -> Result<()> {
        Ok(self.client.put(&key(self.host, cidr), "", Cond::Always).map_err(Error::from)?)
    }

    /// Whom a block prefers; none where there is no such block.
    pub(super) fn preference(&self, cidr: Cidr) -> Result<Option<Preference>> {
        Ok(self.client.get(&block::key(cidr))?.as_ref().map(Preference::of))
    }

    /// Removes an affinity of the host that its block does not agree with, unless somebody has written it anew since
    /// it was read. The block must have been read after it. Whether it was there to be removed.
    pub fn drop_affinity(&self, stale: Affinity) -> Result<bool> {
        match self.client.delete(&key(self.host, stale.block), Cond::Index(stale.index)) {
            Ok(()) => {
                log::warn(&format!(
                    "block {} is not {}'s: dropped its affinity",
                    stale.block, self.host
                ));
                Ok(true)
            }
            Err(WriteError::Conflict) => Ok(false),
            Err(error @ (WriteError::Unknown(_) | WriteError::Failed(_))) => {
                Err(Error::from(error).into())
            }
        }
    }

    /// Sees to it that an affinity of this host agrees with its block. Without a block, who claimed it was killed, or
    /// is about to make it: the claim is completed, or, where it is in no pool any more, given up.
    pub fn settle(&self, affinity: Affinity, is_in_pool: bool) -> Result<()> {
        match self.preference(affinity.block)? {
            None if is_in_pool => drop(self.claim(affinity.block, self.config()?)?),
            Some(preference) if preference.is(self.host) => {}
            // It may be this host's.
            Some(Preference::Unknown) => {}
            None | Some(_) => drop(self.drop_affinity(affinity)?),
        }
        Ok(())
    }

    /// Removes the affinity of a host to a block that is not its own, or does not exist; whether it was there.
    pub fn drop_if_stale(&self, block: Cidr) -> Result<bool> {
        let Some(affinity) = self.client.get(&key(self.host, block))? else { return Ok(false) };
        match self.preference(block)? {
            Some(Preference::Unknown) => Ok(false),
            Some(preference) if preference.is(self.host) => Ok(false),
            None | Some(_) => self.drop_affinity(Affinity { block, index: affinity.index }),
        }
    }

    /// Gives a host the affinity to a block of its own; whether it was missing.
    pub fn restore(&self, block: Cidr) -> Result<bool> {
        let is_ours = self.preference(block)?.is_some_and(|preference| preference.is(self.host));
        if !is_ours || !cas::create(self.client, &key(self.host, block), "")? {
            return Ok(false);
        }
        // The host may have given the block up meanwhile.
        Ok(!self.drop_if_stale(block)?)
    }

    /// Settles the affinities that a request had no use for. What goes wrong here is no reason to refuse it: the
    /// next one looks again.
    pub(super) fn settle_all(&self, affinities: &[Affinity], pools: &[Cidr]) {
        self.client.read_ahead(affinities.iter().map(|affinity| block::key(affinity.block)));
        for affinity in affinities {
            let is_in_pool = pools.iter().any(|pool| pool.contains(affinity.block));
            if let Err(error) = self.settle(*affinity, is_in_pool) {
                return log::warn(&format!("cannot look at affinity {}: {error}", affinity.block));
            }
        }
    }
}
