//! Limits of the shell on this process. With too low limits a program or a file could not be opened later, and the
//! message would not name the cause.

use rustix::process::{Resource, getrlimit};

use base::failure::{Class, Failure, Result};

/// The number of open files that cargo, the linker and a repository of many packages need at least.
const OPEN_FILES: u64 = 64;

/// Fails if the limit of open files is too low.
pub(crate) fn check() -> Result<()> {
    match getrlimit(Resource::Nofile).current {
        Some(allowed) if allowed < OPEN_FILES => Err(Failure::new(
            Class::Usage,
            format!("the limit of open files is {allowed}; at least {OPEN_FILES} are needed"),
        )
        .help("`ulimit -n 1024`, or a new shell where that is not allowed")),
        _ => Ok(()),
    }
}
