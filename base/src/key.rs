//! Step keys: the SHA-256 of everything that can change a step's output. Two runs with the same
//! key give the same result, so the second does nothing.

use std::{
    fmt,
    io::Read,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use el7rpm::input;
use serde::Serialize;
use sha2::{Digest, Sha256};
use walkdir::WalkDir;

use crate::failure::{Class, Classify, Failure, Result};

/// The identity of a step's result, in lower-case hex.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Key(String);

impl Key {
    /// Enough of it for people to tell two apart.
    pub fn short(&self) -> &str {
        &self.0[..12]
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the files behind a key looked like when they were read: whoever edits one while the step
/// runs would otherwise get the new content under the old key.
#[derive(Clone, Debug, Default)]
pub struct Stamps(Vec<(PathBuf, Option<Stamp>)>);

/// Size, inode, and the times of the last change of content and of attributes.
type Stamp = (u64, u64, (i64, i64), (i64, i64));

fn stamp(path: &Path) -> Option<Stamp> {
    let m = fs_err::symlink_metadata(path).ok()?;
    Some((m.size(), m.ino(), (m.mtime(), m.mtime_nsec()), (m.ctime(), m.ctime_nsec())))
}

impl Stamps {
    /// Fails if one of the files has changed since its key was taken.
    pub fn check(&self) -> Result<()> {
        match self.0.iter().find(|(path, then)| stamp(path) != *then) {
            None => Ok(()),
            Some((path, _)) => Err(Failure::new(
                Class::Source,
                format!("{} was changed while it was being built from", path.display()),
            )
            .help("run again; nothing was kept of this step")),
        }
    }
}

fn is_dangling(error: &walkdir::Error) -> bool {
    let is_absent = error.io_error().is_some_and(|e| e.kind() == std::io::ErrorKind::NotFound);
    is_absent && error.path().is_some_and(Path::is_symlink)
}

/// Gathers what goes into a key. Each part is labelled and measured, so that no two different
/// lists of parts run together into the same bytes.
pub struct KeyBuilder {
    hash: Sha256,
    stamps: Vec<(PathBuf, Option<Stamp>)>,
}

impl KeyBuilder {
    /// For a step of this kind; `version` changes when the step's own meaning does.
    pub fn new(step: &str, version: u32) -> Self {
        let mut own = Self { hash: Sha256::new(), stamps: Vec::new() };
        own.part("step", step.as_bytes());
        own.part("version", &version.to_be_bytes());
        own
    }

    fn part(&mut self, label: &str, value: &[u8]) {
        for bytes in [label.as_bytes(), value] {
            self.hash.update((bytes.len() as u64).to_be_bytes());
            self.hash.update(bytes);
        }
    }

    /// Adds a value.
    pub fn text(mut self, label: &str, value: &str) -> Self {
        self.part(label, value.as_bytes());
        self
    }

    /// Adds the key of another result.
    pub fn key(self, label: &str, key: &Key) -> Self {
        self.text(label, &key.0)
    }

    /// A file's content and whether it may be executed. A missing file counts as such.
    pub fn file(mut self, label: &str, path: &Path) -> Result<Self> {
        self.stamps.push((path.to_owned(), stamp(path)));
        let mut file = match input::open(path) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                self.part(label, b"missing");
                return Ok(self);
            }
            Err(e) => return Err(e).class(Class::Source),
        };
        let mode = file.metadata().class(Class::Source)?.permissions().mode();
        let mut content = Sha256::new();
        let mut buffer = vec![0; 1 << 16];
        loop {
            match file.read(&mut buffer).class(Class::Source)? {
                0 => break,
                n => content.update(&buffer[..n]),
            }
        }
        self.part(label, &content.finalize());
        self.part("executable", &[u8::from(mode & 0o100 != 0)]);
        Ok(self)
    }

    /// All files below `dir`, in order of their names, without what builds leave there.
    pub fn tree(mut self, label: &str, dir: &Path) -> Result<Self> {
        self.part(label, b"tree");
        let visit = |e: &walkdir::DirEntry| e.depth() == 0 || e.file_name() != "target";
        let entries = WalkDir::new(dir).follow_links(true).sort_by_file_name().into_iter();
        for entry in entries.filter_entry(visit) {
            let entry = match entry {
                Ok(entry) => entry,
                // A link that leads nowhere, with which editors lock files: nothing is read there.
                Err(e) if is_dangling(&e) => continue,
                Err(e) => return Err(std::io::Error::from(e)).class(Class::Source),
            };
            if entry.file_type().is_dir() {
                // A file that comes or goes changes its folder.
                self.stamps.push((entry.path().to_owned(), stamp(entry.path())));
                continue;
            }
            if !entry.file_type().is_file() {
                continue;
            }
            let name = entry.path().strip_prefix(dir).unwrap_or(entry.path());
            let name = name.to_string_lossy().into_owned();
            self = self.file(&name, entry.path())?;
        }
        Ok(self)
    }

    /// The key, and what it was taken from.
    pub fn finish_with_stamps(mut self) -> (Key, Stamps) {
        let stamps = Stamps(std::mem::take(&mut self.stamps));
        (self.finish(), stamps)
    }

    /// The key of all that was added.
    pub fn finish(self) -> Key {
        Key(self.hash.finalize().iter().map(|b| format!("{b:02x}")).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_together() {
        let key = |a: &str, b: &str| KeyBuilder::new("s", 1).text("l", a).text("l", b).finish();
        assert_ne!(key("ab", "c"), key("a", "bc"));
        assert_eq!(key("a", "b"), key("a", "b"));
        assert_ne!(KeyBuilder::new("s", 1).finish(), KeyBuilder::new("s", 2).finish());
    }
}
