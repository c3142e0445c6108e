//! Reads armored and binary OpenPGP data.
//!
//! The parser of the crate `pgp` is generic over what it reads from, and each type costs several seconds of compile
//! time. So armor is taken off first, and packets are read from bytes alone.

use std::io::Read;

use pgp::{
    armor::{BlockType, Dearmor},
    composed::Deserializable,
    errors::{Error, Result},
};

/// All keys or signatures of the first armored block, each readable or not.
///
/// # Errors
/// If there is no such block, or it holds something else than `T`.
pub(super) fn all<T: Deserializable>(text: &[u8]) -> Result<Vec<Result<T>>> {
    let mut armor = Dearmor::new(text);
    armor.read_header()?;
    let kind = armor.typ.unwrap_or(BlockType::File);
    if !T::matches_block_type(kind) {
        return Err(format!("it is a {kind}").into());
    }
    let mut bytes = Vec::new();
    armor.read_to_end(&mut bytes)?;
    binary(&bytes)
}

/// The first key or signature of the first armored block.
///
/// # Errors
/// As [`all`], or if the block is empty or its first element cannot be read.
pub(super) fn first<T: Deserializable>(text: &[u8]) -> Result<T> {
    all(text)?
        .into_iter()
        .next()
        .unwrap_or_else(|| Err(Error::from("the block is empty".to_owned())))
}

/// All keys or signatures in binary data, each readable or not.
///
/// # Errors
/// If the data are no OpenPGP packets.
pub(super) fn binary<T: Deserializable>(bytes: &[u8]) -> Result<Vec<Result<T>>> {
    Ok(T::from_bytes_many(bytes)?.collect())
}
