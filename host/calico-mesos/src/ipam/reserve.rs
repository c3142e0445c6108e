//! `reserve`: the very addresses that are asked for, all or none.

use std::net::IpAddr;

use super::{Family, Ipam, block, block::Block, cidr::Cidr, undo::Taken};
use crate::{
    error::{Error, Result},
    etcd::cas::{self, Change, TRIES},
    protocol::Reserve,
};

/// How an address was found.
enum Found {
    /// Nobody had it. After a write it is ours.
    Free,
    /// Somebody has it.
    InUse,
    /// It is for the host alone that the block prefers.
    Reserved,
    NoBlock,
}

impl Ipam<'_> {
    /// Answers `reserve` with what would have to be taken back for it. When one address cannot be had, those
    /// already taken are given back.
    pub fn reserve(&self, request: &Reserve) -> Result<Vec<Taken>> {
        let mut taken = Vec::new();
        let result = request
            .addresses
            .iter()
            .try_for_each(|ip| self.reserve_one(ip, &request.uid, &mut taken));
        if result.is_err() {
            self.roll_back(&request.uid, &taken);
        }
        result.map(|()| taken)
    }

    fn reserve_one(&self, ip: IpAddr, uid: &str, taken: &mut Vec<Taken>) -> Result<()> {
        let cidr = Cidr::block_of(ip);
        let in_use = || Error::request(format!("IP '{ip}' already in use."));
        let of_another = || {
            Error::request(format!(
                "IP '{ip}' is in a block of another host, and strict affinity is on."
            ))
        };
        // `block_of` makes the block that the address is in.
        let ordinal = cidr.ordinal(ip).ok_or_else(in_use)?;
        let mut part = None;
        for _ in 0..TRIES {
            // An address that is surely taken needs no write at all.
            match self.look(cidr, ordinal)? {
                Found::InUse => return Err(in_use()),
                Found::Reserved => return Err(of_another()),
                Found::NoBlock => {
                    self.check_pool(cidr.family(), ip)?;
                    // Another host may have claimed it meanwhile; what that means, the next look says.
                    self.claim(cidr, self.config()?)?;
                    continue;
                }
                Found::Free => {}
            }
            let part = *part.get_or_insert_with(|| {
                taken.push(Taken { block: cidr, ordinals: Vec::new(), counted: 0 });
                taken.len() - 1
            });
            if taken[part].counted == 0 {
                taken[part].counted = 1;
                self.count_up(uid, cidr, 1)?;
            }
            match self.write_reservation(&mut taken[part], ordinal, uid)? {
                Found::Free => return Ok(()),
                Found::InUse => return Err(in_use()),
                Found::Reserved => return Err(of_another()),
                Found::NoBlock => {}
            }
        }
        Err(crate::etcd::Error::Contention { key: block::key(cidr) }.into())
    }

    /// Writes the address into its block. `part` always says what would have to be undone.
    fn write_reservation(&self, part: &mut Taken, ordinal: usize, uid: &str) -> Result<Found> {
        let cidr = part.block;
        cas::update(self.client, &block::key(cidr), |node| {
            let Some(node) = node else { return Ok(Change::Keep(Found::NoBlock)) };
            let mut block = Block::read(cidr, node)?;
            if !block.is_free(ordinal) {
                // A write of unknown fate may have happened, with another's on top of it.
                if !part.ordinals.is_empty() && block.handle_of(ordinal) == Some(uid) {
                    return Ok(Change::Keep(Found::Free));
                }
                part.ordinals.clear();
                return Ok(Change::Keep(Found::InUse));
            }
            if !self.may_take_from(&block)? {
                part.ordinals.clear();
                return Ok(Change::Keep(Found::Reserved));
            }
            part.ordinals = vec![ordinal];
            block.assign(&[ordinal], uid);
            Ok::<_, Error>(Change::Write(block.to_json(), Found::Free))
        })
    }

    /// Whether the address is to be had.
    fn look(&self, cidr: Cidr, ordinal: usize) -> Result<Found> {
        let Some(node) = self.client.get(&block::key(cidr))? else { return Ok(Found::NoBlock) };
        let block = Block::read(cidr, &node)?;
        Ok(match (block.is_free(ordinal), self.may_take_from(&block)?) {
            (false, _) => Found::InUse,
            (true, false) => Found::Reserved,
            (true, true) => Found::Free,
        })
    }

    /// Whether this host may take addresses of a block.
    fn may_take_from(&self, block: &Block) -> Result<bool> {
        Ok(block.prefers(self.host) || !(block.is_strict() || self.config()?.strict_affinity))
    }

    fn check_pool(&self, family: Family, ip: IpAddr) -> Result<()> {
        if self.pools(family)?.iter().any(|pool| pool.has(ip)) {
            return Ok(());
        }
        Err(Error::request(format!("IP '{ip}' is not in any configured pool.")))
    }
}
