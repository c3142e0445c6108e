//! The checks of a repository by `cargo xtask verify`, and by each run before it publishes.
//!
//! The caller says what the folder has to be; its content does not decide. Otherwise somebody could remove a file,
//! and so the check that needs it.

use std::path::{Path, PathBuf};

use el7rpm::{
    openpgp::Certificate,
    repodata,
    verify::{self, Required},
};

use super::{
    list::{FileType, FolderEntry, entries_below},
    whole,
};
use base::failure::{Class, Classify, Failure, Result};

/// What the folder has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// A repository that `rpm` published: no file is missing, and signatures cover every file.
    Published,
    /// A folder that `index` has indexed: signatures cover the packages and the metadata, but not other files.
    Indexed,
}

impl Expected {
    /// Which digests and signatures its packages must have: all, if `rpm` has written them.
    fn required(self) -> Required {
        match self {
            Self::Published => Required::All,
            Self::Indexed => Required::AsWritten,
        }
    }
}

/// A repository without any problem.
pub struct Verified {
    /// The checks of each RPM.
    pub reports: Vec<verify::Report>,
    /// Files beside an index that no signature covers.
    pub uncovered: Vec<String>,
}

/// Checks the folder, every byte of its RPMs included.
pub fn verify_repository(
    dir: &Path,
    certificate: &Certificate,
    expected: Expected,
) -> Result<Verified> {
    let dir = &fs_err::canonicalize(dir).class(Class::Verify)?;
    let there = entries_below(dir, Class::Verify)?;
    let metadata = repodata::verify(dir, certificate).class(Class::Verify)?;
    let mut problems: Vec<String> = metadata.problems.iter().map(ToString::to_string).collect();
    // Without signed metadata there is nothing to compare the files with.
    let is_known = !metadata.packages.is_empty() || metadata.problems.is_empty();
    let mut reports = Vec::new();
    let mut uncovered = Vec::new();
    for entry in there.iter().filter(|e| e.kind != FileType::Folder) {
        let name = &entry.name;
        if let Some(problem) = unfit(entry.kind, expected) {
            problems.push(format!("{name}: {problem}"));
        } else if metadata.packages.contains_key(name) {
            let path = dir.join(name);
            let report =
                verify::verify(&path, certificate, expected.required()).class(Class::Verify)?;
            problems.extend(report.faults().iter().map(|fault| format!("{name}: {fault}")));
            reports.push(report);
        } else if is_known && is_rpm(name) {
            problems.push(format!("{name}: is not listed in the signed metadata"));
        } else if is_known && name.starts_with("repodata/") && !metadata.files.contains(name) {
            problems.push(format!("{name}: is not listed in repomd.xml"));
        } else if !metadata.files.contains(name) {
            uncovered.push(name.clone());
        }
    }
    if expected == Expected::Published {
        problems.extend(whole::problems(dir, certificate, &there, &metadata)?);
        uncovered.clear();
    }
    match problems.is_empty() {
        true => Ok(Verified { reports, uncovered }),
        false => Err(refuse(dir, expected, &there, problems)),
    }
}

fn refuse(dir: &Path, expected: Expected, there: &[FolderEntry], problems: Vec<String>) -> Failure {
    let message = format!("{} fails verification", dir.display());
    let help = match expected {
        Expected::Published if !there.iter().any(|e| e.name == super::names::SUMS) => {
            "do not install from it; only if it is a folder that `cargo xtask index` wrote, say so with --indexed"
        }
        _ => "do not install from it; build or fetch it again",
    };
    let mut failure = Failure::new(Class::Verify, message).help(help);
    failure.last_lines = problems;
    failure
}

/// Why a file of this type must not be in the folder.
fn unfit(kind: FileType, expected: Expected) -> Option<&'static str> {
    match (kind, expected) {
        (FileType::Link, Expected::Published) => Some("is a link, and links are not published"),
        (FileType::Other, _) => Some("is not a regular file"),
        _ => None,
    }
}

/// Whether it is an RPM directly in the folder; RPMs in folders below are not part of the repository.
fn is_rpm(name: &str) -> bool {
    !name.contains('/') && Path::new(name).extension().is_some_and(|e| e == "rpm")
}

/// The RPMs directly in a folder, sorted by name.
pub fn rpms_in(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut rpms = Vec::new();
    for entry in fs_err::read_dir(dir).class(Class::Verify)? {
        let path = entry.class(Class::Verify)?.path();
        if path.extension().is_some_and(|e| e == "rpm") {
            rpms.push(path);
        }
    }
    rpms.sort();
    Ok(rpms)
}
