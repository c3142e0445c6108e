//! Affinity: which blocks a host prefers. `/calico/ipam/v2/host/<host>/ipv4/block/<cidr>`, with an
//! empty value, beside the `affinity` member of the block (facts 2.1).

use super::{Family, Ipam, block, block::Block, cidr::Cidr};
use crate::{
    error::{Result, forgive},
    etcd::{Cond, Error, cas},
    log,
};

impl Ipam<'_> {
    /// Where the names of the blocks are that this host prefers.
    pub(super) fn affinity_folder(&self, family: Family) -> String {
        format!("/calico/ipam/v2/host/{}/ipv{}/block", self.host, family.number())
    }

    /// The blocks that this host prefers.
    pub(super) fn affine_blocks(&self, family: Family) -> Result<Vec<Cidr>> {
        let names = self.client.names(&self.affinity_folder(family))?;
        let mut blocks: Vec<_> = names.iter().filter_map(|name| Cidr::from_key(name)).collect();
        blocks.retain(|cidr| cidr.is_block() && cidr.family() == family);
        blocks.sort_unstable();
        Ok(blocks)
    }

    /// All blocks that exist, whoever prefers them.
    pub(super) fn known_blocks(&self, family: Family) -> Result<Vec<Cidr>> {
        let names = self.client.names(&block::folder(family))?;
        Ok(names.iter().filter_map(|name| Cidr::from_key(name)).filter(|c| c.is_block()).collect())
    }

    /// Makes a block for this host. False where another host has it.
    ///
    /// The affinity is written first: a process that is killed before it writes the block leaves a
    /// preference for a block that does not exist, and the next request here completes it.
    pub(super) fn claim(&self, cidr: Cidr) -> Result<bool> {
        let affinity = format!("{}/{}", self.affinity_folder(cidr.family()), cidr.key());
        self.client.put(&affinity, "", Cond::Always).map_err(Error::from)?;
        let new = Block::empty(cidr, self.host).to_json();
        if cas::create(self.client, &block::key(cidr), &new)? {
            log::info(&format!("claimed block {cidr}"));
            return Ok(true);
        }
        let ours = match self.client.get(&block::key(cidr))? {
            Some(node) => {
                forgive(Block::read(cidr, &node))?.is_some_and(|block| block.prefers(self.host))
            }
            None => false,
        };
        if !ours {
            log::info(&format!("block {cidr} belongs to another host"));
            self.client.delete(&affinity, Cond::Always).map_err(Error::from)?;
        }
        Ok(ours)
    }
}
