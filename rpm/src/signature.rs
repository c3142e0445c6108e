//! Signs a package: its two RSA signatures go into the signature header ([`crate::header::signature`]).

use std::{
    io::{self, BufReader, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use rpm::{Header, HeaderEntry, IndexData, IndexSignatureTag as Tag, PackageMetadata};

use crate::{
    Error, Result,
    header::signature::entry,
    limits,
    openpgp::Signer,
    package::UnsignedRpm,
    read::{Rpm, check_lengths},
};

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
