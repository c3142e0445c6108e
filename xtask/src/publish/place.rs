//! The folder that a repository is published to: what may be replaced, and how.

use std::path::{Path, PathBuf};

use super::{list::files_below, release::read_release};
use crate::{
    cache::sync,
    failure::{Class, Classify, Failure, Result},
    key::KeyBuilder,
    workspace::{Workspace, remove_folder},
};

/// Where a repository goes, and the names beside it that a run uses.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The folder, with all links resolved.
    pub(crate) out: PathBuf,
    new: PathBuf,
    old: PathBuf,
}

impl Place {
    /// Looks at `out` before any work is done, and completes an exchange that was cut short.
    ///
    /// # Errors
    /// If `out` is no folder, cannot be exchanged, or holds what is not ours.
    pub(crate) fn prepare(out: &Path, workspace: &Workspace) -> Result<Self> {
        let mut out = std::path::absolute(out).class(Class::Output)?;
        if let Ok(real) = fs_err::canonicalize(&out) {
            out = real;
        }
        let parent = out.parent().unwrap_or(Path::new("/")).to_owned();
        // Names that only this checkout uses, and only under its lock.
        let state = workspace.state.to_string_lossy();
        let owner = KeyBuilder::new("owner", 1).text("state", &state).finish();
        let name = out.file_name().unwrap_or_default().to_string_lossy();
        let beside = |what: &str| parent.join(format!(".{name}.{what}-{}", owner.short()));
        let own = Self { new: beside("new"), old: beside("old"), out };
        if !own.out.exists() && own.old.is_dir() {
            fs_err::rename(&own.old, &own.out).class(Class::Output)?;
        }
        own.check()?;
        own.tidy()?;
        Ok(own)
    }

    /// A folder is replaced whole, so it must be empty or one of ours with nothing added.
    fn check(&self) -> Result<()> {
        let out = &self.out;
        if !out.exists() {
            return Ok(());
        }
        let refuse = |message: String| {
            Err(Failure::new(Class::Output, message).help("choose another folder with --out"))
        };
        if !out.is_dir() {
            return refuse(format!("{} is not a folder", out.display()));
        }
        if is_mount_point(out)? {
            return refuse(format!(
                "{} is a mount point, which cannot be exchanged for another folder; a folder in it can",
                out.display()
            ));
        }
        let known = read_release(out)?.map(|r| r.all_files()).unwrap_or_default();
        match files_below(out)?.into_iter().find(|f| !known.contains(f)) {
            None => Ok(()),
            Some(foreign) => refuse(format!(
                "{} holds `{foreign}`, which was not written by this program; the folder would be replaced whole",
                out.display()
            )),
        }
    }

    /// Fills a new folder and puts it in the place of the former one. Whoever looks sees the one
    /// or the other.
    pub(crate) fn replace<T>(&self, fill: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
        let parent = self.out.parent().unwrap_or(Path::new("/"));
        fs_err::create_dir_all(parent).class(Class::Output)?;
        fs_err::create_dir(&self.new).class(Class::Output)?;
        let filled = fill(&self.new).and_then(|value| {
            sync(&self.new)?;
            self.exchange()?;
            Ok(value)
        });
        if filled.is_err() {
            let _ = fs_err::remove_dir_all(&self.new);
            return filled;
        }
        sync(self.out.parent().unwrap_or(Path::new("/")))?;
        self.tidy()?;
        filled
    }

    fn exchange(&self) -> Result<()> {
        if !self.out.exists() {
            return fs_err::rename(&self.new, &self.out).class(Class::Output);
        }
        if swap(&self.new, &self.out) {
            return Ok(());
        }
        fs_err::rename(&self.out, &self.old).class(Class::Output)?;
        fs_err::rename(&self.new, &self.out).class(Class::Output).inspect_err(|_| {
            let _ = fs_err::rename(&self.old, &self.out);
        })
    }

    fn tidy(&self) -> Result<()> {
        for dir in [&self.new, &self.old] {
            remove_folder(dir)?;
        }
        Ok(())
    }
}

/// Exchanges two names in one step, where the file system can.
pub(crate) fn swap(a: &Path, b: &Path) -> bool {
    let at = rustix::fs::CWD;
    rustix::fs::renameat_with(at, a, at, b, rustix::fs::RenameFlags::EXCHANGE).is_ok()
}

fn is_mount_point(dir: &Path) -> Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let device = |path: &Path| fs_err::metadata(path).class(Class::Output).map(|m| m.dev());
    Ok(device(dir)? != device(dir.parent().unwrap_or(dir))?)
}
