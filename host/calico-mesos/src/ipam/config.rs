//! The rules that the cluster has for all blocks: /calico/ipam/v2/config, which later clients than those of Calico 0.9
//! write (facts 2.3). It is only read. Where it is missing, everything is allowed, as in 0.9.

use serde::Deserialize;

use super::Ipam;
use crate::{error::Result, etcd::Error};

const KEY: &str = "/calico/ipam/v2/config";

/// What a host may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Config {
    /// A host takes addresses from its own blocks alone.
    #[serde(default)]
    pub strict_affinity: bool,
    /// Hosts claim new blocks by themselves.
    #[serde(default = "yes")]
    pub auto_allocate_blocks: bool,
    /// Whether it was written at all, so whether there are later clients.
    #[serde(skip, default = "yes")]
    pub is_set: bool,
}

fn yes() -> bool {
    true
}

impl Config {
    /// The rules of Calico 0.9.
    pub const NONE: Self =
        Self { strict_affinity: false, auto_allocate_blocks: true, is_set: false };

    fn read(text: &str) -> std::result::Result<Self, Error> {
        serde_json::from_str(text)
            .map_err(|e| Error::Corrupt { key: KEY.to_owned(), cause: e.to_string() })
    }
}

impl Ipam<'_> {
    /// Reads the rules. Without knowing them, nothing that they could forbid is done.
    pub(super) fn config(&self) -> Result<Config> {
        let node = self.client.get(KEY)?;
        Ok(node.map_or(Ok(Config::NONE), |node| Config::read(&node.value))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_as_in_0_9() {
        let strict = Config::read(r#"{"strict_affinity": true}"#).unwrap();
        assert!(strict.strict_affinity && strict.auto_allocate_blocks && strict.is_set);
        let both = r#"{"auto_allocate_blocks": false, "strict_affinity": true, "other": 1}"#;
        assert!(!Config::read(both).unwrap().auto_allocate_blocks);
        let none = Config { is_set: true, ..Config::NONE };
        assert_eq!(Config::read("{}").unwrap(), none);
        assert!(Config::read("strict").is_err());
    }
}
