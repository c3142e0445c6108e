//! The signature header: sizes, digests, and the two RSA signatures that CentOS 7 checks.
//!
//! | tag | content | covers |
//! |---|---|---|
//! | 268 RSA | signature | header |
//! | 269 SHA1, 273 SHA256 | digest | header |
//! | 1000 SIZE | bytes | header and payload |
//! | 1002 PGP | signature | header and payload |
//! | 1004 MD5 | digest | header and payload |
//! | 1007 PAYLOADSIZE | bytes | archive before compression |
//!
//! rpm 4.11.3 knows no digest of the payload alone. If 1002 and 1004 are missing, as in packages of newer
//! writers, its `rpm -K` does not check the payload.

use rpm::{Header, HeaderEntry, IndexData, IndexSignatureTag as Tag};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::payload::hex;

/// Signatures of kinds that are neither written nor checked here: DSA, GPG, PGP5.
pub(crate) const OTHER_SIGNATURES: [u32; 3] = [267, 1005, 1006];

/// Whether the package bears a signature of any kind.
pub(crate) fn is_signed(header: &Header<Tag>) -> bool {
    let ours = [Tag::RPMSIGTAG_RSA, Tag::RPMSIGTAG_PGP].map(|tag| tag as u32);
    ours.into_iter().chain(OTHER_SIGNATURES).any(|tag| header.entry_is_present(tag))
}

/// Sizes and digests of a package whose header and payload are complete.
#[derive(Clone, Debug)]
pub(crate) struct Digests {
    sha1: String,
    sha256: String,
    md5: [u8; 16],
    /// Header and payload together.
    size: u64,
}

impl Default for Digests {
    /// Placeholders with the length of the real values.
    fn default() -> Self {
        Self { sha1: "0".repeat(40), sha256: "0".repeat(64), md5: [0; 16], size: 0 }
    }
}

impl Digests {
    pub(crate) fn of(header: &[u8], md5: [u8; 16], payload_size: u64) -> Self {
        Self {
            sha1: hex(&Sha1::digest(header)),
            sha256: hex(&Sha256::digest(header)),
            md5,
            size: header.len() as u64 + payload_size,
        }
    }
}

/// Larger archives get the 64 bit size tags. The limit is less than 4 GiB, because the size of header and payload
/// together is known only at the end, and must not change this choice.
const LARGE: u64 = u32::MAX as u64 - (256 << 20);

/// The signature header of a package without signatures.
pub(crate) fn unsigned_header(digests: &Digests, archive_size: u64) -> Header<Tag> {
    let mut entries = vec![
        entry(Tag::RPMSIGTAG_SHA1, IndexData::StringTag(digests.sha1.clone())),
        entry(Tag::RPMSIGTAG_SHA256, IndexData::StringTag(digests.sha256.clone())),
        entry(Tag::RPMSIGTAG_MD5, IndexData::Bin(digests.md5.to_vec())),
    ];
    if archive_size > LARGE {
        entries.push(entry(Tag::RPMSIGTAG_LONGSIZE, IndexData::Int64(vec![digests.size])));
        entries.push(entry(Tag::RPMSIGTAG_LONGARCHIVESIZE, IndexData::Int64(vec![archive_size])));
    } else {
        entries.push(entry(Tag::RPMSIGTAG_SIZE, IndexData::Int32(vec![digests.size as u32])));
        entries
            .push(entry(Tag::RPMSIGTAG_PAYLOADSIZE, IndexData::Int32(vec![archive_size as u32])));
    }
    Header::from_entries(entries, Tag::HEADER_SIGNATURES)
}

/// One entry of the signature header.
pub(crate) fn entry(tag: Tag, data: IndexData) -> HeaderEntry {
    HeaderEntry::new(tag as u32, data)
}
