//! The folder that a repository is published to: whether it may be replaced, and how it is exchanged.

use std::path::{Component, Path, PathBuf};

use el7rpm::input;
use rustix::fs::{Access, AtFlags, CWD};

use super::{
    list::{FileType, entries_below, files_below},
    release::read_release,
};
use crate::lock::Lock;
use base::{
    disk::{remove_folder, sync, sync_all},
    events::Reporter,
    failure::{Class, Classify, Failure, Result},
    key::KeyBuilder,
    workspace::Workspace,
};

/// The folder of a repository, and the names beside it that a run uses.
#[derive(Clone, Debug)]
pub struct Destination {
    /// The folder, with all links resolved.
    pub out: PathBuf,
    pub(super) new: PathBuf,
    pub(super) old: PathBuf,
}

impl Destination {
    /// Checks `out` before any work is done, and puts the former repository back if a run was killed during the
    /// exchange.
    ///
    /// # Errors
    /// If `out` is not a folder, cannot be exchanged, or contains files that this program did not write.
    pub fn prepare(out: &Path, workspace: &Workspace) -> Result<Self> {
        let out = resolve(out)?;
        refuse_own_folders(&out, workspace)?;
        let parent = out.parent().unwrap_or(Path::new("/")).to_owned();
        // Only this checkout uses these names, and only while it has its lock.
        let state = workspace.state.to_string_lossy();
        let owner = KeyBuilder::new("owner", 1).text("state", &state).finish();
        let name = out.file_name().unwrap_or_default().to_string_lossy();
        let beside = |what: &str| parent.join(format!(".{name}.{what}-{}", owner.short()));
        let own = Self { new: beside("new"), old: beside("old"), out };
        if !own.is_there()? && input::is_there(&own.old).class(Class::Output)? {
            fs_err::rename(&own.old, &own.out).class(Class::Output)?;
        }
        own.check()?;
        own.check_access()?;
        own.tidy()?;
        Ok(own)
    }

    fn is_there(&self) -> Result<bool> {
        input::is_there(&self.out).class(Class::Output)
    }

    /// The whole folder is replaced, so it must be empty, or a repository of ours without added files.
    fn check(&self) -> Result<()> {
        let out = &self.out;
        if !self.is_there()? {
            return Ok(());
        }
        if !fs_err::metadata(out).class(Class::Output)?.is_dir() {
            return Err(refuse(format!("{} is not a folder", out.display())));
        }
        if is_mount_point(out)? {
            return Err(refuse(format!(
                "{} is a mount point, which cannot be replaced by another folder: choose a folder inside it",
                out.display()
            )));
        }
        match foreign(out)? {
            None => Ok(()),
            Some(foreign) => Err(refuse(format!(
                "{} holds `{foreign}`, which was not written by this program; the folder would be replaced whole",
                out.display()
            ))),
        }
    }

    /// Checks the permissions for publishing: it creates a folder beside `out` and removes the content of the former
    /// one.
    fn check_access(&self) -> Result<()> {
        let mut folders = Vec::new();
        let parent = self.out.ancestors().skip(1).find(|dir| dir.exists());
        folders.extend(parent.map(Path::to_owned));
        for dir in [&self.out, &self.new, &self.old] {
            if input::is_there(dir).class(Class::Output)? {
                folders.push(dir.clone());
                let below = entries_below(dir, Class::Output)?;
                let inner = below.iter().filter(|e| e.kind == FileType::Folder);
                folders.extend(inner.map(|e| dir.join(&e.name)));
            }
        }
        for dir in folders {
            let wanted = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
            rustix::fs::accessat(CWD, &dir, wanted, AtFlags::EACCESS).map_err(|e| {
                let e = std::io::Error::from(e);
                let message = format!(
                    "{} cannot be published: {} cannot be written to: {e}",
                    self.out.display(),
                    dir.display()
                );
                Failure::new(Class::Output, message).help(
                    "give the folder to the user who publishes (`sudo chown -R`), or choose another with --out",
                )
            })?;
        }
        Ok(())
    }

    /// Fills a new folder and exchanges it with the former one. Readers see the old repository or the new one, never
    /// a mixture.
    pub fn replace<T>(
        &self,
        reporter: &dyn Reporter,
        fill: impl FnOnce(&Path) -> Result<T>,
    ) -> Result<T> {
        let parent = self.out.parent().unwrap_or(Path::new("/"));
        fs_err::create_dir_all(parent).class(Class::Output)?;
        // Other checkouts may publish to this folder as well.
        let _lock = Lock::of_folder(parent, reporter)?;
        fs_err::create_dir(&self.new).class(Class::Output)?;
        let filled = fill(&self.new).and_then(|value| {
            sync_all(&self.new)?;
            self.exchange()?;
            Ok(value)
        });
        if filled.is_err() {
            let _ = fs_err::remove_dir_all(&self.new);
            return filled;
        }
        for dir in parent.ancestors().take(2) {
            sync(dir)?;
        }
        self.tidy()?;
        filled
    }

