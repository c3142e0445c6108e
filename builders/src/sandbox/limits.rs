//! Sets the limits of what runs in the sandbox.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::request::Limits;
use base::failure::{Class, Classify, Result};

/// How readily the kernel ends a process of the sandbox, and not another one, if memory runs out; 1000 is the most.
const OUT_OF_MEMORY: &str = "800";

/// Sets them for this process and those that it starts.
pub(super) fn set(limits: Limits) -> Result<()> {
    let all = [
        (Resource::Nofile, limits.files),
        (Resource::Nproc, limits.processes),
        (Resource::Data, limits.memory),
        (Resource::Core, 0),
    ];
    for (resource, most) in all {
        let allowed = getrlimit(resource).maximum.unwrap_or(u64::MAX);
        // The highest number stands for no limit.
        let limit = Some(allowed.min(most)).filter(|limit| *limit != u64::MAX);
        setrlimit(resource, Rlimit { current: limit, maximum: limit })
            .map_err(std::io::Error::from)
            .class(Class::Tool)?;
    }
    Ok(())
}

/// Makes this process, and those that it starts, the first that the kernel ends if memory runs out.
pub(super) fn end_me_first() -> Result<()> {
    fs_err::write("/proc/self/oom_score_adj", OUT_OF_MEMORY).class(Class::Tool)
}
