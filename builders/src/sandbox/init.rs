//! Process 1 of a sandbox: mounts what is seen inside, gives up its rights, runs the command, and reaps orphans.

use std::{ffi::OsString, path::Path};

use nix::{sys::stat, unistd};

use super::{
    filter, limits, loopback,
    parent::{Parent, failed},
    places,
    request::{As, Request},
    rights,
};
use base::{
    failure::{Class, Classify, Result},
    process,
};

/// Runs the request in `file`, and returns the exit code of its command. `parent` is the outer process.
///
/// # Errors
/// [`Class::Tool`] if something cannot be mounted, or a right cannot be given up.
pub fn init(file: &Path, parent: u32) -> Result<u8> {
    let mut parent = Parent::bind(parent)?;
    // Of folders that are made here, too: root's umask may keep the build from them.
    stat::umask(stat::Mode::from_bits_truncate(0o022));
    let request = Request::read(file)?;
    if !request.terminal {
        // A build would read what is typed on the terminal of its run, and write to it past the run.
        unistd::setsid().map_err(|e| failed("the terminal cannot be left", e))?;
    }
    unistd::sethostname("builder").map_err(|e| failed("the host name cannot be set", e))?;
    loopback::up()?;
    places::mount_all(&request)?;
    if request.user == As::Builder && rights::can_become_builder() {
        rights::become_builder()?;
    }
    limits::set(request.limits)?;
    fs_err::create_dir_all(&request.home).class(Class::Tool)?;
    rights::give_up_all_but(request.user.keeps())?;
    parent.bind_again()?;
    filter::apply()?;
    std::env::set_current_dir(&request.dir).class(Class::Tool)?;
    let Some((program, args)) = request.command.split_first() else { return Ok(0) };
    let args: Vec<OsString> = args.iter().map(Into::into).collect();
    process::alone::run(Path::new(program), &args, &request.env).class(Class::Tool)
}