    /// Exchanges the folders. A file that somebody has put into the former folder since it was checked is not lost:
    /// the folder is checked again before and after the exchange.
    fn exchange(&self) -> Result<()> {
        self.check()?;
        if !self.is_there()? {
            return fs_err::rename(&self.new, &self.out).class(Class::Output);
        }
        if swap(&self.new, &self.out) {
            return match foreign(&self.new)? {
                None => Ok(()),
                Some(_) if swap(&self.new, &self.out) => self.check(),
                Some(name) => Err(self.keep(&name)?),
            };
        }
        fs_err::rename(&self.out, &self.old).class(Class::Output)?;
        let moved = match foreign(&self.old)? {
            None => fs_err::rename(&self.new, &self.out).class(Class::Output),
            Some(name) => Err(refuse(format!("`{name}` was put into {}", self.out.display()))),
        };
        moved.inspect_err(|_| {
            let _ = fs_err::rename(&self.old, &self.out);
        })
    }

    /// Moves the former folder to a new name that no run removes.
    fn keep(&self, name: &str) -> Result<Failure> {
        let mut prefix = self.out.file_name().unwrap_or_default().to_owned();
        prefix.push(".kept-");
        let parent = self.out.parent().unwrap_or(Path::new("/"));
        let kept =
            tempfile::Builder::new().prefix(&prefix).tempdir_in(parent).class(Class::Output)?;
        let kept = kept.keep();
        fs_err::rename(&self.new, &kept).class(Class::Output)?;
        let out = self.out.display();
        let message = format!("`{name}` was put into {out} while it was replaced");
        Ok(Failure::new(Class::Output, message).help(format!("it is in {}", kept.display())))
    }

    fn tidy(&self) -> Result<()> {
        for dir in [&self.new, &self.old] {
            remove_folder(dir)?;
        }
        Ok(())
    }
}

fn refuse(message: String) -> Failure {
    Failure::new(Class::Output, message).help("choose another folder with --out")
}

/// The path with all links resolved. A part that does not exist is taken as it is written, and `..` after it removes
/// the part before.
fn resolve(out: &Path) -> Result<PathBuf> {
    let mut real = PathBuf::new();
    for part in std::path::absolute(out).class(Class::Output)?.components() {
        if part == Component::ParentDir {
            real.pop();
            continue;
        }
        real.push(part);
        if fs_err::symlink_metadata(&real).is_ok() {
            let resolved = fs_err::canonicalize(&real).class(Class::Output);
            real = resolved.map_err(|f| {
                refuse(format!("{} is a link that leads nowhere: {}", real.display(), f.message))
            })?;
        }
    }
    Ok(real)
}

/// Refuses folders of xtask's own, which runs empty, and folders of the checkout, which runs read.
fn refuse_own_folders(out: &Path, workspace: &Workspace) -> Result<()> {
    let read = [
        "base",
        "builders",
        "containers",
        "docs",
        "host",
        "pipeline",
        "rpm",
        "sources",
        "specs",
        "tests",
        "xtask",
        ".git",
    ];
    let own = [workspace.state.clone(), workspace.shared()];
    for own in own.into_iter().chain(read.map(|name| workspace.root.join(name))) {
        let own = resolve(&own)?;
        if out.starts_with(&own) || own.starts_with(out) {
            return Err(refuse(format!(
                "{} cannot be published to: {} is this program's own",
                out.display(),
                own.display()
            )));
        }
    }
    Ok(())
}

/// A file in the folder that does not belong to the repository in it.
fn foreign(dir: &Path) -> Result<Option<String>> {
    let known = read_release(dir)?.map(|r| r.all_files()).unwrap_or_default();
    Ok(files_below(dir)?.into_iter().find(|f| !known.contains(f)))
}

/// Exchanges two names in one step; `false` if the file system cannot.
pub fn swap(a: &Path, b: &Path) -> bool {
    rustix::fs::renameat_with(CWD, a, CWD, b, rustix::fs::RenameFlags::EXCHANGE).is_ok()
}

fn is_mount_point(dir: &Path) -> Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let device = |path: &Path| fs_err::metadata(path).class(Class::Output).map(|m| m.dev());
    Ok(device(dir)? != device(dir.parent().unwrap_or(dir))?)
}
