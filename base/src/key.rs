//! Keys of steps: the SHA-256 of everything that can change a step's result. With the same
//! key the result is the same, so the step is not carried out again.

use std::{
    fmt,
    io::Read,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use el7rpm::input;
use sha2::{Digest, Sha256};
use walkdir::WalkDir;

use crate::{
    failure::{Class, Classify, Failure, Result},
    why::{Input, Subject},
};

/// A key: 64 lower-case hex digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(String);

impl Key {
    /// The first digits, for people.
    pub fn short(&self) -> &str {
        &self.0[..12]
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Sizes, inodes and times of a key's files when they were read. If one is edited while the step runs, the result
/// would otherwise have the new content and the old key.
#[derive(Clone, Debug, Default)]
pub struct Stamps(Vec<(PathBuf, Option<Stamp>)>);

/// Size, inode, and the times of the last changes of content and of attributes.
type Stamp = (u64, u64, (i64, i64), (i64, i64));

fn stamp(path: &Path) -> Option<Stamp> {
    let m = fs_err::symlink_metadata(path).ok()?;
    Some((m.size(), m.ino(), (m.mtime(), m.mtime_nsec()), (m.ctime(), m.ctime_nsec())))
}

impl Stamps {
    /// Fails if one of the files has changed since the key was computed.
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

/// A key with the inputs that it was computed from.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The key.
    pub key: Key,
    /// The inputs, by name, so that a plan can say which of them has changed. Files have absolute paths.
    pub inputs: Vec<Input>,
    /// Sizes, inodes and times of the files.
    pub stamps: Stamps,
}

/// Collects the parts of a key. Each part is hashed with its label and its length, so that two different
/// lists of parts never give the same bytes. A plan that says which input has changed uses the label as
/// its name.
pub struct KeyBuilder {
    hash: Sha256,
    stamps: Vec<(PathBuf, Option<Stamp>)>,
    inputs: Vec<Input>,
}

impl KeyBuilder {
    /// For a step of this kind. `version` must be changed if the step begins to work differently.
    pub fn new(step: &str, version: u32) -> Self {
        let mut own = Self { hash: Sha256::new(), stamps: Vec::new(), inputs: Vec::new() };
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
        self.inputs.push(Input::new(Subject::Value, label.to_owned(), value.as_bytes()));
        self
    }

    /// Adds a value that belongs to the file, folder or link `path`. A plan names the path if the value has changed.
    pub fn text_of(mut self, label: &str, value: &str, path: &Path) -> Self {
        self.part(label, value.as_bytes());
        let path = path.display().to_string();
        self.inputs.push(Input::new(Subject::Path, path, value.as_bytes()));
        self
    }

    /// Adds the key of another result.
    pub fn key(self, label: &str, key: &Key) -> Self {
        self.text(label, &key.0)
    }

    /// Adds the key of the step with this name.
    pub fn step(mut self, label: &str, name: &str, key: &Key) -> Self {
        self.part(label, key.0.as_bytes());
        self.inputs.push(Input::new(Subject::Step, name.to_owned(), key.0.as_bytes()));
        self
    }

    /// Adds another key. Its inputs become inputs of this key, too.
    pub fn identity(mut self, label: &str, identity: &Identity) -> Self {
        self.part(label, identity.key.0.as_bytes());
        self.inputs.extend(identity.inputs.iter().cloned());
        self
    }

    /// Adds a file's content, and whether it is executable. A missing file is a value of its own.
    pub fn file(mut self, label: &str, path: &Path) -> Result<Self> {
        self.stamps.push((path.to_owned(), stamp(path)));
        let mut file = match input::open(path) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                self.part(label, b"missing");
                self.inputs.push(Input::missing(path));
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
        let (content, executable) = (content.finalize(), [u8::from(mode & 0o100 != 0)]);
        self.part(label, &content);
        self.part("executable", &executable);
        let whole = [content.as_slice(), &executable].concat();
        self.inputs.push(Input::new(Subject::Path, path.display().to_string(), &whole));
        Ok(self)
    }

    /// Adds all files below `dir`, sorted by name, without the folders that builds leave there.
    pub fn tree(mut self, label: &str, dir: &Path) -> Result<Self> {
        self.part(label, b"tree");
        let visit = |e: &walkdir::DirEntry| e.depth() == 0 || e.file_name() != "target";
        let entries = WalkDir::new(dir).follow_links(true).sort_by_file_name().into_iter();
        for entry in entries.filter_entry(visit) {
            let entry = match entry {
                Ok(entry) => entry,
                // A link to a missing file, with which editors lock files. There is nothing to read.
                Err(e) if is_dangling(&e) => continue,
                Err(e) => return Err(std::io::Error::from(e)).class(Class::Source),
            };
            if entry.file_type().is_dir() {
                // A new or removed file changes the stamp of its folder.
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

    /// The key, with its inputs and stamps.
    pub fn identify(mut self) -> Identity {
        let stamps = Stamps(std::mem::take(&mut self.stamps));
        let inputs = std::mem::take(&mut self.inputs);
        Identity { key: self.finish(), inputs, stamps }
    }

    /// The key of all parts.
    pub fn finish(self) -> Key {
        Key(self.hash.finalize().iter().map(|b| format!("{b:02x}")).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_different_parts_differ() {
        let key = |a: &str, b: &str| KeyBuilder::new("s", 1).text("l", a).text("l", b).finish();
        assert_ne!(key("ab", "c"), key("a", "bc"));
        assert_eq!(key("a", "b"), key("a", "b"));
        assert_ne!(KeyBuilder::new("s", 1).finish(), KeyBuilder::new("s", 2).finish());
    }

    #[test]
    fn every_part_of_a_key_is_listed_as_an_input() {
        let dir = tempfile::tempdir().unwrap();
        let (file, absent) = (dir.path().join("file"), dir.path().join("absent"));
        fs_err::write(&file, "text").unwrap();
        let inner = KeyBuilder::new("inner", 1).file("f", &file).unwrap().identify();
        let outer = KeyBuilder::new("outer", 1)
            .text("the version", "1")
            .identity("inner", &inner)
            .step("build", "compile x", &inner.key)
            .file("absent", &absent)
            .unwrap()
            .identify();
        let named: Vec<_> = outer.inputs.iter().map(|i| (i.subject, i.name.as_str())).collect();
        let path = |path: &Path| path.display().to_string();
        assert_eq!(
            named,
            [
                (Subject::Value, "the version"),
                (Subject::Path, path(&file).as_str()),
                (Subject::Step, "compile x"),
                (Subject::Path, path(&absent).as_str()),
            ]
        );
    }

    #[test]
    fn the_key_of_a_folder_ignores_build_results() {
        let dir = tempfile::tempdir().unwrap();
        for file in ["a", "sub/b", "target/c"] {
            let path = dir.path().join(file);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, file).unwrap();
        }
        let tree = || KeyBuilder::new("tree", 1).tree("t", dir.path()).unwrap().identify();
        let before = tree();
        assert_eq!(before.inputs.len(), 2);
        fs_err::write(dir.path().join("target/c"), "other").unwrap();
        assert_eq!(tree().key, before.key);
        before.stamps.check().unwrap();
        fs_err::write(dir.path().join("sub/b"), "other").unwrap();
        assert_ne!(tree().key, before.key);
        let failure = before.stamps.check().unwrap_err();
        assert!(failure.message.contains("sub/b was changed while"), "{failure}");
    }
}
