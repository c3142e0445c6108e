//! The file system of a sandbox.
//!
//! Its root is a small file system in memory, in which each entry of the root folder has its place: so the folders that
//! only a build has (/src, /build, /stage, /needs) need not be in the root folder, which stays as it was made. It is read-only in
//! the end, apart from the writable mounts and /tmp.

use std::{
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use nix::{
    mount::{MntFlags, MsFlags, umount2},
    unistd,
};

use super::{
    devices,
    mounting::{bind, change, fresh, make_empty, read_only},
    parent::failed,
    request::{As, Request},
};
use base::failure::{Class, Classify, Failure, Result};

/// Folders that the sandbox itself makes.
const OWN: [&str; 9] = ["build", "ccache", "dev", "needs", "proc", "src", "stage", "sys", "tmp"];

/// Mounts everything, and makes it the file system of this process.
pub(super) fn mount_all(request: &Request) -> Result<()> {
    let new = request.place.as_path();
    // Nothing that is mounted here is seen by others, and the other way round.
    change(Path::new("/"), MsFlags::MS_REC | MsFlags::MS_PRIVATE)?;
    fresh(new, "tmpfs", MsFlags::MS_NOSUID | MsFlags::MS_NODEV, "mode=755")?;
    root(&request.root, new, request.user == As::Owner)?;
    for name in OWN {
        fs_err::create_dir(new.join(name)).class(Class::Tool)?;
    }
    fresh(&new.join("tmp"), "tmpfs", MsFlags::MS_NOSUID | MsFlags::MS_NODEV, "mode=1777")?;
    for mount in &request.mounts {
        let target = target(new, &mount.inside, mount.outside.is_dir())?;
        bind(&mount.outside, &target, mount.writable)?;
    }
    devices::dev(&new.join("dev"))?;
    devices::proc(&new.join("proc"), &new.join("dev/null"))?;
    enter(new)?;
    read_only(Path::new("/"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV)
}

/// Gives every entry of the root folder its place.
fn root(root: &Path, new: &Path, writable: bool) -> Result<()> {
    for entry in fs_err::read_dir(root).class(Class::Tool)? {
        let entry = entry.class(Class::Tool)?;
        let (name, kind) = (entry.file_name(), entry.file_type().class(Class::Tool)?);
        if name.to_str().is_some_and(|name| OWN.contains(&name)) {
            continue;
        }
        let place = new.join(&name);
        if kind.is_symlink() {
            let to = fs_err::read_link(entry.path()).class(Class::Tool)?;
            symlink(to, &place).class(Class::Tool)?;
            continue;
        }
        make_empty(&place, kind.is_dir())?;
        bind(&entry.path(), &place, writable)?;
    }
    Ok(())
}

/// The place below `new` for something that is mounted at the path `inside`. It is made if it is in a folder of the
/// sandbox itself; no link is followed, since links of the root folder would lead to files of this machine.
fn target(new: &Path, inside: &str, is_dir: bool) -> Result<PathBuf> {
    let mut place = new.to_owned();
    let mut parts = inside.split('/').skip(1).peekable();
    while let Some(part) = parts.next() {
        place.push(part);
        let is_last = parts.peek().is_none();
        match fs_err::symlink_metadata(&place) {
            Ok(meta) if meta.is_symlink() => {
                return Err(no_place(inside, "there is a link in its path"));
            }
            Ok(_) => {}
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                make_empty(&place, is_dir || !is_last)
                    .map_err(|_| no_place(inside, "the builder's root has nothing there"))?;
            }
            Err(e) => return Err(e).class(Class::Tool),
        }
    }
    Ok(place)
}

fn no_place(inside: &str, why: &str) -> Failure {
    let message = format!("nothing can be mounted at {inside}: {why}");
    Failure::new(Class::Tool, message)
}

/// Makes `new` the root of this process; what was the root before is gone.
fn enter(new: &Path) -> Result<()> {
    std::env::set_current_dir(new).class(Class::Tool)?;
    // The old root is mounted over the new one, and goes.
    unistd::pivot_root(".", ".")
        .and_then(|()| umount2(".", MntFlags::MNT_DETACH))
        .map_err(|e| failed("the sandbox' root cannot be entered", e))?;
    std::env::set_current_dir("/").class(Class::Tool)
}
