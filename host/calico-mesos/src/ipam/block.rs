//! A block: 64 addresses, `/calico/ipam/v2/assignment/ipv4/block/<cidr>` (facts 2.1). JSON `cidr`,
//! `affinity` ("host:<name>"), `allocations` (64 times null or an index) and `attributes` (what the
//! indexes point to: `handle_id` and `secondary`). Members that others add are kept.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::cidr::{BLOCK_SIZE, Cidr};
use crate::etcd::{Error, Node};

/// Where a block is.
pub fn key(block: Cidr) -> String {
    format!("{}/{}", folder(block.family()), block.key())
}

/// Where all blocks of a family are.
pub fn folder(family: super::Family) -> String {
    format!("/calico/ipam/v2/assignment/ipv{}/block", family.number())
}

/// What an assigned address is assigned to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Attribute {
    /// The uid; null where something other than this plugin assigned without one.
    handle_id: Option<String>,
    #[serde(default)]
    secondary: Value,
    #[serde(flatten)]
    others: Map<String, Value>,
}

/// A block as it stands in etcd.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Block {
    cidr: String,
    affinity: Option<String>,
    allocations: Vec<Option<usize>>,
    attributes: Vec<Attribute>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

impl Block {
    /// An empty block that prefers `host`.
    pub fn empty(cidr: Cidr, host: &str) -> Self {
        Self {
            cidr: cidr.to_string(),
            affinity: Some(format!("host:{host}")),
            allocations: vec![None; BLOCK_SIZE],
            attributes: Vec::new(),
            others: Map::new(),
        }
    }

    /// Reads a block and checks that its parts fit together; a block that does not is never
    /// written back.
    pub fn read(cidr: Cidr, node: &Node) -> Result<Self, Error> {
        let corrupt = |cause: String| Error::Corrupt { key: key(cidr), cause };
        let block: Self = serde_json::from_str(&node.value).map_err(|e| corrupt(e.to_string()))?;
        if Cidr::parse(&block.cidr) != Some(cidr) {
            return Err(corrupt(format!("it says that it is {}", block.cidr)));
        }
        if block.allocations.len() != BLOCK_SIZE {
            return Err(corrupt(format!("it has {} addresses", block.allocations.len())));
        }
        if block.allocations.iter().flatten().any(|index| *index >= block.attributes.len()) {
            return Err(corrupt("an address points to no attribute".to_owned()));
        }
        Ok(block)
    }

