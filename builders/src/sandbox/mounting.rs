//! Mounts, as the sandbox makes them.

use std::path::Path;

use nix::{
    errno::Errno,
    mount::{MsFlags, mount},
};
use rustix::fs::{StatVfsMountFlags, statvfs};

use super::parent::failed;
use base::failure::{Class, Classify, Result};

/// An empty folder or file to mount something at.
pub(super) fn make_empty(path: &Path, is_dir: bool) -> Result<()> {
    let made = if is_dir { fs_err::create_dir(path) } else { fs_err::write(path, "") };
    made.class(Class::Tool)
}

/// Mounts a new file system.
pub(super) fn fresh(place: &Path, kind: &str, flags: MsFlags, data: &str) -> Result<()> {
    mount(Some(kind), place, Some(kind), flags, Some(data))
        .map_err(|e| failed(format!("{kind} cannot be mounted at {}", place.display()), e))
}

/// Shows a folder or file at another place as well, without what is mounted below it.
pub(super) fn bind(from: &Path, to: &Path, writable: bool) -> Result<()> {
    bind_device(from, to)?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    if writable { remount(to, flags) } else { read_only(to, flags) }
}

/// The same for a device, which stays one.
pub(super) fn bind_device(from: &Path, to: &Path) -> Result<()> {
    let none: Option<&str> = None;
    mount(Some(from), to, none, MsFlags::MS_BIND, none).map_err(|e| {
        let mut failure =
            failed(format!("{} cannot be mounted at {}", from.display(), to.display()), e);
        if e == Errno::EINVAL {
            failure = failure.help("something is mounted below that folder: unmount it");
        }
        failure
    })
}

/// Makes a mount read-only.
pub(super) fn read_only(place: &Path, flags: MsFlags) -> Result<()> {
    remount(place, flags | MsFlags::MS_RDONLY)
}

/// Adds flags to those that a mount has. An ordinary user may not take any away.
fn remount(place: &Path, flags: MsFlags) -> Result<()> {
    let has = statvfs(place).map_err(std::io::Error::from).class(Class::Tool)?.f_flag;
    let pairs = [
        (StatVfsMountFlags::RDONLY, MsFlags::MS_RDONLY),
        (StatVfsMountFlags::NOSUID, MsFlags::MS_NOSUID),
        (StatVfsMountFlags::NODEV, MsFlags::MS_NODEV),
        (StatVfsMountFlags::NOEXEC, MsFlags::MS_NOEXEC),
        (StatVfsMountFlags::NOATIME, MsFlags::MS_NOATIME),
        (StatVfsMountFlags::NODIRATIME, MsFlags::MS_NODIRATIME),
        (StatVfsMountFlags::RELATIME, MsFlags::MS_RELATIME),
    ];
    let kept = pairs.into_iter().filter(|(flag, _)| has.contains(*flag)).map(|(_, flag)| flag);
    let flags = kept.fold(flags, |all, flag| all | flag);
    change(place, flags | MsFlags::MS_BIND | MsFlags::MS_REMOUNT)
}

/// Changes how a mount is seen.
pub(super) fn change(place: &Path, flags: MsFlags) -> Result<()> {
    let none: Option<&str> = None;
    mount(none, place, none, flags, none)
        .map_err(|e| failed(format!("the mount of {} cannot be changed", place.display()), e))
}
