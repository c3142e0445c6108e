//! `release`: give addresses back, by uid or by address. Addresses that are free already are fine.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::{
    Family, Ipam, block,
    block::Block,
    cidr::{BLOCK_SIZE, Cidr},
    handle::{self, Handle},
};
use crate::{
    error::{Error, Result, forgive},
    etcd::{
        Cond, Error as EtcdError, WriteError,
        cas::{self, Change, TRIES},
    },
    log, random,
};

type Lost = BTreeMap<Option<String>, u64>;

impl Ipam<'_> {
    /// Frees these addresses, whoever has them.
    pub fn release_ips(&self, ips: &[IpAddr]) -> Result<()> {
        for (cidr, ordinals) in by_block(ips) {
            if forgive(self.give_back(cidr, &ordinals, |_| true))? == Some(false) {
                log::warn(&format!("nothing to release in block {cidr}"));
            }
        }
        Ok(())
    }

    /// Frees those addresses of an endpoint that are still its own.
    ///
    /// net-modules releases a container's addresses before it asks for `cleanup` (facts 1.8), so by now another
    /// container may have them. A container's handle is made before its endpoint: an address with a
    /// handle that is younger than the endpoint (`created` is etcd's number of that write) is
    /// another's, and stays. So does one without a handle, which this plugin has not assigned.
    pub fn release_endpoint(&self, ips: &[IpAddr], created: u64) -> Result<()> {
        for (cidr, ordinals) in by_block(ips) {
            forgive(self.release_older(cidr, &ordinals, created))?;
        }
        Ok(())
    }

    fn release_older(&self, cidr: Cidr, ordinals: &[usize], created: u64) -> Result<()> {
        let Some(node) = self.client.get(&block::key(cidr))? else { return Ok(()) };
        let block = Block::read(cidr, &node)?;
        let mut own = BTreeSet::new();
        let holders = ordinals.iter().filter_map(|ordinal| block.handle_of(*ordinal));
        for uid in holders.collect::<BTreeSet<_>>() {
            let handle = self.client.get(&handle::key(uid))?;
            if handle.is_some_and(|handle| handle.created > created) {
                log::info(&format!("what {uid} has in {cidr} is another's now and stays"));
            } else {
                own.insert(uid);
            }
        }
        if !own.is_empty() {
            self.give_back(cidr, ordinals, |known| known.is_some_and(|uid| own.contains(uid)))?;
        }
        Ok(())
    }

    /// Frees everything that has this handle, and the handle. The blocks are searched, whatever the
    /// handle counts, so a handle that a killed process left wrong is no obstacle. And not only those that it
    /// counts: a release by address that was killed may have counted it down and left the addresses. That is
    /// looked for where this host takes its addresses from; elsewhere a release by address finds them.
    pub fn release_uid(&self, uid: &str) -> Result<()> {
        let families = [Family::V4, Family::V6];
        let folders = families.map(|family| self.affinity_folder(family));
        self.client.read_ahead(std::iter::once(handle::key(uid)).chain(folders));
        for attempt in 0..TRIES {
            let node = self.client.get(&handle::key(uid))?;
            let handle = node.as_ref().map(|node| forgive(Handle::read(uid, node))).transpose()?;
            let counted: BTreeSet<Cidr> =
                handle.iter().flatten().flat_map(Handle::blocks).collect();
            let mut blocks = counted.clone();
            for family in families {
                blocks.extend(self.affinities(family)?.iter().map(|affinity| affinity.block));
            }
            let mut unreadable = BTreeSet::new();
            for cidr in blocks {
                if forgive(self.release_from(cidr, uid))?.is_none() {
                    unreadable.insert(cidr);
                }
            }
            // A handle that cannot be read, or leads to a block that cannot, stays for whoever mends that.
            let is_done = counted.is_disjoint(&unreadable);
            let (Some(node), Some(Some(_)), true) = (node, handle, is_done) else { return Ok(()) };
            match self.client.delete(&handle::key(uid), Cond::Index(node.index)) {
                Ok(()) => return Ok(()),
                // The handle has changed, so there may be more to free.
                Err(WriteError::Conflict | WriteError::Unknown(_)) => random::back_off(attempt),
                Err(WriteError::Failed(error)) => return Err(error.into()),
            }
        }
        Err(EtcdError::Contention { key: handle::key(uid) }.into())
    }

    /// Frees addresses of a block and counts them off their handles; false where there is nothing to free.
    fn give_back(
        &self,
        cidr: Cidr,
        ordinals: &[usize],
        wanted: impl Fn(Option<&str>) -> bool,
    ) -> Result<bool> {
        self.change_block(cidr, ordinals, &wanted, |block, lost| {
            let handles = lost.iter().filter_map(|(uid, count)| Some((uid.as_ref()?, *count)));
            for (uid, count) in handles {
                // The addresses are worth more than their count.
                forgive(self.count_down(uid, cidr, count, block.count_of(uid)))?;
            }
            Ok(())
        })
    }

    /// Frees those addresses of a block that have this handle.
    fn release_from(&self, cidr: Cidr, uid: &str) -> Result<bool> {
        let all: Vec<usize> = (0..BLOCK_SIZE).collect();
        self.change_block(cidr, &all, |known| known == Some(uid), |_, _| Ok(()))
    }

    /// Frees addresses of a block; `before` is told what the block will be, and what each handle loses by that.
    fn change_block(
        &self,
        cidr: Cidr,
        ordinals: &[usize],
        wanted: impl Fn(Option<&str>) -> bool,
        mut before: impl FnMut(&Block, &Lost) -> Result<()>,
    ) -> Result<bool> {
        cas::update(self.client, &block::key(cidr), |node| {
            let Some(node) = node else { return Ok(Change::Keep(false)) };
            let mut block = Block::read(cidr, node)?;
            let lost = block.release(ordinals.iter().copied(), &wanted);
            if lost.is_empty() {
                return Ok(Change::Keep(false));
            }
            before(&block, &lost)?;
            Ok::<_, Error>(Change::Write(block.to_json(), true))
        })
    }
}

/// Addresses as numbers in their blocks.
fn by_block(ips: &[IpAddr]) -> BTreeMap<Cidr, Vec<usize>> {
    let mut blocks: BTreeMap<Cidr, Vec<usize>> = BTreeMap::new();
    for ip in ips {
        let cidr = Cidr::block_of(*ip);
        blocks.entry(cidr).or_default().extend(cidr.ordinal(*ip));
    }
    blocks
}
