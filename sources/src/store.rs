//! Stores fetched sources by their content, for all checkouts of a user.
//!
//! Each entry has one name for its content: an archive's SHA-256, or a commit's id. A run that adds an entry
//! takes its lock, writes another file and renames it, so that other runs see a whole entry or none. The file of a
//! broken download is kept, and the next run continues it.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use fs_err::File;
use sha2::{Digest, Sha256};

use base::{
    disk::sync,
    events::{Event, Reporter},
    failure::{Class, Classify, Result},
    workspace::Workspace,
};

/// The store of a user.
#[derive(Clone, Debug)]
pub struct Store {
    dir: PathBuf,
}

/// The lock of one entry. The kernel releases it when the process ends.
pub(super) struct StoreEntry {
    _lock: File,
    /// The unfinished download. It is kept if the run ends early.
    pub(super) partial: PathBuf,
    /// A folder for temporary files: empty, or missing.
    pub(super) scratch: PathBuf,
}

impl Store {
    /// Opens the store that all checkouts of the user share.
    pub fn open(workspace: &Workspace) -> Result<Self> {
        Self::at(workspace.shared().join("sources"))
    }

    /// Opens the store in the folder `dir`.
    pub fn at(dir: PathBuf) -> Result<Self> {
        for part in ["archives", "commits", "partial", "scratch", "locks"] {
            fs_err::create_dir_all(dir.join(part)).class(Class::Output)?;
        }
        Ok(Self { dir })
    }

    /// The path for the archive with this SHA-256, whether it exists or not.
    pub fn archive(&self, sha256: &str) -> PathBuf {
        self.dir.join("archives").join(sha256)
    }

    /// The path for the tree of a commit, as a tar file with this SHA-256.
    pub(super) fn commit(&self, id: &str, sha256: &str) -> PathBuf {
        self.dir.join("commits").join(format!("{id}.{sha256}.tar"))
    }

    /// The path of a commit's tree, if it exists, and the SHA-256 that it must have.
    pub(super) fn find_commit(&self, id: &str) -> Option<(PathBuf, String)> {
        let entries = fs_err::read_dir(self.dir.join("commits")).ok()?;
        entries.flatten().find_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let sha256 = name.strip_prefix(id)?.strip_prefix('.')?.strip_suffix(".tar")?;
            Some((entry.path(), sha256.to_owned()))
        })
    }

    /// Takes the lock of an entry. If another run has it, reports this and waits.
    pub(super) fn lock(&self, name: &str, reporter: &dyn Reporter) -> Result<StoreEntry> {
        let path = self.dir.join("locks").join(name);
        let mut options = fs_err::OpenOptions::new();
        let lock = options.create(true).append(true).open(&path).class(Class::Output)?;
        if lock.file().try_lock().is_err() {
            reporter.event(&Event::Waiting { path });
            lock.file().lock().class(Class::Output)?;
        }
        let scratch = self.dir.join("scratch").join(name);
        // A killed run may have left files.
        if scratch.exists() {
            fs_err::remove_dir_all(&scratch).class(Class::Output)?;
        }
        Ok(StoreEntry { _lock: lock, partial: self.dir.join("partial").join(name), scratch })
    }

    /// Gives a finished file its name, and syncs it to the disk.
    pub(super) fn keep(&self, file: &Path, name: &Path) -> Result<()> {
        File::open(file).and_then(|f| f.sync_all()).class(Class::Output)?;
        fs_err::rename(file, name).class(Class::Output)?;
        sync(name.parent().unwrap_or(&self.dir))
    }
}

impl StoreEntry {
    /// Creates the folder for temporary files.
    pub(super) fn scratch(&self) -> Result<&Path> {
        fs_err::create_dir_all(&self.scratch).class(Class::Output)?;
        Ok(&self.scratch)
    }
}

impl Drop for StoreEntry {
    fn drop(&mut self) {
        // If it cannot be removed now, the next run that takes the lock removes it.
        let _ = fs_err::remove_dir_all(&self.scratch);
    }
}

/// SHA-256 of all bytes of `reader`, in lower-case hex.
pub(super) fn sha256(mut reader: impl Read) -> std::io::Result<String> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(hex(&hash.finalize())),
            n => hash.update(&buffer[..n]),
        }
    }
}

/// Lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// SHA-256 of a file; `None` if the file does not exist.
pub(super) fn sha256_of(path: &Path) -> Result<Option<String>> {
    match File::open(path) {
        Ok(file) => sha256(file).map(Some).class(Class::Source),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e).class(Class::Source),
    }
}
