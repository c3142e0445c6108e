//! Package descriptions: `package.toml` as written, checked, and resolved into [`Package`]s.
//!
//! The keys are those of cargo-generate-rpm wherever it has one for the thing; what it lacks
//! (directories, links, units, users, several packages in one file) stands beside them. An
//! unknown key is an error that says which was probably meant.

mod asset;
mod build;
pub mod cargo_manifest;
mod changelog;
mod check;
mod defaults;
mod dependency;
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
pub use package::{Arch, Asset, Base, ChangelogEntry, Content, Excludes, Package, Symbols, User};
pub use scripts::{Script, Scripts};
pub use source::{Origin, Source, UpstreamSignature};
pub use waiver::{Check, Waiver};

pub(crate) use parse::{from_str, printable};

use crate::{Result, error::SpecError, input};
use layers::Layered;

/// One `package.toml`: everything that is made from one source.
#[derive(Clone, Debug)]
pub struct Spec {
    /// The file it was read from.
    pub path: PathBuf,
    /// The name of its folder, by which others need it.
    pub name: String,
    /// What is compiled, in order of the names.
    pub sources: Vec<Source>,
    /// How; `None` where everything lies in the folder already.
    pub build: Option<Build>,
    /// The RPMs, in order of their names.
    pub packages: Vec<Package>,
    /// What its author should know, and what stops nothing.
    pub notes: Vec<String>,
}

impl Spec {
    /// Reads and checks `path`. `workspace` is the folder that crate paths start from.
    ///
    /// # Errors
    /// [`crate::Error::Spec`] with the place in the file, or an I/O error that names the file.
    pub fn load(path: &Path, workspace: &Path) -> Result<Self> {
        let text = input::read_text(path, input::MAX_TEXT)?;
        Self::parse(&text, path, workspace)
    }

    /// Whether it is built from something else than its pinned sources, directly or not.
    pub fn is_local(&self) -> bool {
        self.packages.iter().any(|p| p.release.ends_with(layers::LOCAL))
    }

    /// As [`Spec::load`], for a text that is already in memory.
    pub fn parse(text: &str, path: &Path, workspace: &Path) -> Result<Self> {
        let layered = Layered::new(parse::from_str(text, path)?, path, workspace)?;
        let known = layered.siblings.clone();
        resolve::resolve(layered, &known)
    }

    /// The source `name` of a text, if it has one: the rest of it is looked at for its shape only, since
    /// it may speak of other descriptions.
    ///
    /// # Errors
    /// [`crate::Error::Spec`] with the place in the file.
    pub fn source(text: &str, path: &Path, name: &str) -> Result<Option<Source>> {
        let mut raw: schema::RawSpec = parse::from_str(text, path)?;
        let Some(raw) = raw.source.remove(name) else { return Ok(None) };
        let source = source::source(name, raw, parse::dir_of(path));
        Ok(Some(source.map_err(|e| SpecError::new(path, format!("source.{name}: {e}")))?))
    }

    /// Reads and checks files whose builds may need one another; the result is in an order in
    /// which they can be built.
    ///
    /// `local` names sources that others than the pinned ones will stand in for: whatever is built
    /// from them, directly or not, gets the release suffix `~local`.
    ///
    /// # Errors
    /// As [`Spec::load`]; also for builds that need what is not there, or each other.
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
