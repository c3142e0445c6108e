//! What etcd answers to a read: a key, the keys in a folder, or their names alone. An answer is never kept beyond
//! a number of keys, however it is made: a body that is not too long could hold hundreds of thousands of empty ones.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _, SeqAccess, Visitor},
};

/// A read that is not of a whole list of blocks: a block has up to 8 kB, a folder some hundred short keys.
pub(super) const ANSWER_MAX: usize = 1 << 20;

/// A list of all blocks with their values, of 5 to 8 kB where they are full: more than 8000 of them, or half a
/// million addresses.
pub(super) const LIST_MAX: usize = 64 << 20;

/// More keys are in no folder: a tenth of them are the blocks of a /12.
const KEYS_MAX: usize = 100_000;

/// A key as etcd returns it.
#[derive(Debug, Deserialize)]
pub struct Node {
    /// The whole key; the root has none.
    #[serde(default)]
    pub key: String,
    /// A folder has no value.
    #[serde(default)]
    pub value: String,
    /// The version, for compare-and-swap.
    #[serde(default, rename = "modifiedIndex")]
    pub index: u64,
    /// The cluster-wide number of the write that made the key: a lower one was earlier.
    #[serde(default, rename = "createdIndex")]
    pub created: u64,
}

impl Node {
    /// The last part of the key.
    pub fn name(&self) -> &str {
        self.key.rsplit('/').next().unwrap_or_default()
    }
}

/// A folder with the keys in it; what lies deeper is left out.
#[derive(Deserialize)]
#[serde(bound = "N: DeserializeOwned")]
pub(super) struct Folder<N> {
    #[serde(default, deserialize_with = "bounded")]
    pub(super) nodes: Vec<N>,
}

/// A key without its value.
#[derive(Deserialize)]
pub(super) struct KeyOnly {
    pub(super) key: String,
}

/// The envelope of every answer to a read.
#[derive(Deserialize)]
pub(super) struct Found<N> {
    pub(super) node: N,
}

/// A list of no more than [`KEYS_MAX`].
fn bounded<'de, D: Deserializer<'de>, N: Deserialize<'de>>(from: D) -> Result<Vec<N>, D::Error> {
    struct Bounded<N>(PhantomData<N>);
    impl<'de, N: Deserialize<'de>> Visitor<'de> for Bounded<N> {
        type Value = Vec<N>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a list of keys")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<N>, A::Error> {
            let mut kept = Vec::new();
            while let Some(item) = items.next_element()? {
                if kept.len() == KEYS_MAX {
                    return Err(A::Error::custom(format!("more than {KEYS_MAX} keys")));
                }
                kept.push(item);
            }
            Ok(kept)
        }
    }
    from.deserialize_seq(Bounded(PhantomData))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_and_without_values() {
        let text = r#"{"action":"get","node":{"key":"/a","dir":true,"nodes":[
            {"key":"/a/b","value":"x","modifiedIndex":4,"nodes":[{"key":"/a/b/c"}]},
            {"key":"/a/c","value":"y"}]}}"#;
        let names: Found<Folder<KeyOnly>> = serde_json::from_str(text).unwrap();
        assert_eq!(names.node.nodes.len(), 2);
        let whole: Found<Folder<Node>> = serde_json::from_str(text).unwrap();
        assert_eq!((whole.node.nodes[0].name(), whole.node.nodes[0].index), ("b", 4));
    }

    /// The stack is no deeper for an answer that is: what has no use is passed over, the rest is refused.
    #[test]
    fn an_answer_nested_deeply_is_no_danger() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        let folder = |member: &str| {
            let text = format!(r#"{{"node":{{"key":"/a","{member}":{deep}}}}}"#);
            serde_json::from_str::<Found<Folder<Node>>>(&text)
        };
        assert!(folder("more").is_ok());
        assert!(folder("nodes").is_err());
        let error = serde_json::from_str::<serde_json::Value>(&deep).unwrap_err().to_string();
        assert!(error.contains("recursion limit exceeded"), "{error}");
    }

    #[test]
    fn a_flood_of_keys_is_refused() {
        let folder = |keys: usize| {
            let nodes = vec![r#"{"key":""}"#; keys].join(",");
            serde_json::from_str::<Folder<KeyOnly>>(&format!(r#"{{"nodes":[{nodes}]}}"#))
        };
        assert_eq!(folder(KEYS_MAX).unwrap().nodes.len(), KEYS_MAX);
        let error = folder(KEYS_MAX + 1).err().unwrap().to_string();
        assert!(error.contains("more than 100000 keys"), "{error}");
    }
}
