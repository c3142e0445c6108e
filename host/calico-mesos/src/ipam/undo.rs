//! Taking back what an unfinished request has done.

use super::{Ipam, block, block::Block, cidr::Cidr};
use crate::{
    deadline::Deadline,
    error::{Error, Result},
    etcd::cas::{self, Change},
    log, settings,
};

/// Addresses of one block that a request has taken, or tried to take.
#[derive(Debug)]
pub struct Taken {
    /// The block.
    pub block: Cidr,
    /// The addresses, as numbers in the block.
    pub ordinals: Vec<usize>,
    /// How many the handle was counted up for them.
    pub counted: usize,
}

impl Ipam<'_> {
    /// Takes everything back, within a time of its own. What cannot be taken back now is logged and
    /// stays on the handle, so that `release` by uid finds it.
    pub(crate) fn roll_back(&self, uid: &str, taken: &[Taken]) {
        self.client.begin_rollback(Deadline::after(settings::ROLLBACK));
        for part in taken {
            match self.undo(uid, part) {
                Ok(()) => log::info(&format!("rolled back {} on {}", part.counted, part.block)),
                Err(error) => log::error(&format!(
                    "cannot roll back: {error}; release by uid {uid} will free what is left"
                )),
            }
        }
    }

    /// Takes one part back: the block first, the handle after it.
    fn undo(&self, uid: &str, part: &Taken) -> Result<()> {
        // Where it is not known whether the block was written, the addresses may be free, or another's.
        let keeps = cas::update(self.client, &block::key(part.block), |node| {
            let Some(node) = node else { return Ok(Change::Keep(0)) };
            let mut block = Block::read(part.block, node)?;
            let lost = block.release(part.ordinals.iter().copied(), |known| known == Some(uid));
            let keeps = block.count_of(uid);
            Ok::<_, Error>(if lost.is_empty() {
                Change::Keep(keeps)
            } else {
                Change::Write(block.to_json(), keeps)
            })
        })?;
        // Nor is it known whether the handle was counted up; what the uid had before stays counted.
        self.count_down(uid, part.block, part.counted as u64, keeps)
    }
}
