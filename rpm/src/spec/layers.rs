//! Merges the tables of a package.toml before anything is checked: keys that are missing in
//! `[package.NAME]` are taken from `[common]`, and then from the crate's manifest.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use super::{
    cargo_manifest::Manifest,
    check::{relative, script_text},
    defaults::RELEASE,
    parse::dir_of,
    schema::{RawAsset, RawPackage, RawSpec},
    siblings::Siblings,
};
use crate::{Result, error::SpecError};

/// Suffix of the release of packages that were not built from their pinned sources. Such a version is older than the same
/// release without the suffix, so that the real package replaces it.
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
    /// Remarks for the author that are no errors.
    pub(super) notes: Vec<String>,
}

/// One package.
pub(super) struct Layers {
    pub(super) name: String,
    pub(super) table: RawPackage,
    pub(super) crate_assets: Vec<RawAsset>,
    pub(super) extra_assets: Vec<RawAsset>,
    /// Whether the package's own table says `debuginfo = true`.
    pub(super) asks_for_debuginfo: bool,
}

impl Layered {
    /// Merges the tables of one file.
    pub(super) fn new(mut raw: RawSpec, path: &Path, workspace: &Path) -> Result<Self> {
        let at = |e: String| SpecError::new(path, e);
        let crate_dir = raw.build.as_ref().and_then(|b| b.crate_dir.as_deref());
        let crate_dir = crate_dir.map(|d| relative(d, "build.crate")).transpose().map_err(at)?;
        if raw.common.waive.is_some() {
            let message = "common.waive: a waiver is for one package; write it into [package.NAME]";
            return Err(at(message.into()).into());
        }
        let mut packages = Vec::new();
        let mut siblings = Siblings::default();
        let mut notes = Vec::new();
        for (name, own) in std::mem::take(&mut raw.package) {
            let extra_assets = own.extra_assets.clone().unwrap_or_default();
            let from_crate = own.cargo == Some(true);
            let asks_for_debuginfo = own.debuginfo == Some(true);
            let mut table = own.over(raw.common.clone());
            let mut crate_assets = Vec::new();
            if from_crate {
                let dir = crate_dir.as_ref().ok_or_else(|| {
                    at(format!("package.{name}: `cargo = true` without `[build] crate`"))
                })?;
                let mut manifest = manifest(workspace, dir, path, &name, table.variant.as_deref())?;
                notes.extend(leave_out_weak(&name, &table, &mut manifest));
                let assets = manifest.assets.take().unwrap_or_default();
                crate_assets = if table.assets.is_some() { Vec::new() } else { assets };
                table = table.over(manifest);
            } else if table.variant.is_some() {
                let message = "`variant` names a variant of a crate's table: add `cargo = true`";
                return Err(at(format!("package.{name}: {message}")).into());
            }
            if table.variants.is_some() {
                let message = "`variants` are a crate's, in its [package.metadata.generate-rpm]; \
                               `variant = \"NAME\"` takes one";
                return Err(at(format!("package.{name}: {message}")).into());
            }
            siblings.add(&name, &table);
            packages.push(Layers { name, table, crate_assets, extra_assets, asks_for_debuginfo });
        }
        if packages.is_empty() {
            return Err(at("there is no [package.NAME] table".into()).into());
        }
        let name = dir_of(path).file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { path: path.to_owned(), name, raw, packages, siblings, notes })
    }

    /// Whether it is built from one of these sources.
    pub(super) fn has_source(&self, names: &BTreeSet<String>) -> bool {
        self.raw.source.keys().any(|name| names.contains(name))
    }

    /// Names of the descriptions that its build needs.
    pub(super) fn needs(&self) -> &[String] {
        self.raw.build.as_ref().map_or(&[], |b| &b.needs)
    }

    /// Adds the suffix [`LOCAL`] to the release of every package.
    pub(super) fn mark_local(&mut self) {
        for package in &mut self.packages {
            let release = package.table.release.get_or_insert_with(|| RELEASE.into());
            release.push_str(LOCAL);
            self.siblings.add(&package.name, &package.table);
        }
    }
}

/// The package's table in the crate's manifest. Files of scripts have been read, because their paths are relative to
/// the crate.
fn manifest(
    workspace: &Path,
    dir: &Path,
    path: &Path,
    name: &str,
    variant: Option<&str>,
) -> Result<RawPackage> {
    let mut manifest = Manifest::load(workspace, dir)?.generate_rpm(variant)?;
    for script in manifest.scripts_mut() {
        let text = script_text(&script.0, &workspace.join(dir));
        script.0 = text.map_err(|e| SpecError::new(path, format!("package.{name}: {e}")))?;
    }
    Ok(manifest)
}

/// Removes weak dependencies from the crate's table. It may have them, because it is for all distributions, but CentOS 7
/// has none. Returns notes about this, except for keys that package.toml sets itself.
fn leave_out_weak(name: &str, table: &RawPackage, manifest: &mut RawPackage) -> Vec<String> {
    let known: Vec<bool> = table.weak().iter().map(|(_, value)| value.is_some()).collect();
    let mut notes = Vec::new();
    for ((key, value), known) in manifest.weak_mut().into_iter().zip(known) {
        if value.take().is_some_and(|v| !is_empty(&v)) && !known {
            notes.push(format!(
                "package.{name}: the crate's `{key}` is left out: rpm 4.11 of CentOS 7 has no weak dependencies; \
                 `{key} = {{}}` in package.toml says that this is meant, `requires` makes it a hard one"
            ));
        }
    }
    notes
}

