//! Package descriptions: `package.toml` as written, checked, and resolved into [`Package`]s.
//!
//! The keys are those of cargo-generate-rpm wherever it has one for the thing; what it lacks
//! (directories, links, units, users, several packages in one file) stands beside them. An
//! unknown key is an error that says which was probably meant.

mod asset;
mod changelog;
mod dependency;
mod package;
mod parse;
mod resolve;
mod schema;
mod siblings;

use std::path::{Path, PathBuf};

pub use dependency::Dependency;
pub use package::{
    Arch, Asset, Base, ChangelogEntry, Content, Excludes, Package, Script, Scripts, Symbols, User,
};
pub use rpm::{DependencyFlags, FileFlags, FileVerifyFlags};

pub(crate) use parse::{from_str, printable};
pub(crate) use schema::RawPackage;

use crate::Result;

/// One `package.toml`: everything that is made from one source.
#[derive(Clone, Debug)]
pub struct Spec {
    /// The file it was read from.
    pub path: PathBuf,
    /// The crate, as a path from the workspace's root, that is compiled for these packages.
    pub crate_dir: Option<PathBuf>,
    /// The RPMs, in order of their names.
    pub packages: Vec<Package>,
}

impl Spec {
    /// Reads and checks `path`. `workspace` is the folder that crate paths start from.
    ///
    /// # Errors
    /// [`crate::Error::Spec`] with the place in the file, or an I/O error that names the file.
    pub fn load(path: &Path, workspace: &Path) -> Result<Self> {
        let text = fs_err::read_to_string(path)?;
        Self::parse(&text, path, workspace)
    }

    /// As [`Spec::load`], for a text that is already in memory.
    pub fn parse(text: &str, path: &Path, workspace: &Path) -> Result<Self> {
        let raw: schema::RawSpec = parse::from_str(text, path)?;
        resolve::resolve(raw, path, workspace)
    }
}

/// The folder of `path`, which its relative paths start from.
fn dir_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}
