//! A block: 64 addresses, `/calico/ipam/v2/assignment/ipv4/block/<cidr>` (facts 2.1). JSON `cidr`,
//! `affinity` (`host:NAME`), `allocations` (64 times null or an index) and `attributes` (what the
//! indexes point to: `handle_id` and `secondary`).
//!
//! Later clients add `unallocated`, the free addresses in the order in which they are used, and `strict_affinity` (or
//! `strictAffinity`: no other host takes addresses here). Both are kept true as their owners do (facts 2.3).
//! A block with any other member is left alone: nobody knows what would have to be kept true there.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::{
    cidr::{BLOCK_SIZE, Cidr},
    config::Config,
};
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
#[serde(deny_unknown_fields)]
struct Attribute {
    /// The uid; null where something other than this plugin assigned without one.
    handle_id: Option<String>,
    #[serde(default)]
    secondary: Value,
}

/// A block as it stands in etcd.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    cidr: String,
    /// "host:NAME"; null or empty where a host has given the block up.
    affinity: Option<String>,
    allocations: Vec<Option<usize>>,
    attributes: Vec<Attribute>,
    #[serde(default, deserialize_with = "list", skip_serializing_if = "Option::is_none")]
    unallocated: Option<Vec<usize>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    strict_affinity: Option<bool>,
    /// The same, of libcalico-go.
    #[serde(default, rename = "strictAffinity", skip_serializing_if = "Option::is_none")]
    strict_affinity_too: Option<bool>,
    /// Whether `unallocated` was not true.
    #[serde(skip)]
    corrected: bool,
}

/// A list that is there; libcalico-go writes null for an empty one.
fn list<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<usize>>, D::Error> {
    Option::<Vec<usize>>::deserialize(from).map(|list| Some(list.unwrap_or_default()))
}

/// Who a block prefers, as far as that can be read of it: whatever else is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Preference {
    /// This host.
    Host(String),
    /// Nobody, or something that is no host.
    NoHost,
    /// The value cannot be read.
    Unknown,
}

impl Preference {
    /// Reads it.
    pub fn of(node: &Node) -> Self {
        let Ok(Value::Object(block)) = serde_json::from_str(&node.value) else {
            return Self::Unknown;
        };
        let text = |name: &str| block.get(name).and_then(Value::as_str).filter(|t| !t.is_empty());
        // The second is that of the first libcalico-go.
        match (text("affinity"), text("hostAffinity")) {
            (Some(affinity), _) => match affinity.strip_prefix("host:") {
                Some(host) => Self::Host(host.to_owned()),
                None => Self::NoHost,
            },
            (None, Some(host)) => Self::Host(host.to_owned()),
            (None, None) => Self::NoHost,
        }
    }

    /// Whether it is this host.
    pub fn is(&self, host: &str) -> bool {
        matches!(self, Self::Host(name) if name == host)
    }
}

impl Block {
    /// An empty block that prefers `host`, in the form of 0.9, or in that of later clients where there are some.
    pub fn empty(cidr: Cidr, host: &str, config: Config) -> Self {
        let strict = config.is_set.then_some(config.strict_affinity);
        Self {
            cidr: cidr.to_string(),
            affinity: Some(format!("host:{host}")),
            allocations: vec![None; BLOCK_SIZE],
            attributes: Vec::new(),
            unallocated: config.is_set.then(|| (0..BLOCK_SIZE).collect()),
            strict_affinity: strict,
            strict_affinity_too: strict,
            corrected: false,
        }
    }

    /// Reads a block and checks that its parts fit together; a block that does not is never
    /// written back.
    pub fn read(cidr: Cidr, node: &Node) -> Result<Self, Error> {
        let corrupt = |cause: String| Error::Corrupt { key: key(cidr), cause };
        let mut block: Self =
            serde_json::from_str(&node.value).map_err(|e| corrupt(e.to_string()))?;
        if Cidr::parse(&block.cidr) != Some(cidr) {
            return Err(corrupt(format!("it says that it is {}", block.cidr)));
        }
        if block.allocations.len() != BLOCK_SIZE {
            return Err(corrupt(format!("it has {} addresses", block.allocations.len())));
        }
        if block.allocations.iter().flatten().any(|index| *index >= block.attributes.len()) {
            return Err(corrupt("an address points to no attribute".to_owned()));
        }
        if block.unallocated.iter().flatten().any(|ordinal| *ordinal >= BLOCK_SIZE) {
            return Err(corrupt("'unallocated' has a number that is no address's".to_owned()));
        }
        block.correct();
        Ok(block)
    }

