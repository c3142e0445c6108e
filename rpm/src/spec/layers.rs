//! A package.toml whose tables have been laid over one another, before anything is checked: what
//! `[package.NAME]` leaves out comes from `[common]`, then from the crate's own manifest.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use super::{
    dir_of,
    resolve::{RELEASE, relative, script_text},
    schema::{RawAsset, RawPackage, RawSpec},
    siblings::Siblings,
};
use crate::{Result, cargo_manifest::Manifest, error::SpecError};

/// The mark of what was built from something else than its pinned source. It orders before the
/// release itself, so that the real one replaces it.
pub(super) const LOCAL: &str = "~local";

/// A whole file.
pub(super) struct Layered {
    pub(super) path: PathBuf,
    /// The name of its folder.
    pub(super) name: String,
    /// Everything but the packages.
    pub(super) raw: RawSpec,
    pub(super) packages: Vec<Layers>,
    /// The versions of its packages.
    pub(super) siblings: Siblings,
}

/// One package.
pub(super) struct Layers {
    pub(super) name: String,
    pub(super) table: RawPackage,
    pub(super) crate_assets: Vec<RawAsset>,
    pub(super) extra_assets: Vec<RawAsset>,
}

impl Layered {
    /// Lays the tables of one file over one another.
    pub(super) fn new(mut raw: RawSpec, path: &Path, workspace: &Path) -> Result<Self> {
        let at = |e: String| SpecError::new(path, e);
        let crate_dir = raw.build.as_ref().and_then(|b| b.crate_dir.as_deref());
        let crate_dir = crate_dir.map(|d| relative(d, "build.crate")).transpose().map_err(at)?;
        if raw.common.waive.is_some() {
            let message =
                "common.waive: what may pass is said of one package; write it into [package.NAME]";
            return Err(at(message.into()).into());
        }
        let mut packages = Vec::new();
        let mut siblings = Siblings::default();
        for (name, own) in std::mem::take(&mut raw.package) {
            let extra_assets = own.extra_assets.clone().unwrap_or_default();
            let from_crate = own.cargo == Some(true);
            let mut table = own.over(raw.common.clone());
            let mut crate_assets = Vec::new();
            if from_crate {
                let dir = crate_dir.as_ref().ok_or_else(|| {
                    at(format!("package.{name}: `cargo = true` without `[build] crate`"))
                })?;
                let manifest = manifest(workspace, dir, path, &name)?;
                crate_assets = manifest.assets.clone().unwrap_or_default();
                table = table.over(RawPackage { assets: None, ..manifest });
            }
            siblings.add(&name, &table);
            packages.push(Layers { name, table, crate_assets, extra_assets });
        }
        if packages.is_empty() {
            return Err(at("there is no [package.NAME] table".into()).into());
        }
        let name = dir_of(path).file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { path: path.to_owned(), name, raw, packages, siblings })
    }

    /// Whether it is built from one of these sources.
    pub(super) fn has_source(&self, names: &BTreeSet<String>) -> bool {
        self.raw.source.keys().any(|name| names.contains(name))
    }

    /// The descriptions that its build needs.
    pub(super) fn needs(&self) -> &[String] {
        self.raw.build.as_ref().map_or(&[], |b| &b.needs)
    }

    /// Marks every package as built from something else than its pinned source.
    pub(super) fn mark_local(&mut self) {
        for package in &mut self.packages {
            let release = package.table.release.get_or_insert_with(|| RELEASE.into());
            release.push_str(LOCAL);
            self.siblings.add(&package.name, &package.table);
        }
    }
}

/// What the crate's manifest says of the package, its scripts read already: in there the paths
/// start from the crate.
fn manifest(workspace: &Path, dir: &Path, path: &Path, name: &str) -> Result<RawPackage> {
    let mut manifest = Manifest::load(workspace, dir)?.generate_rpm()?;
    for script in manifest.scripts_mut() {
        let text = script_text(&script.0, &workspace.join(dir));
        script.0 = text.map_err(|e| SpecError::new(path, format!("package.{name}: {e}")))?;
    }
    Ok(manifest)
}
