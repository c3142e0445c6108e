//! Handles: `/calico/ipam/v2/handle/<uid>`, JSON `id` and `block` (block to number of addresses; facts
//! 2.1). A handle that counts nothing is deleted; one with other members is left alone, since nobody knows what would
//! have to be kept true there.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Ipam, cidr::Cidr};
use crate::{
    error::Result,
    etcd::{
        Error, Node,
        cas::{self, Change},
    },
    log,
};

/// Where a handle is.
pub fn key(uid: &str) -> String {
    format!("/calico/ipam/v2/handle/{uid}")
}

/// A handle as it stands in etcd.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handle {
    /// libcalico-go leaves it out.
    #[serde(default)]
    id: String,
    block: BTreeMap<String, u64>,
}

impl Handle {
    /// Reads a handle.
    pub fn read(uid: &str, node: &Node) -> std::result::Result<Self, Error> {
        let handle: Self = serde_json::from_str(&node.value)
            .map_err(|e| Error::Corrupt { key: key(uid), cause: e.to_string() })?;
        Ok(Self { id: uid.to_owned(), ..handle })
    }

    /// The blocks that it counts addresses in.
    pub fn blocks(&self) -> impl Iterator<Item = Cidr> + '_ {
        self.block.keys().filter_map(|text| Cidr::parse(text)).filter(|cidr| cidr.is_block())
    }

    fn change(self) -> Change<()> {
        if self.block.is_empty() {
            return Change::Delete(());
        }
        // Strings and numbers: there is nothing that could fail.
        Change::Write(serde_json::to_string(&self).unwrap_or_default(), ())
    }
}

impl Ipam<'_> {
    /// Counts `count` more addresses of `block` on a handle, which is made where it is missing.
    pub(super) fn count_up(&self, uid: &str, block: Cidr, count: usize) -> Result<()> {
        cas::update(self.client, &key(uid), |node| {
            let mut handle = match node {
                Some(node) => Handle::read(uid, node)?,
                None => Handle { id: uid.to_owned(), block: BTreeMap::new() },
            };
            *handle.block.entry(block.to_string()).or_insert(0) += count as u64;
            Ok(handle.change())
        })
    }

    /// Counts `count` addresses of `block` less, but not below those that it `keeps` there: somebody else may be
    /// giving back the same ones. A handle that counts too few was cut short by a killed process: it is set
    /// right, not complained about.
    pub(super) fn count_down(&self, uid: &str, block: Cidr, count: u64, keeps: u64) -> Result<()> {
        cas::update(self.client, &key(uid), |node| {
            let Some(node) = node else {
                log::warn(&format!("handle {uid} is not there to be counted down"));
                return Ok(Change::Keep(()));
            };
            let mut handle = Handle::read(uid, node)?;
            let name = block.to_string();
            let known = handle.block.get(&name).copied().unwrap_or(0);
            let left = known.saturating_sub(count).max(keeps);
            if left == 0 {
                handle.block.remove(&name);
            } else {
                handle.block.insert(name, left);
            }
            Ok(handle.change())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_of_facts_2_1() {
        let block = BTreeMap::from([("192.168.0.0/26".to_owned(), 2)]);
        let handle = Handle { id: "uid-a".to_owned(), block };
        assert_eq!(handle.blocks().count(), 1);
        let Change::Write(text, ()) = handle.change() else { panic!() };
        assert_eq!(text, r#"{"id":"uid-a","block":{"192.168.0.0/26":2}}"#);
        let empty = Handle { id: "uid-a".to_owned(), block: BTreeMap::new() };
        assert!(matches!(empty.change(), Change::Delete(())));
    }

    #[test]
    fn handles_of_other_clients() {
        let read = |text: &str| {
            let node = serde_json::json!({"key": "/x", "value": text});
            Handle::read("uid-a", &serde_json::from_value(node).unwrap())
        };
        let Change::Write(text, ()) = read(r#"{"block":{"10.0.0.0/26":1}}"#).unwrap().change()
        else {
            panic!()
        };
        assert_eq!(text, r#"{"id":"uid-a","block":{"10.0.0.0/26":1}}"#);
        assert!(read(r#"{"id":"uid-a","block":{},"deleted":true}"#).is_err());
    }
}