    /// Makes `unallocated` agree with `allocations`: what is free, each once, in the order that it has. calico-mesos
    /// 0.2.0 changed the latter alone.
    fn correct(&mut self) {
        let Some(listed) = self.unallocated.take() else { return };
        let mut is_missing: Vec<bool> = self.allocations.iter().map(Option::is_none).collect();
        let in_order = listed.iter().copied().chain(0..BLOCK_SIZE);
        let free = in_order.filter(|ordinal| std::mem::take(&mut is_missing[*ordinal]));
        let free: Vec<usize> = free.collect();
        self.corrected = free != listed;
        self.unallocated = Some(free);
    }

    /// Whether `unallocated` did not say what `allocations` does when the block was read.
    pub fn is_corrected(&self) -> bool {
        self.corrected
    }

    /// Whether no other host than the one it prefers may take addresses here.
    pub fn is_strict(&self) -> bool {
        self.strict_affinity == Some(true) || self.strict_affinity_too == Some(true)
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

    /// The free addresses that are next in turn, at most `count`, as numbers in the block.
    pub fn free(&self, count: usize) -> Vec<usize> {
        match &self.unallocated {
            Some(free) => free.iter().copied().take(count).collect(),
            None => (0..BLOCK_SIZE).filter(|ordinal| self.is_free(*ordinal)).take(count).collect(),
        }
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
        let attribute =
            Attribute { handle_id: Some(handle.to_owned()), secondary: Value::Object(Map::new()) };
        let index = self.attributes.iter().position(|known| *known == attribute);
        let index = index.unwrap_or_else(|| {
            self.attributes.push(attribute);
            self.attributes.len() - 1
        });
        for ordinal in ordinals {
            self.allocations[*ordinal] = Some(index);
        }
        if let Some(free) = &mut self.unallocated {
            free.retain(|ordinal| !ordinals.contains(ordinal));
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
                self.unallocated.iter_mut().for_each(|free| free.push(ordinal));
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
        let mut block = Block::empty(cidr(), "agent-1", Config::NONE);
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
        let mut block = Block::empty(cidr(), "h", Config::NONE);
        block.assign(&[0], "a");
        block.assign(&[1], "b");
        block.assign(&[2], "a");
        assert_eq!(block.attributes.len(), 2);
        let lost = block.release(0..64, |handle| handle == Some("a"));
        assert_eq!(lost[&Some("a".to_owned())], 2);
        assert_eq!((block.attributes.len(), block.handle_of(1)), (1, Some("b")));
        assert_eq!(block.free(3), [0, 2, 3]);
    }

    /// A block of a later client, in which 5 has no handle and 3 was freed last.
    fn later() -> Value {
        let mut value: Value =
            serde_json::from_str(&Block::empty(cidr(), "h", Config::NONE).to_json()).unwrap();
        value["attributes"] = serde_json::json!([{"handle_id": null, "secondary": {"k": "v"}}]);
        value["allocations"][5] = 0.into();
        let free = (0..64).filter(|o| ![3, 5].contains(o)).chain([3]);
        value["unallocated"] = free.collect::<Vec<usize>>().into();
        value
    }

    fn unallocated(block: &Block) -> Vec<usize> {
        let value: Value = serde_json::from_str(&block.to_json()).unwrap();
        serde_json::from_value(value["unallocated"].clone()).unwrap()
    }

    #[test]
    fn unallocated_is_kept_true_as_its_owner_does() {
        let mut block = reread(&later().to_string()).unwrap();
        assert!(!block.is_corrected());
        assert_eq!(block.free(4), [0, 1, 2, 4]);
        block.assign(&[0, 1], "a");
        block.assign(&[9], "a");
        // Freed ones go to the end, in the order in which they are freed.
        block.release([9, 5, 0, 0], |_| true);
        let wanted: Vec<usize> =
            (2..64).filter(|o| ![3, 5, 9].contains(o)).chain([3, 9, 5, 0]).collect();
        assert_eq!(unallocated(&block), wanted);
        assert_eq!(block.free(64), wanted);
        // A block of 0.9 does not get the member.
        let old = Block::empty(cidr(), "h", Config::NONE);
        assert!(!old.to_json().contains("unallocated"));
    }

    #[test]
    fn an_untrue_list_is_corrected() {
        let mut given_twice = later();
        given_twice["unallocated"] = serde_json::json!([5, 7, 7, 8]);
        let block = reread(&given_twice.to_string()).unwrap();
        assert!(block.is_corrected());
        let wanted: Vec<usize> =
            [7, 8].into_iter().chain((0..64).filter(|o| ![5, 7, 8].contains(o))).collect();
        assert_eq!(unallocated(&block), wanted);
        given_twice["unallocated"] = Value::Null;
        let block = reread(&given_twice.to_string()).unwrap();
        assert!(block.is_corrected() && unallocated(&block).len() == 63);
        given_twice["unallocated"] = serde_json::json!([64]);
        assert!(reread(&given_twice.to_string()).is_err());
    }

    #[test]
    fn known_members_and_attributes_of_others_are_kept() {
        for (name, strict) in
            [("strictAffinity", true), ("strict_affinity", true), ("strict_affinity", false)]
        {
            let mut value = later();
            value[name] = strict.into();
            let mut block = reread(&value.to_string()).unwrap();
            assert_eq!(block.is_strict(), strict);
            block.assign(&[6], "a");
            let got: Value = serde_json::from_str(&block.to_json()).unwrap();
            assert_eq!(got[name], strict);
            assert_eq!(got["attributes"][0], value["attributes"][0]);
            assert!(!block.is_free(5) && block.handle_of(5).is_none());
        }
    }

    #[test]
    fn blocks_with_unknown_members_are_left_alone() {
        let mut of_block = later();
        of_block["sequenceNumber"] = 4.into();
        let mut of_attribute = later();
        of_attribute["attributes"][0]["count"] = 1.into();
        for value in [of_block, of_attribute] {
            let error = reread(&value.to_string()).unwrap_err().to_string();
            assert!(error.contains("unknown field"), "{error}");
        }
    }

    #[test]
    fn whom_a_block_prefers_is_known_whatever_else_is_in_it() {
        let of = |text: &str| {
            let node = serde_json::json!({"key": "/x", "value": text});
            Preference::of(&serde_json::from_value(node).unwrap())
        };
        let host = Preference::Host("h".to_owned());
        assert_eq!(of(r#"{"affinity": "host:h", "sequenceNumber": 1}"#), host);
        assert_eq!(of(r#"{"affinity": null, "hostAffinity": "h"}"#), host);
        for text in [r#"{"affinity": ""}"#, r#"{"affinity": null}"#, r#"{"affinity": "x"}"#, "{}"] {
            assert_eq!(of(text), Preference::NoHost, "{text}");
        }
        assert_eq!(of("no block"), Preference::Unknown);
        assert!(host.is("h") && !host.is("H"));
    }

    #[test]
    fn blocks_that_do_not_fit_together_are_refused() {
        let good: Value =
            serde_json::from_str(&Block::empty(cidr(), "h", Config::NONE).to_json()).unwrap();
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
        fn assigning_and_releasing_never_mixes_handles(is_set in any::<bool>(), steps in prop::collection::vec((0usize..64, 0u8..4, any::<bool>()), 0..200)) {
            let mut block = Block::empty(cidr(), "h", Config { is_set, ..Config::NONE });
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
                prop_assert!(!block.is_corrected());
                for o in 0..64 {
                    prop_assert_eq!(block.handle_of(o), model.get(&o).map(String::as_str));
                }
            }
        }
    }
}
