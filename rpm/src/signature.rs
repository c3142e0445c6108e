//! Signs a package with two RSA signatures, which are stored in its signature header (`header/signature.rs`).

use std::{
    io::{self, BufReader, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use rpm::{Header, HeaderEntry, IndexData, IndexSignatureTag as Tag, PackageMetadata};

use crate::{
    Error, Result,
    header::signature::entry,
    limits,
    openpgp::{Certificate, Signer},
    package::UnsignedRpm,
    read::{Rpm, check_lengths},
};

/// A signed RPM. Only signed RPMs get into a repository.
///
/// There are three ways to get one: [`sign`] makes it, [`SignedRpm::open`] opens one that was signed before, and
/// [`crate::verify::Report::signed`] returns it for a file of any origin that has been verified in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedRpm {
    path: PathBuf,
    size: u64,
    signed_by: String,
}

impl SignedRpm {
    /// Opens an RPM that was signed before, by this key. Its headers are read and checked, the signature of
    /// the header must hold, there must be one of header and payload, and the file must be as long as the headers
    /// state. The payload is not read, so this takes the same short time for a package of any size.
    /// [`crate::verify`] checks the payload: do so before a repository is published.
    ///
    /// # Errors
    /// [`Error::Format`] if the file is not such an RPM, or an I/O error.
    pub fn open(path: &Path, certificate: &Certificate) -> Result<Self> {
        let rpm = Rpm::open(path)?;
        let signature = &rpm.metadata.signature;
        let binary = |tag| {
            let missing = |_| Error::format(path, "is not signed");
            signature.get_entry_data_as_binary(tag).map_err(missing)
        };
        binary(Tag::RPMSIGTAG_PGP)?;
        let of_header = binary(Tag::RPMSIGTAG_RSA)?;
        certificate
            .verify(of_header, rpm.header_bytes())
            .map_err(|mismatch| Error::format(path, format!("header signature {mismatch}")))?;
        Ok(Self::checked(path, rpm.whole_size()?, certificate))
    }

    /// For a file whose signatures have just been made or checked.
    pub(crate) fn checked(path: &Path, size: u64, certificate: &Certificate) -> Self {
        Self { path: path.to_owned(), size, signed_by: certificate.fingerprint() }
    }

    /// Copies the file into `folder`, under the same name. A file of that name is replaced.
    ///
    /// # Errors
    /// [`Error::Format`] if the file has another size by now, or an I/O error that names the file.
    pub fn copy_into(&self, folder: &Path) -> Result<Self> {
        let copy = folder.join(self.path.file_name().unwrap_or_default());
        match fs_err::copy(&self.path, &copy)? == self.size {
            true => Ok(Self { path: copy, ..self.clone() }),
            false => Err(Error::format(&self.path, "was changed after it was signed")),
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Size of the file in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Fingerprint of the key that signed it, in lower-case hex.
    pub fn signed_by(&self) -> &str {
        &self.signed_by
    }
}

/// Signs `unsigned` and writes the result to `path`, which must not exist, and syncs it to the disk. After an error there
/// may be an incomplete file at `path`, which the caller removes.
///
/// The signatures have the date of the package's build time, so that signing again gives the same
/// bytes.
///
/// # Errors
/// [`Error::Sign`] or [`Error::Key`] if the key cannot make the signatures, [`Error::Format`] for a damaged package, or an
/// I/O error.
pub fn sign(unsigned: &UnsignedRpm, signer: &dyn Signer, path: &Path) -> Result<SignedRpm> {
    let rpm = Rpm::open(unsigned.path())?;
    let header = rpm.header_bytes();
    let time = rpm.build_time();
    let of_header = signer.sign(&mut &header[..], time)?;
    let of_all =
        signer.sign(&mut header.chain(BufReader::with_capacity(1 << 18, rpm.payload()?)), time)?;

    let kept = rpm.metadata.signature.get_all_entries();
    let kept = kept.map_err(|e| Error::format(unsigned.path(), e.to_string()))?;
    let mut entries: Vec<_> = kept
        .into_iter()
        .filter(|(tag, _)| *tag != Tag::HEADER_SIGNATURES as u32)
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
    Ok(SignedRpm::checked(path, size, signer.certificate()))
}

/// Writes new headers, and copies the old payload without reading it.
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
    // The two files are given directly, so that the kernel can copy the bytes.
    let copied = io::copy(payload.file_mut(), out.file_mut())?;
    out.sync_all()?;
    Ok(head.len() as u64 + copied)
}
