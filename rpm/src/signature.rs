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
//! rpm 4.11.3 knows no digest of the payload alone. Without 1002 and 1004, which newer writers
//! leave out, its `rpm -K` says nothing about the payload at all.

use std::{
    io::{self, BufReader, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use rpm::{Header, HeaderEntry, IndexData, IndexSignatureTag as Tag, PackageMetadata};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::{
    Error, Result, limits,
    openpgp::Signer,
    package::UnsignedRpm,
    payload::hex,
    read::{Rpm, check_lengths},
};

/// Sizes and digests of a package whose header and payload are complete.
#[derive(Clone, Debug)]
pub struct Digests {
    sha1: String,
    sha256: String,
    md5: [u8; 16],
    /// Header and payload together.
    size: u64,
}

impl Default for Digests {
    /// Stand-ins as wide as the real ones.
    fn default() -> Self {
        Self { sha1: "0".repeat(40), sha256: "0".repeat(64), md5: [0; 16], size: 0 }
    }
}

impl Digests {
    pub(crate) fn take(header: &[u8], md5: [u8; 16], payload_size: u64) -> Self {
        Self {
            sha1: hex(&Sha1::digest(header)),
            sha256: hex(&Sha256::digest(header)),
            md5,
            size: header.len() as u64 + payload_size,
        }
    }
}

/// Archives beyond this take the 64 bit size tags. It lies below 4 GiB so that header and payload
/// together, whose size is known only at the end, cannot change the choice.
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

fn entry(tag: Tag, data: IndexData) -> HeaderEntry {
    HeaderEntry::new(tag as u32, data)
}

/// A signed RPM. Only these get into a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedRpm {
    /// The file.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// Fingerprint of the key, lower-case hex.
    pub key: String,
}

/// Signs `unsigned` and writes the result to `path`, which must not exist. What is left there
/// after an error is not an RPM; the caller removes it.
///
/// The signatures are dated with the package's build time, so that signing again gives the same
/// bytes.
///
/// # Errors
/// [`Error::Sign`], [`Error::Format`] for a damaged package, or an I/O error.
pub fn sign(unsigned: &UnsignedRpm, signer: &dyn Signer, path: &Path) -> Result<SignedRpm> {
    let rpm = Rpm::open(&unsigned.path)?;
    let header = rpm.header_bytes();
    let time = rpm.build_time();
    let of_header = signer.sign(&mut &header[..], time)?;
    let of_all =
        signer.sign(&mut header.chain(BufReader::with_capacity(1 << 18, rpm.payload()?)), time)?;

    let kept = rpm.metadata.signature.get_all_entries();
    let kept = kept.map_err(|e| Error::format(&unsigned.path, e.to_string()))?;
    let is_own = |tag: u32| {
        [Tag::RPMSIGTAG_RSA, Tag::RPMSIGTAG_PGP, Tag::HEADER_SIGNATURES]
            .iter()
            .any(|t| *t as u32 == tag)
    };
    let mut entries: Vec<_> = kept
        .into_iter()
        .filter(|(tag, _)| !is_own(*tag))
        .map(|(tag, data)| HeaderEntry::new(tag, data))
        .collect();
    entries.push(entry(Tag::RPMSIGTAG_RSA, IndexData::Bin(of_header)));
    entries.push(entry(Tag::RPMSIGTAG_PGP, IndexData::Bin(of_all)));
    let metadata = PackageMetadata {
        lead: rpm.metadata.lead.clone(),
        signature: Header::from_entries(entries, Tag::HEADER_SIGNATURES),
        header: rpm.metadata.header.clone(),
    };
    let size = write_with(&metadata, &rpm, path)?;
    Ok(SignedRpm { path: path.to_owned(), size, key: signer.certificate().fingerprint() })
}

/// A new head before the old payload, which is copied without being looked at.
fn write_with(metadata: &PackageMetadata, rpm: &Rpm, path: &Path) -> Result<u64> {
    let mut head = Vec::new();
    metadata.write(&mut head).map_err(|e| io::Error::other(e.to_string()))?;
    check_lengths(&limits::SIGNATURE, &head[limits::LEAD..]).map_err(|fault| {
        Error::key(
            format!("{fault}: the key's signatures are too large"),
            "sign with an RSA key of 4096 bits: `gpg --quick-generate-key NAME rsa4096 sign`",
        )
    })?;
    if !head.ends_with(rpm.header_bytes()) {
        return Err(Error::format(
            rpm.path(),
            "the header is not in the form in which it was read",
        ));
    }
    let mut out = fs_err::File::create_new(path)?;
    out.write_all(&head)?;
    let mut payload = fs_err::File::open(rpm.path())?;
    payload.seek(SeekFrom::Start(rpm.payload_offset()))?;
    // Between the bare files, so that the kernel copies.
    let copied = io::copy(payload.file_mut(), out.file_mut())?;
    out.sync_all()?;
    Ok(head.len() as u64 + copied)
}
