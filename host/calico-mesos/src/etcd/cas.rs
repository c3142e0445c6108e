//! Compare-and-swap: read a key, decide, write only if nobody else wrote in between, else again. At
//! most [`TRIES`] times, as Calico's own clients do (facts 2.1).

use super::{Client, Cond, Error, Node, WriteError};
use crate::{log, random};

/// The bound of all retries.
pub const TRIES: u32 = 100;

/// What to do with a key after it was read.
pub enum Change<T> {
    /// Leave it; this is the result.
    Keep(T),
    /// Write this value, then this is the result.
    Write(String, T),
    /// Delete it, then this is the result.
    Delete(T),
}

/// Reads `key`, lets `decide` choose, and carries it out. `decide` runs again after every lost race.
///
/// Where a write's fate is unknown, the key is read again: the very value that was to be written
/// means that it was, or that another process did the very same (two that give back one address), which
/// is as good.
pub fn update<T, E: From<Error>>(
    client: &Client,
    key: &str,
    mut decide: impl FnMut(Option<&Node>) -> Result<Change<T>, E>,
) -> Result<T, E> {
    let mut pending: Option<(Option<String>, T)> = None;
    for attempt in 0..TRIES {
        let node = client.get(key)?;
        let current = node.as_ref().map(|node| &node.value);
        if let Some((_, result)) = pending.take_if(|(value, _)| value.as_ref() == current) {
            return Ok(result);
        }
        let (value, result) = match decide(node.as_ref())? {
            Change::Keep(result) => return Ok(result),
            Change::Write(value, result) => (Some(value), result),
            Change::Delete(result) => (None, result),
        };
        match write(client, key, value.as_deref(), node.as_ref()) {
            Ok(()) => return Ok(result),
            Err(WriteError::Failed(error)) => return Err(error.into()),
            // Lost maybe to the write of unknown fate, which has come in after all: it stays pending.
            Err(WriteError::Conflict) => log::debug(|| format!("lost a race for {key}")),
            Err(WriteError::Unknown(error)) => {
                log::warn(&format!("reading {key} again: {error}"));
                pending = Some((value, result));
            }
        }
        random::back_off(attempt);
    }
    Err(Error::Contention { key: key.to_owned() }.into())
}

fn write(
    client: &Client,
    key: &str,
    value: Option<&str>,
    node: Option<&Node>,
) -> Result<(), WriteError> {
    match (value, node) {
        (Some(value), Some(node)) => client.put(key, value, Cond::Index(node.index)),
        (Some(value), None) => client.put(key, value, Cond::Absent),
        (None, Some(node)) => client.delete(key, Cond::Index(node.index)),
        (None, None) => Ok(()),
    }
}

/// Writes a key that must not exist yet. True if it is ours now, false if another's was there first.
pub fn create(client: &Client, key: &str, value: &str) -> Result<bool, Error> {
    // The condition is etcd's to check: no need to look first.
    match client.put(key, value, Cond::Absent) {
        Ok(()) => return Ok(true),
        Err(WriteError::Conflict) => return Ok(false),
        Err(WriteError::Failed(error)) => return Err(error),
        Err(WriteError::Unknown(error)) => log::warn(&format!("reading {key} again: {error}")),
    }
    random::back_off(0);
    update(client, key, |node| {
        Ok(match node {
            Some(node) => Change::Keep(node.value == value),
            None => Change::Write(value.to_owned(), true),
        })
    })
}
