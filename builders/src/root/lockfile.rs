//! root.lock: the packages of an image, sorted by name, one table each, so that a diff of the file shows what changed.

use std::{
    collections::BTreeMap, fmt::Write as _, fs::Permissions, io::Write as _,
    os::unix::fs::PermissionsExt, path::Path,
};

use el7rpm::{input, metadata::check_path};
use serde::Deserialize;

use base::failure::{Class, Classify, Failure, Result};

/// The name of the file, in the folder of its image.
pub const LOCK: &str = "root.lock";
/// The version of the file's format.
const FORMAT: u32 = 1;

/// The packages of an image.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    format: u32,
    /// SHA-256 of the image.toml from which the lock was made.
    pub description: String,
    /// The keys that sign the packages, sorted by name.
    #[serde(rename = "key")]
    pub keys: Vec<LockedKey>,
    /// The packages, sorted by name.
    #[serde(rename = "package")]
    pub packages: Vec<LockedPackage>,
}

/// A key file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedKey {
    /// Its name in image.toml.
    pub name: String,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Size of the file in bytes.
    pub size: u64,
}

/// A package.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedPackage {
    /// Name.
    pub name: String,
    /// `[epoch:]version-release`, without an epoch of 0.
    pub evr: String,
    /// Architecture.
    pub arch: String,
    /// The name of its repository in image.toml.
    pub repository: String,
    /// Its path in the repository.
    pub path: String,
    /// Size of the RPM in bytes.
    pub size: u64,
    /// SHA-256 of the RPM.
    pub sha256: String,
}

impl LockedPackage {
    /// `name-[epoch:]version-release.arch`
    pub fn nevra(&self) -> String {
        format!("{}-{}.{}", self.name, self.evr, self.arch)
    }
}

/// How a package differs between two locks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its name.
    pub name: String,
    /// Version, architecture and repository in the old lock, if it has the package.
    pub before: Option<String>,
    /// Version, architecture and repository in the new lock, if it has the package.
    pub now: Option<String>,
}

impl Lock {
    /// A lock with these keys and packages.
    pub(super) fn new(
        description: &str,
        keys: Vec<LockedKey>,
        mut packages: Vec<LockedPackage>,
    ) -> Self {
        packages.sort_by(|a, b| a.name.cmp(&b.name));
        Self { format: FORMAT, description: description.to_owned(), keys, packages }
    }

    /// Reads the lock in an image's folder, if it exists.
    ///
    /// # Errors
    /// [`Class::Source`] if it cannot be read or is not valid.
    pub fn load(dir: &Path) -> Result<Option<Self>> {
        let path = dir.join(LOCK);
        if !input::is_there(&path).class(Class::Source)? {
            return Ok(None);
        }
        let text = input::read_text(&path, 64 << 20).class(Class::Source)?;
        let parsed = toml::from_str(&text).map_err(|e| e.to_string());
        let lock = parsed.and_then(|lock: Self| lock.check().map(|()| lock));
        lock.map(Some).map_err(|why| {
            let message = format!("{} cannot be used: {}", path.display(), why.trim_end());
            Failure::new(Class::Source, message)
                .help("restore it from version control, or write it again with `cargo xtask lock`")
        })
    }

    fn check(&self) -> Result<(), String> {
        let is_sha256 = |text: &str| {
            text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        };
        let sums =
            self.packages.iter().map(|p| &p.sha256).chain(self.keys.iter().map(|k| &k.sha256));
        if self.format != FORMAT {
            return Err(format!("its format is {}, and only {FORMAT} is known", self.format));
        }
        if self.packages.is_empty() || self.keys.is_empty() {
            return Err("it has no packages or no keys".into());
        }
        if let Some(odd) = sums.into_iter().find(|sum| !is_sha256(sum)) {
            return Err(format!("`{odd}` is not a SHA-256"));
        }
        for package in &self.packages {
            check_path(&package.path).map_err(|e| e.to_string())?;
        }
        Ok(())
    }

    /// The text of the file.
    pub fn text(&self) -> String {
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let mut text = String::from(
            "# The packages of the image. Written by `cargo xtask lock`: commit it, and do not edit it.\n",
        );
        let _ = writeln!(text, "format = {FORMAT}\ndescription = {}", quoted(&self.description));
        for LockedKey { name, sha256, size } in &self.keys {
            let (name, sha256) = (quoted(name), quoted(sha256));
            let _ = write!(text, "\n[[key]]\nname = {name}\nsize = {size}\nsha256 = {sha256}\n");
        }
        for package in &self.packages {
            text += "\n[[package]]\n";
            for (label, value) in [
                ("name", &package.name),
                ("evr", &package.evr),
                ("arch", &package.arch),
                ("repository", &package.repository),
                ("path", &package.path),
            ] {
                let _ = writeln!(text, "{label} = {}", quoted(value));
            }
            let sha256 = quoted(&package.sha256);
            let _ = writeln!(text, "size = {}\nsha256 = {sha256}", package.size);
        }
        text
    }

    /// Writes it into an image's folder: to a new file, which replaces the old one, with the permissions that new files have.
    ///
    /// # Errors
    /// [`Class::Output`] if it cannot be written.
    pub fn write(&self, dir: &Path) -> Result<()> {
        // Not in the folder of the image: a file that is left there by a killed run would be in the way.
        let containers = dir.parent().unwrap_or(dir);
        let mode = Permissions::from_mode(0o666);
        let file = tempfile::Builder::new().permissions(mode).tempfile_in(containers);
        let mut file = file.class(Class::Output)?;
        file.write_all(self.text().as_bytes()).class(Class::Output)?;
        file.as_file().sync_all().class(Class::Output)?;
        let lock = dir.join(LOCK);
        file.persist(&lock).map(|_| ()).map_err(|e| {
            let message = format!("{} cannot be written: {}", lock.display(), e.error);
            Failure::new(Class::Output, message).help("remove what is in its place, and run again")
        })
    }

    /// The differences from `before`, sorted by name.
    pub fn changes(&self, before: Option<&Self>) -> Vec<Change> {
        let by_name = |lock: &Self| -> BTreeMap<String, LockedPackage> {
            lock.packages.iter().map(|p| (p.name.clone(), p.clone())).collect()
        };
        let (old, new) = (before.map(by_name).unwrap_or_default(), by_name(self));
        let names: std::collections::BTreeSet<_> = old.keys().chain(new.keys()).collect();
        let differ = names.into_iter().filter(|name| old.get(*name) != new.get(*name));
        let change = |name: &String| {
            let of = |lock: &BTreeMap<String, LockedPackage>| {
                lock.get(name).map(|p| format!("{}.{} ({})", p.evr, p.arch, p.repository))
            };
            let (before, mut now) = (of(&old), of(&new));
            // The repository has another file with the same version.
            if before == now {
                now = now.map(|now| format!("{now}, another path or content"));
            }
            Change { name: name.clone(), before, now }
        };
        differ.map(change).collect()
    }
}
