//! The metadata of a yum repository: `primary`, `filelists` and `other`, which are gzipped XML. `repomd.xml` lists them with
//! their SHA-256, and has a detached signature.
//!
//! yum 3.4.3 needs these files and no others: it makes its own databases from them. Times and
//! order are fixed, so that the same packages give the same bytes.

mod kept;
mod package_xml;
mod repomd;
mod revision;

use std::{collections::HashMap, path::Path};

pub use kept::{Kept, kept};
pub use package_xml::IndexedRpm;
pub use repomd::{Problem, VerifiedMetadata, verify};
pub use revision::revision;

use crate::{
    Error, Result,
    openpgp::{self, Signer},
    signature::SignedRpm,
};

/// A written `repodata/`.
#[derive(Clone, Debug)]
pub struct Repository {
    packages: Vec<IndexedRpm>,
    revision: u32,
}

impl Repository {
    /// The packages, in order of their file names.
    pub fn packages(&self) -> &[IndexedRpm] {
        &self.packages
    }

    /// The `revision` of repomd.xml: the newest build time, in seconds since 1970, or that of the
    /// repository it replaces, if that is later.
    pub fn revision(&self) -> u32 {
        self.revision
    }
}

/// Indexes and signs a repository: writes `dir/repodata`, which must not exist. The metadata names the
/// packages by their file names alone: their files lie directly in `dir`, or in the folder that this
/// `repodata` will be moved to. Each file is read once, for its SHA-256.
///
/// `not_before` is the revision of the repository that this one replaces, or 0: yum keeps what it has if it is
/// offered something older.
///
/// # Errors
/// [`crate::Error::Format`] for a source package, a file name that no address can hold, or two files that hold the same
/// package; a failure to sign, or an I/O error.
pub fn write(
    dir: &Path,
    packages: &[SignedRpm],
    not_before: u32,
    signer: &dyn Signer,
) -> Result<Repository> {
    write_with(dir, packages, not_before, &[], signer)
}

/// As [`write()`], with metadata that the repository has beside its index ([`kept()`]).
///
/// # Errors
/// As [`write()`].
pub fn write_with(
    dir: &Path,
    packages: &[SignedRpm],
    not_before: u32,
    kept: &[Kept],
    signer: &dyn Signer,
) -> Result<Repository> {
    let files = packages;
    let mut packages: Vec<_> =
        files.iter().map(|p| IndexedRpm::read(p.path())).collect::<Result<_>>()?;
    refuse_twins(files, &packages)?;
    packages.sort_by(|a, b| a.file_name.cmp(&b.file_name));
    let newest = packages.iter().map(|p| p.build_time).max().unwrap_or(0);
    let revision = newest.max(not_before);
    let repodata = dir.join("repodata");
    fs_err::create_dir(&repodata)?;
    let mut files = Vec::new();
    for (name, xml) in package_xml::all(&packages)? {
        files.push(repomd::store(&repodata, name, &xml)?);
    }
    for file in kept {
        files.push(file.store(&repodata)?);
    }
    let repomd = repomd::xml(&files, revision)?;
    let signature = signer.sign(&mut &repomd[..], revision)?;
    repomd::put(&repodata.join("repomd.xml"), &repomd)?;
    repomd::put(&repodata.join("repomd.xml.asc"), openpgp::armor(&signature)?.as_bytes())?;
    fs_err::File::open(&repodata)?.sync_all()?;
    Ok(Repository { packages, revision })
}

/// yum would take either of two files with the same name, version and architecture, and report the other's checksum.
fn refuse_twins(files: &[SignedRpm], packages: &[IndexedRpm]) -> Result<()> {
    let mut seen = HashMap::new();
    for (file, package) in files.iter().zip(packages) {
        if let Some(first) = seen.insert(package.identity(), &package.file_name) {
            let nevra = &package.nevra;
            return Err(Error::Format {
                path: file.path().to_owned(),
                message: format!(
                    "this is {nevra}, and so is {first}: a repository holds a package once; remove one of the two files"
                ),
            });
        }
    }
    Ok(())
}

/// SHA-256 of a file in lower-case hex, as in the metadata.
///
/// # Errors
/// An I/O error that names the file.
pub fn digest(path: &Path) -> Result<String> {
    repomd::digest_of(path)
}
