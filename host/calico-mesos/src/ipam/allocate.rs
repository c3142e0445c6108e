//! `allocate`: any free addresses. First from the blocks that this host prefers, then from a block that
//! is new, then from any block (facts 2.1 and what Calico's own client does).

use std::{collections::HashSet, net::IpAddr};

use super::{Family, Ipam, block, block::Block, cidr::Cidr, handle, pool, undo::Taken};
use crate::{
    error::{Error, Result, forgive},
    etcd::{Cond, Error as EtcdError, WriteError, cas::TRIES},
    log,
    protocol::Allocate,
    random,
};

/// What is expected of a block.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Choice {
    /// It is the only one that this host prefers, which is the usual case: it exists and has room.
    Sole,
    /// This host prefers it, or nothing is taken.
    Preferred,
    /// Nothing: whoever prefers it.
    Any,
}

/// How taking addresses from one block ended.
enum Block64 {
    /// The addresses; none where the block is full, or cannot be read.
    Took(Vec<IpAddr>),
    /// The block prefers another host, and that matters here.
    Foreign,
    /// There is no such block.
    Missing,
}

impl Ipam<'_> {
    /// Answers `allocate`: the IPv4 and the IPv6 addresses, and what would have to be taken back for them.
    ///
    /// A pool that runs out gives fewer addresses without an error, as in the original (facts 1.7); but
    /// where addresses were wanted and there is none at all, that is an error.
    pub fn allocate(&self, request: &Allocate) -> Result<(Vec<IpAddr>, Vec<IpAddr>, Vec<Taken>)> {
        self.client.read_ahead(self.needed(request));
        let mut taken = Vec::new();
        match self.allocate_both(request, &mut taken) {
            Ok((v4, v6)) => Ok((v4, v6, taken)),
            Err(error) => {
                self.roll_back(&request.uid, &taken);
                Err(error)
            }
        }
    }

    /// What an allocation reads in any case, beside the blocks themselves.
    fn needed(&self, request: &Allocate) -> Vec<String> {
        let families = [(Family::V4, request.num_ipv4), (Family::V6, request.num_ipv6)];
        let wanted = families.into_iter().filter(|(_, count)| *count > 0);
        let folders = |(family, _)| [self.affinity_folder(family), pool::folder(family)];
        let mut keys: Vec<String> = wanted.flat_map(folders).collect();
        // Nothing wanted, nothing read.
        if !keys.is_empty() {
            keys.push(handle::key(&request.uid));
        }
        keys
    }

    fn allocate_both(
        &self,
        request: &Allocate,
        taken: &mut Vec<Taken>,
    ) -> Result<(Vec<IpAddr>, Vec<IpAddr>)> {
        let v4 = self.allocate_family(Family::V4, request.num_ipv4, &request.uid, taken)?;
        let v6 = self.allocate_family(Family::V6, request.num_ipv6, &request.uid, taken)?;
        let wanted = request.num_ipv4 + request.num_ipv6;
        if wanted > 0 && v4.is_empty() && v6.is_empty() {
            return Err(Error::request(format!(
                "Unable to auto assign {} IPv4 and {} IPv6 addresses on host {}: no pool has a \
                 free address",
                request.num_ipv4, request.num_ipv6, self.host
            )));
        }
        if v4.len() + v6.len() < wanted {
            log::warn(&format!("only {} of {wanted} addresses are free", v4.len() + v6.len()));
        }
        Ok((v4, v6))
    }

    fn allocate_family(
        &self,
        family: Family,
        wanted: usize,
        uid: &str,
        taken: &mut Vec<Taken>,
    ) -> Result<Vec<IpAddr>> {
        let mut got: Vec<IpAddr> = Vec::new();
        if wanted == 0 {
            return Ok(got);
        }
        let mut affine = self.affine_blocks(family)?;
        let pools = self.pools(family)?;
        // A pool that was removed or is no longer for IPAM gives no new addresses.
        affine.retain(|block| pools.iter().any(|pool| pool.contains(*block)));
        let choice = if affine.len() == 1 { Choice::Sole } else { Choice::Preferred };
        for cidr in affine.iter().copied() {
            if got.len() == wanted {
                return Ok(got);
            }
            if let Block64::Missing = self.take_into(&mut got, cidr, wanted, uid, choice, taken)?
                && self.claim(cidr)?
            {
                self.take_into(&mut got, cidr, wanted, uid, Choice::Preferred, taken)?;
            }
        }
        if got.len() < wanted {
            self.take_from_others(&mut got, &pools, &affine, wanted, uid, taken)?;
        }
        Ok(got)
    }

    /// Takes from new blocks, and where there is none left, from every other block in random order.
    fn take_from_others(
        &self,
        got: &mut Vec<IpAddr>,
        pools: &[Cidr],
        affine: &[Cidr],
        wanted: usize,
        uid: &str,
        taken: &mut Vec<Taken>,
    ) -> Result<()> {
        let Some(family) = pools.first().map(|pool| pool.family()) else { return Ok(()) };
        let mut known: HashSet<Cidr> = self.known_blocks(family)?.into_iter().collect();
        let mut unused = pools.iter().flat_map(|pool| pool.blocks());
        while got.len() < wanted {
            let Some(cidr) = unused.by_ref().find(|cidr| !known.contains(cidr)) else { break };
            known.insert(cidr);
            if self.claim(cidr)? {
                self.take_into(got, cidr, wanted, uid, Choice::Preferred, taken)?;
            }
        }
        let mut rest: Vec<Cidr> = known.into_iter().collect();
        rest.retain(|block| {
            !affine.contains(block) && pools.iter().any(|pool| pool.contains(*block))
        });
        random::shuffle(&mut rest);
        for cidr in rest {
            if got.len() == wanted {
                break;
            }
            self.take_into(got, cidr, wanted, uid, Choice::Any, taken)?;
        }
        Ok(())
    }

    fn take_into(
        &self,
        got: &mut Vec<IpAddr>,
        cidr: Cidr,
        wanted: usize,
        uid: &str,
        choice: Choice,
        taken: &mut Vec<Taken>,
    ) -> Result<Block64> {
        let part = Taken { block: cidr, ordinals: Vec::new(), counted: 0 };
        taken.push(part);
        // The entry was pushed a line ago, and `take` gets nothing else of the list.
        let Some(part) = taken.last_mut() else { return Ok(Block64::Missing) };
        let count = wanted - got.len();
        if choice == Choice::Sole {
            // What will be counted is known before the block is: neither waits for the other.
            self.client.read_ahead([block::key(cidr)]);
            self.count_to(part, count, uid)?;
        }
        let result = self.take(part, count, uid, choice != Choice::Any)?;
        if let Block64::Took(addresses) = &result {
            got.extend(addresses);
        }
        if part.counted == 0 {
            taken.pop();
        }
        Ok(result)
    }

    /// Takes up to `count` addresses of one block. `part` always says what would have to be undone.
    fn take(&self, part: &mut Taken, count: usize, uid: &str, preferred: bool) -> Result<Block64> {
        let mut fate_unknown = false;
        for attempt in 0..TRIES {
            let Some(node) = self.client.get(&block::key(part.block))? else {
                self.count_to(part, 0, uid)?;
                return Ok(Block64::Missing);
            };
            let Some(mut block) = forgive(Block::read(part.block, &node))? else {
                self.count_to(part, 0, uid)?;
                return Ok(Block64::Took(Vec::new()));
            };
            let ours = |ordinal: &usize| block.handle_of(*ordinal) == Some(uid);
            if fate_unknown && part.ordinals.iter().all(ours) {
                return Ok(Block64::Took(part.addresses()));
            }
            if preferred && !block.prefers(self.host) {
                self.count_to(part, 0, uid)?;
                return Ok(Block64::Foreign);
            }
            let free = block.free(count);
            self.count_to(part, free.len(), uid)?;
            if free.is_empty() {
                return Ok(Block64::Took(Vec::new()));
            }
            block.assign(&free, uid);
            part.ordinals = free;
            match self.client.put(
                &block::key(part.block),
                &block.to_json(),
                Cond::Index(node.index),
            ) {
                Ok(()) => return Ok(Block64::Took(part.addresses())),
                // Lost maybe to the write of unknown fate, which has come in after all.
                Err(WriteError::Conflict) => {}
                Err(WriteError::Unknown(error)) => {
                    log::warn(&format!("reading block {} again: {error}", part.block));
                    fate_unknown = true;
                }
                Err(WriteError::Failed(error)) => return Err(error.into()),
            }
            random::back_off(attempt);
        }
        Err(EtcdError::Contention { key: block::key(part.block) }.into())
    }

    /// Brings the handle's count for this block to `count` more than before the request. It is done
    /// before the block is written, and kept from one try to the next.
    fn count_to(&self, part: &mut Taken, count: usize, uid: &str) -> Result<()> {
        let before = part.counted;
        // Counted first: should the call fail after it took effect, the rollback counts it back.
        part.counted = before.max(count);
        if count > before {
            self.count_up(uid, part.block, count - before)?;
        } else if count < before {
            self.count_down(uid, part.block, (before - count) as u64, 0)?;
        }
        part.counted = count;
        Ok(())
    }
}

impl Taken {
    fn addresses(&self) -> Vec<IpAddr> {
        self.ordinals.iter().map(|ordinal| self.block.nth(*ordinal)).collect()
    }
}