/// Whether a table of dependencies is empty. An empty table removes the one of a lower layer.
pub(super) fn is_empty(value: &toml::Value) -> bool {
    value.as_table().is_some_and(toml::Table::is_empty)
}

#[cfg(test)]
mod tests {
    use super::super::{Content, Spec};
    use super::*;

    /// Reads a description of the crate `c`, whose manifest has this table.
    fn read(crate_table: &str, own: &str) -> Result<Spec> {
        let dir = tempfile::tempdir().unwrap();
        fs_err::create_dir(dir.path().join("c")).unwrap();
        let manifest = format!(
            "[package]\nname = \"c\"\nversion = \"1.0.0\"\nlicense = \"MIT\"\n\
             description = \"\"\"\nFirst\nsecond\n\"\"\"\n[package.metadata.generate-rpm]\n{crate_table}"
        );
        fs_err::write(dir.path().join("c/Cargo.toml"), manifest).unwrap();
        let text = format!(
            "[build]\ncrate = \"c\"\n[package.c]\ncargo = true\n{own}\n\
             [[changelog]]\ndate = 2015-10-21\nauthor = \"a\"\ntext = [\"t\"]\n"
        );
        Spec::parse(&text, &dir.path().join("specs/c/package.toml"), dir.path())
    }

    fn refused(crate_table: &str, own: &str) -> String {
        let error = read(crate_table, own).unwrap_err();
        format!("{error} {}", error.help().unwrap_or_default())
    }

    const SUMMARY: &str = "summary = \"s\"\n";
    const ASSETS: &str = "assets = [{ source = \"target/release/c\", dest = \"/usr/bin/c\" }]\n";

    #[test]
    fn weak_dependencies_of_a_crate_are_dropped_with_a_note() {
        for key in ["recommends", "suggests", "supplements", "enhances"] {
            let table = format!("{SUMMARY}{ASSETS}{key} = {{ other = \"*\" }}\n");
            let notes = read(&table, "").unwrap().notes;
            assert_eq!(notes.len(), 1, "{key}");
            assert!(notes[0].contains(&format!("package.c: the crate's `{key}` is left out")));
            let lifted = format!("{key} = {{}}");
            assert_eq!(read(&table, &lifted).unwrap().notes, [""; 0], "{key}");
            assert_eq!(read(SUMMARY, &lifted).unwrap().notes, [""; 0], "{key}");
            let own = refused(&table, &format!("{key} = {{ other = \"*\" }}"));
            assert!(own.contains("has no weak dependencies"), "{own}");
        }
    }

    #[test]
    fn keys_of_package_toml_replace_those_of_the_crate() {
        let table = format!(
            "{SUMMARY}{ASSETS}requires = {{ a = \"*\" }}\npost_install_script = \"echo x\"\nname = \"d\"\n"
        );
        let package = |own: &str| {
            let own = format!("name = \"c\"\n{own}");
            read(&table, &own).unwrap().packages.remove(0)
        };
        let kept = package("");
        assert_eq!((kept.requires.len(), kept.assets.len()), (1, 1));
        assert!(kept.scripts.post.is_some());
        let lifted = package("requires = {}\npost_install_script = \"\"\nassets = []");
        assert_eq!((lifted.requires.len(), lifted.assets.len()), (0, 0));
        assert_eq!(lifted.scripts.post, None);
        let other = package(
            "assets = [{ source = \"target/release/c\", dest = \"/usr/sbin/c\" }]\n\
             extra-assets = [{ source = \"x\", dest = \"/x\" }]",
        );
        let dests: Vec<_> = other.assets.iter().map(|a| a.dest.as_str()).collect();
        assert_eq!(dests, ["/usr/sbin/c", "/x"]);
        assert_eq!(other.programs().collect::<Vec<_>>(), ["c"]);
        assert!(
            matches!(&other.assets[1].content, Content::Files { pattern, .. } if pattern == "x")
        );
    }

    #[test]
    fn keys_of_a_variant_replace_those_of_the_crate() {
        let table = format!(
            "{SUMMARY}{ASSETS}license = \"A\"\n[package.metadata.generate-rpm.variants.el7]\nsummary = \"of el7\"\n\
             recommends = {{ x = \"*\" }}\n[package.metadata.generate-rpm.variants.suse]\nassets = []\n"
        );
        let plain = read(&table, "").unwrap();
        assert_eq!((plain.packages[0].summary.as_str(), plain.notes.len()), ("s", 0));
        let el7 = read(&table, "variant = \"el7\"").unwrap();
        assert_eq!((el7.packages[0].summary.as_str(), el7.notes.len()), ("of el7", 1));
        assert_eq!((el7.packages[0].license.as_str(), el7.packages[0].assets.len()), ("A", 1));
        assert!(read(&table, "variant = \"suse\"").unwrap().packages[0].assets.is_empty());
        let unknown = refused(&table, "variant = \"el8\"");
        assert!(unknown.contains("no variant `el8`"), "{unknown}");
        assert!(unknown.contains("variants are: el7, suse"), "{unknown}");
        assert!(refused(SUMMARY, "variant = \"el7\"").contains("it has no variants"));
        let here = refused(SUMMARY, "[package.c.variants.el7]\nsummary = \"x\"");
        assert!(here.contains("`variants` are a crate's"), "{here}");
    }

    #[test]
    fn a_summary_has_one_line() {
        let error = refused(ASSETS, "");
        assert!(error.contains("summary: must be one line"), "{error}");
        assert!(error.contains("`description` of Cargo.toml"), "{error}");
        assert_eq!(read(ASSETS, SUMMARY).unwrap().packages[0].summary, "s");
    }
}
