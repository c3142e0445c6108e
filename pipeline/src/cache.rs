//! Results of steps, kept by key.
//!
//! A result is a folder. It is made under `tmp/`, synced, and put in place with one rename: what
//! has a name is whole, however the run ended. Nothing is ever changed in place.

use std::path::{Path, PathBuf};

use base::{
    disk::{remove_folder, sync, sync_all},
    failure::{Class, Classify, Failure, Result},
    key::Key,
    step::Kind,
    workspace::Workspace,
};

/// The store of results.
#[derive(Clone, Debug)]
pub struct Cache {
    dir: PathBuf,
    tmp: PathBuf,
}

impl Cache {
    /// Opens the store of a checkout. The caller holds the lock.
    pub fn open(workspace: &Workspace) -> Result<Self> {
        let own = Self { dir: workspace.cache(), tmp: workspace.tmp() };
        fs_err::create_dir_all(&own.dir).class(Class::Output)?;
        // What a killed run left half done.
        remove_folder(&own.tmp)?;
        fs_err::create_dir_all(&own.tmp).class(Class::Output)?;
        Ok(own)
    }

    /// The store as it is, for looking only.
    pub fn peek(workspace: &Workspace) -> Self {
        Self { dir: workspace.cache(), tmp: workspace.tmp() }
    }

    /// The result of a step of this kind under `key`, if it is there.
    pub fn get(&self, kind: Kind, key: &Key) -> Option<PathBuf> {
        let path = self.path(kind, key);
        path.is_dir().then_some(path)
    }

    /// An empty folder for what a step needs on the way; gone with the value.
    pub fn scratch(&self) -> Result<tempfile::TempDir> {
        tempfile::tempdir_in(&self.tmp).class(Class::Output)
    }

    /// Makes a result: `fill` gets an empty folder, which becomes the result if it succeeds.
    pub fn make<E: From<Failure>>(
        &self,
        kind: Kind,
        key: &Key,
        fill: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<PathBuf, E> {
        let tmp = self.tmp.join(format!("{}-{}", kind.name(), key.short()));
        fs_err::create_dir(&tmp).class(Class::Output)?;
        if let Err(failure) = fill(&tmp).and_then(|()| Ok(sync_all(&tmp)?)) {
            // The room is needed most after a full disk; what is left goes with the next run.
            let _ = fs_err::remove_dir_all(&tmp);
            return Err(failure);
        }
        let path = self.path(kind, key);
        fs_err::create_dir_all(self.dir.join(kind.name())).class(Class::Output)?;
        fs_err::rename(&tmp, &path).class(Class::Output)?;
        sync(&self.dir.join(kind.name()))?;
        Ok(path)
    }

    fn path(&self, kind: Kind, key: &Key) -> PathBuf {
        self.dir.join(kind.name()).join(key.to_string())
    }

    /// All results as (kind, key, folder).
    pub fn list(&self) -> Result<Vec<(String, String, PathBuf)>> {
        let mut out = Vec::new();
        for kind in children(&self.dir)? {
            for result in children(&kind)? {
                out.push((name(&kind), name(&result), result));
            }
        }
        Ok(out)
    }
}

fn children(dir: &Path) -> Result<Vec<PathBuf>> {
    match fs_err::read_dir(dir) {
        Ok(entries) => entries
            .map(|e| e.map(|e| e.path()))
            .collect::<std::io::Result<_>>()
            .class(Class::Output),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(e).class(Class::Output),
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
