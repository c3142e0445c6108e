//! Reads armored and binary OpenPGP data.
//!
//! The parser of the crate `pgp` is generic over what it reads from, and each type costs several seconds of compile
//! time. So armor is taken off first, and packets are read from bytes alone.

use std::io::Read;

use pgp::{
    armor::{BlockType, Dearmor},
    composed::Deserializable,
    errors::{Error, Result},
    types::KeyVersion,
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

const SECRET_KEY: u8 = 5;
const PUBLIC_KEY: u8 = 6;

/// An error if the text begins with a key of a version that rpm 4.11 does not take. The crate passes over such keys as if nothing
/// were there.
pub(super) fn check_first_version(text: &str) -> crate::Result<()> {
    version(text).map_or(Ok(()), check_version)
}

/// An error for a version of keys that rpm 4.11 does not take.
pub(super) fn check_version(version: u8) -> crate::Result<()> {
    match version == u8::from(KeyVersion::V4) {
        true => Ok(()),
        false => Err(crate::Error::key(
            format!(
                "the key is of version {version}; rpm 4.11 of CentOS 7 takes those of version 4 alone"
            ),
            "make one of version 4: `gpg --quick-generate-key NAME rsa4096 sign`",
        )),
    }
}

/// The version of the key that the text begins with.
fn version(text: &str) -> Option<u8> {
    let mut head = [0; 8];
    let mut bytes = Dearmor::new(text.as_bytes());
    bytes.read_exact(&mut head).ok()?;
    // Tag and length, in the old form or in the new one.
    let (tag, width) = match (head[0] & 0xc0, head[1]) {
        (0xc0, 0..192) => (head[0] & 0x3f, 1),
        (0xc0, 192..224) => (head[0] & 0x3f, 2),
        (0xc0, 255) => (head[0] & 0x3f, 5),
        (0x80, _) => (head[0] >> 2 & 0xf, *[1, 2, 4].get(usize::from(head[0] & 3))?),
        _ => return None,
    };
    matches!(tag, SECRET_KEY | PUBLIC_KEY).then(|| head[1 + width])
}
