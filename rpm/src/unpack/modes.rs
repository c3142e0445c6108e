//! Permissions and times of unpacked files.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use rustix::fs::{self, AtFlags, Mode, OFlags, Timespec, Timestamps};

/// The owner of the tree can remove it: CentOS 7 has folders with mode 0555.
const FOLDER: u16 = 0o700;
/// The owner of the tree can read it, and copy it: CentOS 7 has files with mode 0000.
const FILE: u16 = 0o400;
/// set-uid and set-gid are dropped: all files belong to the user who unpacks them.
pub(super) const SET_ID: u16 = 0o6000;

/// The permissions that a file gets.
pub(super) fn file_mode(mode: u16) -> u16 {
    mode & !SET_ID | FILE
}

pub(super) fn file(file: impl AsFd, mode: u16, time: u32) -> io::Result<()> {
    fs::fchmod(&file, Mode::from_raw_mode(file_mode(mode).into()))?;
    Ok(fs::futimens(file, &times(time))?)
}

/// The folder is opened again, because a descriptor of O_PATH cannot change it.
pub(super) fn folder(folder: &OwnedFd, mode: u16, time: u32) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let open = fs::openat(folder, ".", flags, Mode::empty())?;
    fs::fchmod(&open, Mode::from_raw_mode((mode & !SET_ID | FOLDER).into()))?;
    Ok(fs::futimens(&open, &times(time))?)
}

/// The time of a link itself.
pub(super) fn link(folder: &OwnedFd, name: &str, time: u32) -> io::Result<()> {
    let flags = AtFlags::SYMLINK_NOFOLLOW;
    Ok(fs::utimensat(folder, name, &times(time), flags)?)
}

fn times(seconds: u32) -> Timestamps {
    let time = Timespec { tv_sec: seconds.into(), tv_nsec: 0 };
    Timestamps { last_access: time, last_modification: time }
}