    /// The JSON for etcd.
    pub fn to_json(&self) -> String {
        // Strings, numbers and maps with string keys: there is nothing that could fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Whether the block prefers `host`.
    pub fn prefers(&self, host: &str) -> bool {
        self.affinity.as_deref().and_then(|text| text.strip_prefix("host:")) == Some(host)
    }

    /// The first free addresses, at most `count`, as numbers in the block.
    pub fn free(&self, count: usize) -> Vec<usize> {
        let free = self.allocations.iter().enumerate().filter(|(_, index)| index.is_none());
        free.map(|(ordinal, _)| ordinal).take(count).collect()
    }

    /// Whether an address is free.
    pub fn is_free(&self, ordinal: usize) -> bool {
        self.allocations.get(ordinal).is_some_and(Option::is_none)
    }

    /// The handle of an address, if it has one.
    pub fn handle_of(&self, ordinal: usize) -> Option<&str> {
        let index = (*self.allocations.get(ordinal)?)?;
        self.attributes.get(index)?.handle_id.as_deref()
    }

    /// How many addresses a handle has.
    pub fn count_of(&self, handle: &str) -> u64 {
        let all = 0..self.allocations.len();
        all.filter(|ordinal| self.handle_of(*ordinal) == Some(handle)).count() as u64
    }

    /// Gives free addresses to a handle. Attributes that are equal are shared, as Calico does.
    pub fn assign(&mut self, ordinals: &[usize], handle: &str) {
        if ordinals.is_empty() {
            return;
        }
        let attribute = Attribute {
            handle_id: Some(handle.to_owned()),
            secondary: Value::Object(Map::new()),
            others: Map::new(),
        };
        let index = self.attributes.iter().position(|known| *known == attribute);
        let index = index.unwrap_or_else(|| {
            self.attributes.push(attribute);
            self.attributes.len() - 1
        });
        for ordinal in ordinals {
            self.allocations[*ordinal] = Some(index);
        }
    }

    /// Frees those of `ordinals` that `wanted` says yes to (by their handle) and returns how many each
    /// handle lost. Attributes that nothing points to any more are dropped and the rest
    /// renumbered.
    pub fn release(
        &mut self,
        ordinals: impl IntoIterator<Item = usize>,
        wanted: impl Fn(Option<&str>) -> bool,
    ) -> BTreeMap<Option<String>, u64> {
        let mut lost = BTreeMap::new();
        for ordinal in ordinals {
            let handle = self.handle_of(ordinal).map(str::to_owned);
            if ordinal < BLOCK_SIZE && !self.is_free(ordinal) && wanted(handle.as_deref()) {
                self.allocations[ordinal] = None;
                *lost.entry(handle).or_insert(0) += 1;
            }
        }
        self.drop_unused_attributes();
        lost
    }

    fn drop_unused_attributes(&mut self) {
        let mut renumbered = vec![None; self.attributes.len()];
        let mut kept = Vec::new();
        for (old, attribute) in self.attributes.drain(..).enumerate() {
            if self.allocations.contains(&Some(old)) {
                renumbered[old] = Some(kept.len());
                kept.push(attribute);
            }
        }
        self.attributes = kept;
        for index in self.allocations.iter_mut() {
            *index = index.and_then(|old| renumbered[old]);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cidr() -> Cidr {
        Cidr::parse("192.168.0.0/26").unwrap()
    }

    fn reread(text: &str) -> Result<Block, Error> {
        let node = serde_json::json!({"key": "/x", "value": text, "modifiedIndex": 1});
        Block::read(cidr(), &serde_json::from_value(node).unwrap())
    }

    #[test]
    fn the_format_of_facts_2_1() {
        let mut block = Block::empty(cidr(), "agent-1");
        block.assign(&[0, 1], "uid-a");
        let mut allocations = vec![Value::Null; 64];
        allocations[0] = 0.into();
        allocations[1] = 0.into();
        let got: Value = serde_json::from_str(&block.to_json()).unwrap();
        let wanted = serde_json::json!({
            "cidr": "192.168.0.0/26",
            "affinity": "host:agent-1",
            "allocations": allocations,
            "attributes": [{"handle_id": "uid-a", "secondary": {}}],
        });
        assert_eq!(got, wanted);
        assert_eq!(key(cidr()), "/calico/ipam/v2/assignment/ipv4/block/192.168.0.0-26");
    }

    #[test]
    fn attributes_are_shared_dropped_and_renumbered() {
        let mut block = Block::empty(cidr(), "h");
        block.assign(&[0], "a");
        block.assign(&[1], "b");
        block.assign(&[2], "a");
        assert_eq!(block.attributes.len(), 2);
        let lost = block.release(0..64, |handle| handle == Some("a"));
        assert_eq!(lost[&Some("a".to_owned())], 2);
        assert_eq!((block.attributes.len(), block.handle_of(1)), (1, Some("b")));
        assert_eq!(block.free(3), [0, 2, 3]);
    }

    #[test]
    fn members_and_attributes_of_others_are_kept() {
        let mut value: Value = serde_json::from_str(&Block::empty(cidr(), "h").to_json()).unwrap();
        value["strictAffinity"] = true.into();
        value["attributes"] = serde_json::json!([{"handle_id": null, "secondary": {"k": "v"}}]);
        value["allocations"][5] = 0.into();
        let mut block = reread(&value.to_string()).unwrap();
        block.assign(&[6], "a");
        let got: Value = serde_json::from_str(&block.to_json()).unwrap();
        assert_eq!(got["strictAffinity"], true);
        assert_eq!(got["attributes"][0], value["attributes"][0]);
        assert!(!block.is_free(5) && block.handle_of(5).is_none());
    }

    #[test]
    fn blocks_that_do_not_fit_together_are_refused() {
        let good: Value = serde_json::from_str(&Block::empty(cidr(), "h").to_json()).unwrap();
        let mut bad = vec![good.clone(), good.clone(), good];
        bad[0]["cidr"] = "10.0.0.0/26".into();
        bad[1]["allocations"] = serde_json::json!([]);
        bad[2]["allocations"][0] = 0.into();
        for value in bad {
            assert!(matches!(reread(&value.to_string()), Err(Error::Corrupt { .. })), "{value}");
        }
        assert!(reread("not json").is_err());
    }

    proptest! {
        #[test]
        fn assigning_and_releasing_never_mixes_handles(steps in prop::collection::vec((0usize..64, 0u8..4, any::<bool>()), 0..200)) {
            let mut block = Block::empty(cidr(), "h");
            let mut model: BTreeMap<usize, String> = BTreeMap::new();
            for (ordinal, handle, take) in steps {
                let handle = format!("u{handle}");
                if take && block.is_free(ordinal) {
                    block.assign(&[ordinal], &handle);
                    model.insert(ordinal, handle);
                } else if !take {
                    block.release(0..64, |known| known == Some(handle.as_str()));
                    model.retain(|_, known| *known != handle);
                }
                let block = reread(&block.to_json()).unwrap();
                for o in 0..64 {
                    prop_assert_eq!(block.handle_of(o), model.get(&o).map(String::as_str));
                }
            }
        }
    }
}
