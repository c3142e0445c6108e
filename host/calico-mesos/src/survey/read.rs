//! Reads many keys.

use crate::{
    error::Result,
    etcd::{Client, Node},
};

/// How many keys are read at once.
const AT_ONCE: usize = 8;

/// Reads keys, several at once.
pub fn read_each<T>(
    client: &Client,
    keys: &[(T, String)],
    mut each: impl FnMut(&T, Option<Node>),
) -> Result<()> {
    for some in keys.chunks(AT_ONCE) {
        client.read_ahead(some.iter().map(|(_, key)| key.clone()));
        for (item, key) in some {
            each(item, client.get(key)?);
        }
    }
    Ok(())
}
