//! The outer process of a sandbox: leaves the namespaces of this machine, starts process 1 of the new ones, and ends as
//! process 1 ends.

use std::{ffi::OsString, path::Path};

use nix::{
    errno::Errno,
    sched::{CloneFlags, unshare},
    unistd,
};

use super::{
    limits,
    parent::{Parent, failed},
    request::{As, Request},
    rights,
};
use base::{
    failure::{Class, Classify, Result},
    process,
};

/// This program, even if its file has been replaced since it was started.
pub(super) const THIS_PROGRAM: &str = "/proc/self/exe";

/// Runs the request in `file`, and returns the exit code of its command. `parent` is the process that wants it.
///
/// # Errors
/// [`Class::Tool`] if this machine does not allow a sandbox, which [`super::Sandbox::find`] explains.
pub fn enter(file: &Path, parent: u32) -> Result<u8> {
    close_inherited_files()?;
    let mut parent = Parent::bind(parent)?;
    let request = Request::read(file)?;
    limits::end_me_first()?;
    leave_namespaces(request.user)?;
    parent.bind_again()?;
    let me = std::process::id().to_string();
    let args: [OsString; 5] =
        ["sandbox".into(), "--first".into(), "--parent".into(), me.into(), file.into()];
    // Process 1 can be seen inside, and its environment with it.
    process::alone::run(Path::new(THIS_PROGRAM), &args, &[]).class(Class::Tool)
}

/// The run's parent may have left files open for every program, a folder of the user among them.
fn close_inherited_files() -> Result<()> {
    let list = fs_err::read_dir("/proc/self/fd").class(Class::Tool)?;
    let number = |entry: std::io::Result<fs_err::DirEntry>| -> Option<i32> {
        entry.ok()?.file_name().to_str()?.parse().ok()
    };
    let open: Vec<_> = list.filter_map(number).filter(|number| *number > 2).collect();
    for number in open {
        // The list itself is closed by now.
        let _ = unistd::close(number);
    }
    Ok(())
}

fn leave_namespaces(user: As) -> Result<()> {
    let all = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWCGROUP;
    // Root mounts as root, so that process 1 can reach every folder, and changes the user afterwards.
    if user == As::Builder && rights::can_become_builder() {
        return leave(all);
    }
    let (uid, gid) = (unistd::geteuid(), unistd::getegid());
    leave(all | CloneFlags::CLONE_NEWUSER)?;
    rights::map_ids(user.id(), (uid, gid))?;
    rights::hand_on()
}

fn leave(flags: CloneFlags) -> Result<()> {
    let left = match unshare(flags) {
        // Linux before 4.6, or built without them.
        Err(Errno::EINVAL) => unshare(flags - CloneFlags::CLONE_NEWCGROUP),
        other => other,
    };
    left.map_err(|e| failed("the kernel gives no namespaces", e))
}
