//! What the shell allows to this process. Too little of it would show up far from its cause, as a
//! program that cannot be started or a file that cannot be opened.

use rustix::process::{Resource, getrlimit};

use base::failure::{Class, Failure, Result};

/// Open files that cargo, the linker and an archive of many packages need at least.
const OPEN_FILES: u64 = 64;

/// Refuses to work with too few open files.
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
