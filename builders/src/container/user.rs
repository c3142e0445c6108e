//! Who a build runs as: `builder`, an ordinary user, with ids that make its results the invoker's.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use rustix::process::{getegid, geteuid};

use super::{engine::Engine, mount::Mount};
use base::failure::{Class, Classify, Result};

/// Ids of the user inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct User {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// The ids of `builder` in the images. Also for root, who must not be root inside.
const BUILDER: User = User { uid: 1000, gid: 1000 };

impl User {
    /// The invoker where folders are shared with the container; there, files that the build makes
    /// have the ids that it runs under.
    pub(super) fn of(engine: &Engine) -> Self {
        let invoker = Self { uid: geteuid().as_raw(), gid: getegid().as_raw() };
        if !engine.shares_folders || invoker.uid == 0 { BUILDER } else { invoker }
    }

    /// `/etc/passwd`, `/etc/group` and `/etc/hosts` of the container: engines write them each in
    /// their own way, and some not at all.
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
            // Whatever the umask.
            fs_err::set_permissions(&path, PermissionsExt::from_mode(0o644))
                .class(Class::Output)?;
            Ok(Mount { inside: format!("/etc/{name}"), outside: path, writable: false })
        };
        files.into_iter().map(mount).collect()
    }
}

/// Gives a folder of ours to the user inside, if that is another.
pub(super) fn lend(dir: &Path, user: User) -> Result<()> {
    if geteuid().as_raw() == user.uid || geteuid().as_raw() != 0 {
        return Ok(());
    }
    own(dir, user)
}

/// Takes a tree back that a build has made: all of it is the invoker's, with the modes that the
/// build gave it; if `readable`, what else is built from it can read it.
pub(super) fn claim(dir: &Path, readable: bool) -> Result<()> {
    let invoker = User { uid: geteuid().as_raw(), gid: getegid().as_raw() };
    for entry in walkdir::WalkDir::new(dir) {
        let entry = entry.map_err(std::io::Error::from).class(Class::Output)?;
        let meta = entry.metadata().map_err(std::io::Error::from).class(Class::Output)?;
        if invoker.uid == 0 {
            own(entry.path(), invoker)?;
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
        // The kernel takes set-id bits away from what changes hands.
        if mode != kept || (invoker.uid == 0 && mode & 0o6000 != 0) {
            let mode = PermissionsExt::from_mode(mode);
            fs_err::set_permissions(entry.path(), mode).class(Class::Output)?;
        }
    }
    Ok(())
}

fn own(path: &Path, user: User) -> Result<()> {
    fs_err::os::unix::fs::lchown(path, Some(user.uid), Some(user.gid)).class(Class::Output)
}

/// A folder that only the invoker can enter, for as long as this lives. Some user of the machine
/// may have the very ids that root lends to a build.
pub(super) struct Closed(Option<PathBuf>);

impl Closed {
    pub(super) fn to_others(dir: &Path) -> Result<Self> {
        if geteuid().as_raw() != 0 {
            return Ok(Self(None));
        }
        fs_err::set_permissions(dir, PermissionsExt::from_mode(0o700)).class(Class::Output)?;
        Ok(Self(Some(dir.to_owned())))
    }
}

impl Drop for Closed {
    fn drop(&mut self) {
        if let Some(dir) = &self.0 {
            let _ = fs_err::set_permissions(dir, PermissionsExt::from_mode(0o755));
        }
    }
}
