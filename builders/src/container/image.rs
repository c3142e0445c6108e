//! A builder image: the folder containers/NAME. Its packages are those of root.lock; setup.sh makes them ready, and installs the
//! commands of builder/.
//!
//! The sandbox enters the root of these packages (rooted.rs); podman and docker import it (imported.rs). Its key is the
//! content of setup.sh and builder/. The packages are a second input of compiles.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use el7rpm::input;

use super::runner::Builder;
use crate::{
    root::{self, Description, LOCK, Lock, Mirror},
    site::Site,
};
use base::{
    events::Event,
    failure::{Class, Classify, Failure, Result, Trouble},
    key::{Identity, Key, KeyBuilder},
    workspace::Workspace,
};
use sources::Fetcher;

/// The script that makes the packages ready.
pub(super) const SETUP: &str = "setup.sh";
/// The folder of commands that setup.sh installs.
pub(super) const TOOLS: &str = "builder";
/// Where setup.sh sees both.
pub(super) const INSIDE: &str = "/src/image";
/// The ABI table of the image.
const ABI: &str = "abi.toml";

/// A description of an image.
#[derive(Clone, Debug)]
pub struct Image {
    /// The name of its folder.
    pub name: String,
    pub(super) dir: PathBuf,
    pub(super) identity: Identity,
    /// The key of its packages, if there is a lock.
    lock: Option<String>,
    /// Base addresses that are tried before those of image.toml.
    mirrors: Vec<Mirror>,
}

/// The packages of an image.
pub(super) struct Locked {
    pub(super) description: Description,
    pub(super) lock: Lock,
    /// The key of the packages.
    pub(super) packages: String,
}

impl Image {
    /// Reads the folder containers/NAME. `mirrors` say where packages are fetched from; they are not part of the key.
    ///
    /// # Errors
    /// [`Class::Spec`] if there is no image.toml, and as for [`Description::load`] and [`root::lock_of`].
    pub fn load(workspace: &Workspace, name: &str, mirrors: &[Mirror]) -> Result<Self> {
        let dir = workspace.root.join("containers").join(name);
        if !input::is_there(&dir.join("image.toml")).class(Class::Spec)? {
            let message = format!("there is no containers/{name}/image.toml");
            return Err(Failure::new(Class::Spec, message)
                .help("`image` in [build] names a folder of containers/ that has one"));
        }
        let mut description = Description::load(workspace, name, &[])?;
        // Another image may have the other repositories.
        let is_own = |(name, _): &&Mirror| description.repositories.contains_key(name);
        let mirrors: Vec<_> = mirrors.iter().filter(is_own).cloned().collect();
        description.add_mirrors(&mirrors)?;
        let mut key = KeyBuilder::new("image of a root", 1);
        if input::is_there(&dir.join(SETUP)).class(Class::Source)? {
            key = key.file(SETUP, &dir.join(SETUP))?;
        }
        if input::is_there(&dir.join(TOOLS)).class(Class::Source)? {
            let tools = fs_err::canonicalize(dir.join(TOOLS)).class(Class::Source)?;
            for (path, name) in files_below(&tools)? {
                let name = Path::new(TOOLS).join(name).to_string_lossy().into_owned();
                key = match path.is_symlink() {
                    false => key.file(&name, &path)?,
                    true => {
                        let target = fs_err::read_link(&path).class(Class::Source)?;
                        key.text_of(&name, &target.to_string_lossy(), &path)
                    }
                };
            }
        }
        let lock = root::lock_of(&description)?;
        let lock = lock.map(|lock| root::key_of(&description, &lock)).transpose()?;
        Ok(Self {
            name: name.to_owned(),
            identity: key.identify(),
            lock: lock.map(|key| key.to_string()),
            mirrors,
            dir,
        })
    }

    /// Its key, which does not depend on the packages.
    pub fn key(&self) -> &Key {
        &self.identity.key
    }

    /// The key with its inputs.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Adds the image and its packages to the key of a compile.
    pub fn add_to(&self, key: KeyBuilder) -> KeyBuilder {
        let packages = self.lock.as_deref().unwrap_or_default();
        key.identity("image", &self.identity).text_of(LOCK, packages, &self.dir.join(LOCK))
    }

    /// Whether a mirror of the run is one of its repositories.
    pub fn has_mirror(&self, name: &str) -> bool {
        self.mirrors.iter().any(|(own, _)| own == name)
    }

    /// Whether it has a lock.
    pub fn is_locked(&self) -> bool {
        self.lock.is_some()
    }

    /// The path of its ABI table, if it has one: libraries beside, or instead of, those of CentOS 7.
    pub fn abi(&self) -> Option<PathBuf> {
        // If it cannot be read, loading it fails later.
        Some(self.dir.join(ABI)).filter(|path| !matches!(input::is_there(path), Ok(false)))
    }

    /// Its packages. If there is no lock yet, they are chosen from the repositories, and root.lock is written.
    ///
    /// # Errors
    /// [`Trouble::Unavailable`] if there is no lock and the repositories cannot be reached. [`Trouble::Failed`] if the
    /// lock is not the one that the run was planned with.
    pub(super) fn locked(
        &self,
        fetcher: &Fetcher<'_>,
        site: &Site<'_>,
        step: &str,
    ) -> Result<Locked, Trouble> {
        let description = Description::load(site.workspace, &self.name, &self.mirrors)?;
        let lock = match root::lock_of(&description)? {
            Some(lock) => lock,
            None => self.first_lock(&description, fetcher, site, step)?,
        };
        let packages = root::key_of(&description, &lock)?.to_string();
        match &self.lock {
            // The compiles have that lock in their keys.
            Some(planned) if *planned != packages => Err(self.was_changed(LOCK).into()),
            _ => Ok(Locked { description, lock, packages }),
        }
    }

