//! The user of a build: `builder`, without privileges, with ids that give its results to the user who runs xtask.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use rustix::process::{getegid, geteuid};

use super::engine::Engine;
use crate::mount::Mount;
use base::failure::{Class, Classify, Result};

/// Ids of a user in the container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct User {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl User {
    /// The ids of `builder` in the images. They are also used if root runs xtask, since a build must not run as root.
    pub(super) const BUILDER: Self = Self { uid: 1000, gid: 1000 };

    /// The ids for a build: those of the user who runs xtask if the container shares folders with this machine, since
    /// files that the build makes have its ids.
    pub(super) fn of(engine: &Engine) -> Self {
        let invoker = Self { uid: geteuid().as_raw(), gid: getegid().as_raw() };
        if !engine.shares_folders || invoker.uid == 0 { Self::BUILDER } else { invoker }
    }

    /// `/etc/passwd`, `/etc/group` and `/etc/hosts` of the container: engines write different ones, and some write
    /// none.
    pub(super) fn accounts(self, dir: &Path, offline: bool) -> Result<Vec<Mount>> {
        let Self { uid, gid } = self;
        let passwd = format!(
            "root:x:0:0:root:/root:/bin/sh\nbuilder:x:{uid}:{gid}:builder:/tmp/home:/bin/sh\n\
             nobody:x:65534:65534:nobody:/:/bin/false\n"
        );
        let group = format!("root:x:0:\ntty:x:5:\nbuilder:x:{gid}:\nnogroup:x:65534:\n");
        let hosts = "127.0.0.1 localhost builder\n::1 localhost\n".to_owned();
        let mut files = vec![("passwd", passwd), ("group", group)];
        files.extend(offline.then_some(("hosts", hosts)));
        let mount = |(name, text): (&str, String)| {
            let path = dir.join(name);
            fs_err::write(&path, text).class(Class::Output)?;
            // Readable with any umask.
            fs_err::set_permissions(&path, PermissionsExt::from_mode(0o644))
                .class(Class::Output)?;
            Ok(Mount { inside: format!("/etc/{name}"), outside: path, writable: false })
        };
        files.into_iter().map(mount).collect()
    }
}

/// Makes the container's user the owner of a folder, if it has other ids.
pub(super) fn give_to(dir: &Path, user: User) -> Result<()> {
    if geteuid().as_raw() == user.uid || geteuid().as_raw() != 0 {
        return Ok(());
    }
    chown(dir, user)
}

/// Makes the user who runs xtask the owner of a tree that a build has made. Modes are kept; if `readable`, everybody
/// may read the tree, so that other builds can.
pub(super) fn take_back(dir: &Path, readable: bool) -> Result<()> {
    let invoker = User { uid: geteuid().as_raw(), gid: getegid().as_raw() };
    for entry in walkdir::WalkDir::new(dir) {
        let entry = entry.map_err(std::io::Error::from).class(Class::Output)?;
        let meta = entry.metadata().map_err(std::io::Error::from).class(Class::Output)?;
        if invoker.uid == 0 {
            chown(entry.path(), invoker)?;
        }
        if entry.file_type().is_symlink() {
            continue;
        }
        let kept = meta.permissions().mode();
        let mode = match (readable, entry.file_type().is_dir()) {
            (false, _) => kept,
            (true, true) => kept | 0o755,
            (true, false) => kept | 0o444,
        };
        // The kernel clears the set-id bits of a file when its owner changes.
        if mode != kept || (invoker.uid == 0 && mode & 0o6000 != 0) {
            let mode = PermissionsExt::from_mode(mode);
            fs_err::set_permissions(entry.path(), mode).class(Class::Output)?;
        }
    }
    Ok(())
}

fn chown(path: &Path, user: User) -> Result<()> {
    fs_err::os::unix::fs::lchown(path, Some(user.uid), Some(user.gid)).class(Class::Output)
}

/// A folder that only root can enter until this value is dropped. If root runs xtask, another user of this machine
/// may have the same ids as the build.
pub(super) struct PrivateFolder(Option<PathBuf>);

impl PrivateFolder {
    pub(super) fn to_others(dir: &Path) -> Result<Self> {
        if geteuid().as_raw() != 0 {
            return Ok(Self(None));
        }
        fs_err::set_permissions(dir, PermissionsExt::from_mode(0o700)).class(Class::Output)?;
        Ok(Self(Some(dir.to_owned())))
    }
}

impl Drop for PrivateFolder {
    fn drop(&mut self) {
        if let Some(dir) = &self.0 {
            let _ = fs_err::set_permissions(dir, PermissionsExt::from_mode(0o755));
        }
    }
}
