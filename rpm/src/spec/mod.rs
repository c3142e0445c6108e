//! Reads package descriptions (`package.toml`), and checks and resolves them into [`Package`]s. docs/package-toml.md
//! describes the format.
//!
//! The keys are those of cargo-generate-rpm, and keys for features that it does not have:
//! directories, links, units, users, several packages in one file. For an
//! unknown key, the error suggests the key that was probably meant.

mod asset;
mod build;
pub mod cargo_manifest;
mod changelog;
mod check;
mod defaults;
mod dependency;
mod hardening;
mod layers;
mod needs;
mod package;
mod parse;
mod resolve;
mod schema;
mod scripts;
mod siblings;
mod source;
mod waiver;
mod words;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

pub use build::{Build, ContainerBuild, Phase};
pub use dependency::Dependency;
pub use package::{
    Account, Arch, Asset, Base, ChangelogEntry, Content, Excludes, Package, Symbols,
};
pub use scripts::{Script, Scripts};
pub use source::{Origin, Source, UpstreamSignature};
pub use waiver::{LintRule, Waiver};

pub(crate) use parse::{from_str, printable};

use crate::{Result, error::SpecError, input};
use layers::Layered;

/// One `package.toml`, checked: how its sources are compiled, and the packages that are made from the result.
#[derive(Clone, Debug)]
pub struct Spec {
    /// The file it was read from.
    pub path: PathBuf,
    /// The name of its folder. Other descriptions use it in `needs`.
    pub name: String,
    /// Its sources, sorted by name.
    pub sources: Vec<Source>,
    /// How they are compiled; `None` if all files are in the folder already.
    pub build: Option<Build>,
    /// The RPMs, sorted by name.
    pub packages: Vec<Package>,
    /// Remarks for the author that are no errors.
    pub notes: Vec<String>,
}

impl Spec {
    /// Reads and checks the file `path`. `workspace` is the folder that paths of crates are relative to. The files of the
    /// packages are not looked up yet: [`crate::stage::StagedRoot::collect`] does that.
    ///
    /// # Errors
    /// [`crate::Error::Spec`] with the position in the file, or an I/O error that names the file.
    pub fn load(path: &Path, workspace: &Path) -> Result<Self> {
        let text = input::read_text(path, input::MAX_TEXT)?;
        Self::parse(&text, path, workspace)
    }

    /// Whether it is built from a source that is not the pinned one, directly or through another description.
    pub fn is_local(&self) -> bool {
        self.packages.iter().any(|p| p.release.ends_with(layers::LOCAL))
    }

    /// As [`Spec::load`], for a text in memory. `path` is used in messages, and its folder for relative paths.
    pub fn parse(text: &str, path: &Path, workspace: &Path) -> Result<Self> {
        let layered = Layered::new(parse::from_str(text, path)?, path, workspace)?;
        let known = layered.siblings.clone();
        resolve::resolve(layered, &known)
    }

    /// The source `name` of a description, if it has one. The rest of the text must be well-formed, but is not checked, since
    /// it may refer to other descriptions.
    ///
    /// # Errors
    /// [`crate::Error::Spec`] with the position in the file.
    pub fn source(text: &str, path: &Path, name: &str) -> Result<Option<Source>> {
        let mut raw: schema::RawSpec = parse::from_str(text, path)?;
        let Some(raw) = raw.source.remove(name) else { return Ok(None) };
        let source = source::source(name, raw, parse::dir_of(path));
        Ok(Some(source.map_err(|e| SpecError::new(path, format!("source.{name}: {e}")))?))
    }

    /// Reads and checks descriptions whose builds may need each other. They are returned in an order in
    /// which they can be built.
    ///
    /// `local` names sources that are replaced by local folders. All packages that are built
    /// from them, directly or not, get the release suffix `~local`.
    ///
    /// # Errors
    /// As [`Spec::load`]; also if a build needs a description that does not exist, or if builds need each other in a circle.
    pub fn load_all(
        paths: &[PathBuf],
        workspace: &Path,
        local: &BTreeSet<String>,
    ) -> Result<Vec<Self>> {
        let mut all = Vec::new();
        for path in paths {
            let text = input::read_text(path, input::MAX_TEXT)?;
            all.push(Layered::new(parse::from_str(&text, path)?, path, workspace)?);
        }
        needs::resolve_all(needs::in_order(all)?, local)
    }
}
