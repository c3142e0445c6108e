//! The result of a description's compile, as its packages see it: programs, or a staged root.

use std::{path::PathBuf, sync::Arc};

use el7rpm::spec::{ContainerBuild, Package};

use super::{CompileCrate, CompileInContainer, Prerequisite, StepId};
use crate::cache::Cache;
use base::key::Identity;

/// The result of a description's build.
#[derive(Clone, Debug)]
pub(crate) enum Compiled {
    /// The description has no build.
    Nothing,
    /// Programs of a crate.
    Programs(Prerequisite<CompileCrate>),
    /// A staged root.
    Staged(Arc<Staged>),
}

/// A staged root, with the data that its packages are checked by.
#[derive(Debug)]
pub(crate) struct Staged {
    /// Patterns of files that no package takes on purpose (`discard`).
    pub(super) discard: Vec<String>,
    /// The staged roots that are together on a host; the last one is its own.
    pub(super) release: Vec<Shared>,
    /// The image's ABI table, if it has one: libraries beside, or instead of, those of CentOS 7.
    pub(super) abi: Option<PathBuf>,
}

/// A staged root, and the packages that take its files.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    /// The step that makes it.
    pub(crate) compile: Prerequisite<CompileInContainer>,
    /// The packages.
    pub(crate) packages: Arc<Vec<Package>>,
}

impl Staged {
    /// `release` are the staged roots of all compiles that this one needs, and its own.
    pub(crate) fn new(build: &ContainerBuild, release: Vec<Shared>, abi: Option<PathBuf>) -> Self {
        Self { discard: build.discard.clone(), release, abi }
    }
}

impl Compiled {
    /// The steps whose results the package is made from, or checked by.
    pub(super) fn steps(&self) -> Vec<StepId> {
        match self {
            Self::Nothing => Vec::new(),
            Self::Programs(programs) => vec![programs.id],
            Self::Staged(staged) => staged.release.iter().map(|shared| shared.compile.id).collect(),
        }
    }

    /// The staged root, if the build makes one.
    pub(super) fn staged(&self) -> Option<&Staged> {
        match self {
            Self::Staged(staged) => Some(staged),
            Self::Nothing | Self::Programs(_) => None,
        }
    }

    /// The folder with the compiled files, if the compile has been carried out.
    pub(super) fn folder(&self, cache: &Cache) -> Option<PathBuf> {
        match self {
            Self::Nothing => None,
            Self::Programs(programs) => programs.programs(cache),
            Self::Staged(staged) => staged.release.last()?.compile.staged_root(cache),
        }
    }

    /// The name and the identity of the compile.
    pub(super) fn compile(&self) -> Option<(&str, &Identity)> {
        match self {
            Self::Nothing => None,
            Self::Programs(programs) => Some((&programs.name, &programs.identity)),
            Self::Staged(staged) => {
                staged.release.last().map(|own| (own.compile.name.as_str(), &own.compile.identity))
            }
        }
    }
}
