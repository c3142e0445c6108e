//! Reads the parts of a crate's `Cargo.toml` that a package needs: name, version, licence, texts, and
//! `[package.metadata.generate-rpm]`, with the values that it inherits from the workspace.

use std::{
    collections::BTreeSet,
    path::{Component, Path, PathBuf},
};

use toml::{Table, Value};

use super::{
    parse::{from_str, printable},
    schema::RawPackage,
};
use crate::{Result, error::SpecError, input};

/// A crate's manifest, with the manifest of its workspace.
pub struct Manifest {
    path: PathBuf,
    dir: PathBuf,
    text: String,
    own: Table,
    workspace: Table,
}

#[derive(serde::Deserialize)]
struct Outer {
    package: OuterPackage,
}

#[derive(serde::Deserialize)]
struct OuterPackage {
    metadata: Option<Metadata>,
}

#[derive(serde::Deserialize)]
struct Metadata {
    #[serde(rename = "generate-rpm")]
    generate_rpm: Option<RawPackage>,
}

impl Manifest {
    /// Reads `crate_dir/Cargo.toml`, and `workspace/Cargo.toml` if it exists.
    ///
    /// # Errors
    /// An I/O error, or [`crate::Error::Spec`] with the position of the fault in the file.
    pub fn load(workspace: &Path, crate_dir: &Path) -> Result<Self> {
        let path = workspace.join(crate_dir).join("Cargo.toml");
        let text = input::read_text(&path, input::MAX_TEXT)?;
        let own = from_str(&text, &path)?;
        let root = workspace.join("Cargo.toml");
        let workspace = match input::read_text(&root, input::MAX_TEXT) {
            Ok(text) => from_str(&text, &root)?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Table::new(),
            Err(e) => return Err(e.into()),
        };
        Ok(Self { path, dir: normalise(crate_dir), text, own, workspace })
    }

    /// The crate's name.
    ///
    /// # Errors
    /// [`crate::Error::Spec`] for a manifest without `package.name`.
    pub fn name(&self) -> Result<String> {
        self.field("name")
            .ok_or_else(|| SpecError::new(&self.path, "package.name is missing").into())
    }

    /// A text of `[package]`, or of `[workspace.package]` if it is inherited.
    fn field(&self, key: &str) -> Option<String> {
        let own = self.own.get("package")?.get(key)?;
        let inherited = own.get("workspace").and_then(Value::as_bool) == Some(true);
        let value = if inherited {
            self.workspace.get("workspace")?.get("package")?.get(key)?
        } else {
            own
        };
        value.as_str().map(str::to_owned)
    }

    /// The crate's `[package.metadata.generate-rpm]`. The keys of `variant` replace those of the table, as with
    /// `cargo generate-rpm --variant`. Missing keys are taken from `[package]`, by the same rules as in
    /// cargo-generate-rpm.
    pub(crate) fn generate_rpm(&self, variant: Option<&str>) -> Result<RawPackage> {
        let outer: Outer = from_str(&self.text, &self.path)?;
        let mut own = outer.package.metadata.and_then(|m| m.generate_rpm).ok_or_else(|| {
            SpecError::new(&self.path, "there is no [package.metadata.generate-rpm]")
                .with_help("write it, or take `cargo = true` out of package.toml")
        })?;
        let mut variants = own.variants.take().unwrap_or_default();
        if let Some(name) = variant {
            let known: Vec<_> = variants.keys().cloned().collect();
            own = variants.remove(name).ok_or_else(|| self.no_variant(name, &known))?.over(own);
        }
        Ok(own.over(RawPackage {
            name: self.field("name"),
            version: self.field("version"),
            license: self.field("license"),
            summary: self.field("description"),
            url: self.field("homepage").or_else(|| self.field("repository")),
            ..RawPackage::default()
        }))
    }

    fn no_variant(&self, name: &str, known: &[String]) -> SpecError {
        let message =
            format!("[package.metadata.generate-rpm] has no variant `{}`", printable(name));
        SpecError::new(&self.path, message).with_help(match known {
            [] => "it has no variants; take `variant` out of package.toml".into(),
            known => format!("variants are: {}", known.join(", ")),
        })
    }

    /// The folders of the crate and of all its path dependencies, direct and indirect, relative to the
    /// workspace.
    ///
    /// # Errors
    /// As [`Manifest::load`], for each of them.
    pub fn local_closure(workspace: &Path, crate_dir: &Path) -> Result<BTreeSet<PathBuf>> {
        let mut seen = BTreeSet::new();
        let mut todo = vec![normalise(crate_dir)];
        while let Some(dir) = todo.pop() {
            if !seen.insert(dir.clone()) {
                continue;
            }
            let manifest = Self::load(workspace, &dir)?;
            todo.extend(manifest.path_dependencies());
        }
        Ok(seen)
    }

    /// Folders of the path dependencies, relative to the workspace.
    fn path_dependencies(&self) -> impl Iterator<Item = PathBuf> {
        let targets = self.own.get("target").and_then(Value::as_table);
        let levels = targets.into_iter().flat_map(|t| t.values()).filter_map(Value::as_table);
        let tables = std::iter::once(&self.own).chain(levels).flat_map(|level| {
            ["dependencies", "build-dependencies"]
                .into_iter()
                .filter_map(|name| level.get(name)?.as_table())
        });
        tables.flat_map(|table| {
            table.iter().filter_map(|(name, dependency)| {
                if dependency.get("workspace").and_then(Value::as_bool) == Some(true) {
                    let shared = self.workspace.get("workspace")?.get("dependencies")?.get(name)?;
                    return Some(normalise(Path::new(shared.get("path")?.as_str()?)));
                }
                Some(normalise(&self.dir.join(dependency.get("path")?.as_str()?)))
            })
        })
    }
}

/// Resolves `.` and `..` by spelling alone, without looking at links.
fn normalise(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                out.pop();
            }
            Component::CurDir => {}
            other => out.push(other),
        }
    }
    out
}