    fn first_lock(
        &self,
        description: &Description,
        fetcher: &Fetcher<'_>,
        site: &Site<'_>,
        step: &str,
    ) -> Result<Lock, Trouble> {
        let name = &self.name;
        let lock = root::lock(description, fetcher, step).map_err(|trouble| match trouble {
            Trouble::Unavailable(mut failure) => {
                let reason = failure.last_lines.first().map(|line| format!(" ({line})"));
                failure.message = format!(
                    "containers/{name}/{LOCK} is not there, and cannot be written: {}{}",
                    failure.message,
                    reason.unwrap_or_default()
                );
                Trouble::Unavailable(failure.help(format!(
                    "run it where the repositories and keys of image.toml can be reached (--mirror NAME=URL names another \
                     address of a repository), or bring {LOCK} from there (`cargo xtask lock {name}` writes it)"
                )))
            }
            failed @ Trouble::Failed(_) => failed,
        })?;
        lock.write(&description.dir)?;
        let message = format!(
            "containers/{name}/{LOCK} now pins the image's {} packages: commit it",
            lock.packages.len()
        );
        site.reporter.event(&Event::Note { message: &message });
        Ok(lock)
    }

    /// The identity of the image with these packages.
    pub(super) fn key_with(&self, packages: &str) -> Key {
        let key = KeyBuilder::new("image with its packages", 1).text("packages", packages);
        key.identity("image", self.identity()).finish()
    }

    /// Whether the builder has this very image. Until the packages are locked, nobody has another one.
    pub fn is_the_image_of(&self, builder: &Builder) -> bool {
        self.lock.as_deref().is_none_or(|packages| self.key_with(packages) == *builder.key())
    }

    /// The failure if the builder has another one.
    pub fn was_changed_since(&self) -> Failure {
        self.was_changed("setup.sh, builder/ or root.lock")
    }

    /// Checks that setup.sh and builder/ are what the run was planned with: while packages are fetched, there is time to
    /// change them.
    pub(super) fn check_unchanged(&self, workspace: &Workspace) -> Result<()> {
        self.identity.stamps.check()?;
        match Self::load(workspace, &self.name, &self.mirrors)?.key() == self.key() {
            true => Ok(()),
            false => Err(self.was_changed(TOOLS)),
        }
    }

    fn was_changed(&self, file: &str) -> Failure {
        let message =
            format!("containers/{}/{file} was changed while it was being built from", self.name);
        Failure::new(Class::Source, message).help("run again; nothing was kept of this step")
    }

    /// Copies what setup.sh sees, itself and the commands, into the folder `to`: with modes that do not depend on the umask of the
    /// checkout. Returns whether there is a setup.sh.
    pub(super) fn copy_set_up(&self, to: &Path) -> Result<bool> {
        let setup = self.dir.join(SETUP);
        if !input::is_there(&setup).class(Class::Source)? {
            return Ok(false);
        }
        fs_err::create_dir_all(to).class(Class::Output)?;
        copy_even(&setup, &to.join(SETUP))?;
        let tools = self.dir.join(TOOLS);
        if input::is_there(&tools).class(Class::Source)? {
            let tools = fs_err::canonicalize(tools).class(Class::Source)?;
            for (path, name) in files_below(&tools)? {
                copy_even(&path, &to.join(TOOLS).join(name))?;
            }
        }
        Ok(true)
    }

    /// Makes a failure of setup.sh say what it is.
    pub(super) fn of_set_up(&self, mut failure: Failure) -> Failure {
        failure.message = format!("containers/{}/{SETUP} failed in the new root", self.name);
        failure.help("mend it; the log has all its output")
    }
}

/// The files and links below a folder, with their names in it; sorted. Folders are made for what they hold.
fn files_below(folder: &Path) -> Result<Vec<(PathBuf, PathBuf)>> {
    let mut files = Vec::new();
    for entry in walkdir::WalkDir::new(folder).sort_by_file_name() {
        let entry = entry.map_err(std::io::Error::from).class(Class::Source)?;
        let path = entry.path();
        let kind = entry.file_type();
        if kind.is_file() || kind.is_symlink() {
            files.push((path.to_owned(), path.strip_prefix(folder).unwrap_or(path).to_owned()));
        } else if !kind.is_dir() {
            let message = format!("{} is neither file, folder nor link", path.display());
            return Err(Failure::new(Class::Source, message).help("remove it"));
        }
    }
    Ok(files)
}

/// Copies a file, or a link below builder/ as it is. The mode is 755 if the owner may execute the file, or else 644.
fn copy_even(from: &Path, to: &Path) -> Result<()> {
    fs_err::create_dir_all(to.parent().unwrap_or(to)).class(Class::Output)?;
    if from.is_symlink() && from.file_name() != Some(SETUP.as_ref()) {
        let target = fs_err::read_link(from).class(Class::Source)?;
        return fs_err::os::unix::fs::symlink(target, to).class(Class::Output);
    }
    let mode = fs_err::metadata(from).class(Class::Source)?.permissions().mode();
    fs_err::copy(from, to).class(Class::Output)?;
    let mode = if mode & 0o100 == 0 { 0o644 } else { 0o755 };
    fs_err::set_permissions(to, PermissionsExt::from_mode(mode)).class(Class::Output)
}
