//! `compile host/NAME`: compiles a crate on this machine. [`builders::host_builder`] makes the key and does the work.
//! The result is a folder with the programs.

use std::path::PathBuf;

use el7rpm::spec::{Build, Spec};

use super::{Context, Draft, Prerequisite, Step};
use crate::{cache::Cache, circumstances::Circumstances};
use base::{
    failure::{Result, Trouble},
    key::Key,
    step::Kind,
};
use builders::{host_builder::HostBuild, tools::Zig};

/// Compiles a crate.
#[derive(Debug)]
pub struct CompileCrate {
    /// The crate and its programs.
    pub build: HostBuild,
    zig: Zig,
}

impl CompileCrate {
    /// `rustc` is the output of `rustc -vV`.
    pub(crate) fn draft(
        build: HostBuild,
        rustc: &str,
        zig: Zig,
        circumstances: &Circumstances<'_>,
    ) -> Result<Draft<Self>> {
        let identity = build.identity(circumstances.workspace, rustc, &zig)?;
        let dir = build.crate_dir.display().to_string();
        let inputs = vec![dir.clone(), "Cargo.lock".into()];
        let work = Self { build, zig };
        Ok(Draft { inputs, ..Draft::new(format!("compile {dir}"), identity, work) })
    }

    pub(super) fn run(&self, step: &Step, context: &Context<'_>) -> Result<(), Trouble> {
        let site = context.site();
        self.build.fetch(&site, &self.zig, &step.name)?;
        context.cache.make(Kind::Compile, &step.key, |out| {
            self.build.run(&site, &self.zig, &step.name, out)?;
            step.stamps.check()
        })?;
        Ok(())
    }

    /// The folder with the programs, if `spec` is the description of this crate.
    pub(super) fn programs(&self, spec: &Spec, key: &Key, cache: &Cache) -> Option<PathBuf> {
        let is_of =
            |build: &Build| matches!(build, Build::Crate(dir) if *dir == self.build.crate_dir);
        let is_own = spec.build.as_ref().is_some_and(is_of);
        is_own.then(|| cache.get(Kind::Compile, key))?
    }
}

impl Prerequisite<CompileCrate> {
    /// The folder with the programs.
    pub(super) fn programs(&self, cache: &Cache) -> Option<PathBuf> {
        cache.get(Kind::Compile, &self.identity.key)
    }
}
