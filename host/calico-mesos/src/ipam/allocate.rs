//! `allocate`: any free addresses. First from the blocks that this host prefers, then from a block that
//! is new, then from any block (facts 2.1 and what Calico's own client does).

use std::{collections::HashSet, net::IpAddr};

use super::{
    Family, Ipam,
    affinity::Affinity,
    block::{self, Block, Preference},
    cidr::Cidr,
    handle, pool,
    undo::Taken,
};
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
    /// Nothing: whoever prefers it, unless it is for that host alone.
    Any,
}

/// How taking addresses from one block ended.
enum Taking {
    /// These were taken: none where the block is full or cannot be read.
    Took(Vec<IpAddr>),
    /// It prefers another host, and that matters.
    Foreign,
    /// There is no such block.
    Missing,
}

/// The allocation of one family, under way.
struct Allocation<'a> {
    ipam: &'a Ipam<'a>,
    uid: &'a str,
    wanted: usize,
    got: Vec<IpAddr>,
    /// What would have to be taken back, of this family and others.
    taken: &'a mut Vec<Taken>,
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

    /// Whether `allocate` would find a free address now. Nothing is taken.
    pub fn has_room(&self, family: Family) -> Result<bool> {
        let pools = self.pools(family)?;
        let config = self.config()?;
        let known: HashSet<Cidr> = self.known_blocks(family)?.into_iter().collect();
        let is_new = |block: &Cidr| !known.contains(block);
        if config.auto_allocate_blocks
            && pools.iter().flat_map(|pool| pool.blocks()).any(|b| is_new(&b))
        {
            return Ok(true);
        }
        for cidr in known.iter().filter(|block| pools.iter().any(|pool| pool.contains(**block))) {
            let Some(node) = self.client.get(&block::key(*cidr))? else { continue };
            let Some(block) = forgive(Block::read(*cidr, &node))? else { continue };
            let is_free_to_others = !config.strict_affinity && !block.is_strict();
            if !block.free(1).is_empty() && (is_free_to_others || block.prefers(self.host)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What an allocation reads in any case, beside the blocks themselves.
    fn needed(&self, request: &Allocate) -> Vec<String> {
        let mut keys = Vec::new();
        for (family, wanted) in families(request) {
            keys.push(self.affinity_folder(family));
            if wanted > 0 {
                keys.push(pool::folder(family));
            }
        }
        keys.push(handle::key(&request.uid));
        // Nothing wanted, nothing read.
        if request.num_ipv4 + request.num_ipv6 == 0 {
            keys.clear();
        }
        keys
    }

    /// Looks at the affinities of a family of which no address is wanted: nobody else would.
    fn settle_family(&self, family: Family) {
        let settled = self.affinities(family).and_then(|affinities| {
            if !affinities.is_empty() {
                self.settle_all(&affinities, &self.pools(family)?);
            }
            Ok(())
        });
        if let Err(error) = settled {
            log::warn(&format!("cannot look at IPv{} affinities: {error}", family.number()));
        }
    }

    fn allocate_both(
        &self,
        request: &Allocate,
        taken: &mut Vec<Taken>,
    ) -> Result<(Vec<IpAddr>, Vec<IpAddr>)> {
        let mut family = |family, wanted| {
            let uid = &request.uid;
            Allocation { ipam: self, uid, wanted, got: Vec::new(), taken }.of_family(family)
        };
        let v4 = family(Family::V4, request.num_ipv4)?;
        let v6 = family(Family::V6, request.num_ipv6)?;
        let wanted = request.num_ipv4 + request.num_ipv6;
        if wanted > 0 && v4.is_empty() && v6.is_empty() {
            return Err(Error::request(format!(
                "Unable to auto assign {} IPv4 and {} IPv6 addresses on host {}: no pool has a \
                 free address",
                request.num_ipv4, request.num_ipv6, self.host
            )));
        }
        for (unwanted, _) in families(request).into_iter().filter(|(_, count)| *count == 0) {
            if wanted > 0 {
                self.settle_family(unwanted);
            }
        }
        if v4.len() + v6.len() < wanted {
            log::warn(&format!("only {} of {wanted} addresses are free", v4.len() + v6.len()));
        }
        Ok((v4, v6))
    }
}

/// How many addresses of each family are wanted.
fn families(request: &Allocate) -> [(Family, usize); 2] {
    [(Family::V4, request.num_ipv4), (Family::V6, request.num_ipv6)]
}

impl Allocation<'_> {
    fn of_family(mut self, family: Family) -> Result<Vec<IpAddr>> {
        if self.wanted == 0 {
            return Ok(self.got);
        }
        let own = self.ipam.affinities(family)?;
        let pools = self.ipam.pools(family)?;
        // A pool that was removed or is no longer for IPAM gives no new addresses.
        let in_pool = |affinity: &Affinity| pools.iter().any(|pool| pool.contains(affinity.block));
        let (affine, mut unused): (Vec<_>, Vec<_>) = own.into_iter().partition(in_pool);
        let choice = if affine.len() == 1 { Choice::Sole } else { Choice::Preferred };
        let mut affine_blocks = Vec::new();
        for affinity in affine {
            if self.is_complete() {
                unused.push(affinity);
            } else if self.take_from_own(affinity, choice)? {
                affine_blocks.push(affinity.block);
            }
        }
        if !self.is_complete() {
            self.take_from_others(family, &pools, &affine_blocks)?;
        }
        self.ipam.settle_all(&unused, &pools);
        Ok(self.got)
    }

    /// Takes from a block that this host has an affinity to; false where it is another's, and the affinity gone.
    fn take_from_own(&mut self, affinity: Affinity, choice: Choice) -> Result<bool> {
        match self.take_from(affinity.block, choice)? {
            Taking::Took(_) => Ok(true),
            Taking::Foreign => {
                self.ipam.drop_affinity(affinity)?;
                Ok(false)
            }
            Taking::Missing => {
                let claimed = self.ipam.claim(affinity.block, self.ipam.config()?)?;
                if claimed {
                    self.take_from(affinity.block, Choice::Preferred)?;
                }
                Ok(claimed)
            }
        }
    }

    fn is_complete(&self) -> bool {
        self.got.len() == self.wanted
    }

    /// Takes from new blocks, and where there is none left, from every other block in random order; as far as the
    /// cluster's rules let it.
    fn take_from_others(&mut self, family: Family, pools: &[Cidr], affine: &[Cidr]) -> Result<()> {
        if pools.is_empty() {
            return Ok(());
        }
        let config = self.ipam.config()?;
        let mut known: HashSet<Cidr> = self.ipam.known_blocks(family)?.into_iter().collect();
        let mut unused = pools.iter().flat_map(|pool| pool.blocks());
        while config.auto_allocate_blocks && !self.is_complete() {
            let Some(cidr) = unused.by_ref().find(|cidr| !known.contains(cidr)) else { break };
            known.insert(cidr);
            if self.ipam.claim(cidr, config)? {
                self.take_from(cidr, Choice::Preferred)?;
            }
        }
        if config.strict_affinity {
            return Ok(());
        }
        let mut rest: Vec<Cidr> = known.into_iter().collect();
        rest.retain(|block| {
            !affine.contains(block) && pools.iter().any(|pool| pool.contains(*block))
        });
        fastrand::shuffle(&mut rest);
        for cidr in rest {
            if self.is_complete() {
                break;
            }
            self.take_from(cidr, Choice::Any)?;
        }
        Ok(())
    }

    /// Takes what is still wanted, or a part of it, from one block.
    fn take_from(&mut self, cidr: Cidr, choice: Choice) -> Result<Taking> {
        let mut part = Taken { block: cidr, ordinals: Vec::new(), counted: 0 };
        let result = self.take(&mut part, choice);
        // After an error as well.
        if part.counted > 0 {
            self.taken.push(part);
        }
        let taking = result?;
        if let Taking::Took(addresses) = &taking {
            self.got.extend(addresses);
        }
        Ok(taking)
    }

    /// Takes addresses of one block. `part` always says what would have to be undone.
    fn take(&self, part: &mut Taken, choice: Choice) -> Result<Taking> {
        let (client, count) = (self.ipam.client, self.wanted - self.got.len());
        let key = block::key(part.block);
        if choice == Choice::Sole {
            // What will be counted is known before the block is: neither waits for the other.
            client.read_ahead([key.clone()]);
            self.count_to(part, count)?;
        }
        let mut fate_unknown = false;
        for attempt in 0..TRIES {
            let Some(node) = client.get(&key)? else {
                self.count_to(part, 0)?;
                return Ok(Taking::Missing);
            };
            let block = forgive(Block::read(part.block, &node))?;
            let ours = |block: &Block| {
                let is_ours = |ordinal: &usize| block.handle_of(*ordinal) == Some(self.uid);
                part.ordinals.iter().all(is_ours)
            };
            if fate_unknown && block.as_ref().is_some_and(ours) {
                return Ok(Taking::Took(part.addresses()));
            }
            // Known also of a block that cannot be read otherwise.
            let preference = Preference::of(&node);
            let is_preferred = preference.is(self.ipam.host);
            if choice != Choice::Any && !is_preferred && preference != Preference::Unknown {
                self.count_to(part, 0)?;
                return Ok(Taking::Foreign);
            }
            let Some(mut block) = block else { return self.take_nothing(part) };
            let free = block.free(count);
            if free.is_empty() || (block.is_strict() && !is_preferred) {
                return self.take_nothing(part);
            }
            self.count_to(part, free.len())?;
            block.assign(&free, self.uid);
            part.ordinals = free;
            match client.put(&key, &block.to_json(), Cond::Index(node.index)) {
                Ok(()) => return Ok(Taking::Took(part.addresses())),
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
        Err(EtcdError::Contention { key }.into())
    }

    fn take_nothing(&self, part: &mut Taken) -> Result<Taking> {
        self.count_to(part, 0)?;
        Ok(Taking::Took(Vec::new()))
    }

    /// Brings the handle's count for this block to `count` more than before the request. It is done
    /// before the block is written, and kept from one try to the next.
    fn count_to(&self, part: &mut Taken, count: usize) -> Result<()> {
        let before = part.counted;
        // Counted first: should the call fail after it took effect, the rollback counts it back.
        part.counted = before.max(count);
        if count > before {
            self.ipam.count_up(self.uid, part.block, count - before)?;
        } else if count < before {
            self.ipam.count_down(self.uid, part.block, (before - count) as u64, 0)?;
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
