//! What has been fetched, kept by its content for all checkouts of a user.
//!
//! A name stands for one content: an archive's SHA-256, or a commit. Whoever adds to an entry
//! holds its lock, writes beside it and renames, so that others see all of it or nothing. What has
//! come of a broken download stays, and the next run goes on from there.

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

/// The right to add to one entry; the kernel frees it however the process ends.
pub(super) struct Entry {
    _lock: File,
    /// What has come of it so far. It stays if the run ends early.
    pub(super) partial: PathBuf,
    /// A place for what is needed on the way; empty, or not there.
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

    /// Where the archive with this SHA-256 is, or would be.
    pub(super) fn archive(&self, sha256: &str) -> PathBuf {
        self.dir.join("archives").join(sha256)
    }

    /// Where the tree of a commit would be, as a tar file with this SHA-256.
    pub(super) fn commit(&self, id: &str, sha256: &str) -> PathBuf {
        self.dir.join("commits").join(format!("{id}.{sha256}.tar"))
    }

    /// The tree of a commit, if it is there, and the SHA-256 that its file has to have.
    pub(super) fn find_commit(&self, id: &str) -> Option<(PathBuf, String)> {
        let entries = fs_err::read_dir(self.dir.join("commits")).ok()?;
        entries.flatten().find_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let sha256 = name.strip_prefix(id)?.strip_prefix('.')?.strip_suffix(".tar")?;
            Some((entry.path(), sha256.to_owned()))
        })
    }

    /// Takes the lock of an entry; waits if another run holds it, and says so.
    pub(super) fn lock(&self, name: &str, reporter: &dyn Reporter) -> Result<Entry> {
        let path = self.dir.join("locks").join(name);
        let mut options = fs_err::OpenOptions::new();
        let lock = options.create(true).append(true).open(&path).class(Class::Output)?;
        if lock.file().try_lock().is_err() {
            reporter.event(&Event::Waiting { path });
            lock.file().lock().class(Class::Output)?;
        }
        let scratch = self.dir.join("scratch").join(name);
        // What a killed run left.
        if scratch.exists() {
            fs_err::remove_dir_all(&scratch).class(Class::Output)?;
        }
        Ok(Entry { _lock: lock, partial: self.dir.join("partial").join(name), scratch })
    }

    /// Gives a finished file its name, for good.
    pub(super) fn keep(&self, file: &Path, name: &Path) -> Result<()> {
        File::open(file).and_then(|f| f.sync_all()).class(Class::Output)?;
        fs_err::rename(file, name).class(Class::Output)?;
        sync(name.parent().unwrap_or(&self.dir))
    }
}

impl Entry {
    /// Makes the scratch folder.
    pub(super) fn scratch(&self) -> Result<&Path> {
        fs_err::create_dir_all(&self.scratch).class(Class::Output)?;
        Ok(&self.scratch)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        // If it cannot be removed now, the next one who takes the lock removes it.
        let _ = fs_err::remove_dir_all(&self.scratch);
    }
}

/// SHA-256 of what `reader` gives, in lower-case hex.
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

/// SHA-256 of a file; `None` if there is none.
pub(super) fn sha256_of(path: &Path) -> Result<Option<String>> {
    match File::open(path) {
        Ok(file) => sha256(file).map(Some).class(Class::Source),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e).class(Class::Source),
    }
}
