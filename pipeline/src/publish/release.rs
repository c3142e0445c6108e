//! `release.json`: the content of a repository, its key and its compiler.

use std::{collections::BTreeMap, path::Path};

use el7rpm::{input, repodata::IndexedRpm};
use serde::{Deserialize, Serialize};

use super::names::{RELEASE, SUMS, sums_signature};
use base::failure::{Class, Classify, Failure, Result};

/// Largest release.json that is read: room for a hundred thousand packages.
const LIMIT: u64 = 32 << 20;

/// The content of the file. Later versions only add fields, so that each version of this program knows the files of
/// every other version.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Release {
    /// Version of this program.
    pub(super) version: String,
    /// The metadata's revision; the next one is never older.
    #[serde(default)]
    pub(super) revision: u32,
    /// Fingerprint of the signing key.
    pub signed_by: String,
    /// Whether that is a development key.
    pub development: bool,
    /// The version line of the compiler of the programs from host/, if there are any. Sources in containers are
    /// compiled by the compiler of their image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) compiler: Option<String>,
    /// The roots in which sources were compiled: the digest of each root's tree, by the name of its image.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) roots: BTreeMap<String, String>,
    /// Whether checks of builds were left out (`--no-check`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) unchecked: bool,
    /// The RPMs.
    pub packages: Vec<Published>,
    /// Every other file.
    pub(super) files: Vec<String>,
}

impl Release {
    /// All files of the repository, this list's own included.
    pub(super) fn all_files(&self) -> Vec<String> {
        let rpms = self.packages.iter().map(|p| p.file.clone());
        let own = [RELEASE.to_owned(), SUMS.to_owned(), sums_signature()];
        rpms.chain(self.files.iter().cloned()).chain(own).collect()
    }
}

/// An RPM in a repository.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Published {
    /// Name of the package.
    pub name: String,
    /// Its file name.
    pub file: String,
    /// In bytes.
    pub size: u64,
    pub(super) sha256: String,
}

impl From<&IndexedRpm> for Published {
    fn from(rpm: &IndexedRpm) -> Self {
        Self {
            name: rpm.name().to_owned(),
            file: rpm.file_name().to_owned(),
            size: rpm.size(),
            sha256: rpm.checksum().to_owned(),
        }
    }
}

/// Reads the release in `dir`; `None` if there is no release.json.
///
/// # Errors
/// If the file cannot be read, or this version does not understand it.
pub fn read_release(dir: &Path) -> Result<Option<Release>> {
    let path = dir.join(RELEASE);
    if !input::is_there(&path).class(Class::Output)? {
        return Ok(None);
    }
    let text = input::read_text(&path, LIMIT).class(Class::Output)?;
    serde_json::from_str(&text).map(Some).map_err(|e| {
        Failure::new(Class::Output, format!("{} is not understood: {e}", path.display()))
            .help("it may be of another version, or changed by hand: move the folder away, or choose another with --out")
    })
}
