//! Limits of what runs in the sandbox: open files, processes, and the memory of one process.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};

use base::failure::{Class, Classify, Result};

/// Limits of what runs in the sandbox. Where this machine allows less, that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Open files of one process.
    pub files: u64,
    /// Processes. Linux 5.14 and later count those of the sandbox; older ones count all that the user id has.
    pub processes: u64,
    /// Memory that one process may take for its data, in bytes. The limit is for a process that runs wild: it gets no
    /// more memory, and this machine does not run out of it.
    pub memory: u64,
}

/// How readily the kernel ends a process of the sandbox, and not another one, if memory runs out; 1000 is the most.
const OUT_OF_MEMORY: &str = "800";

impl Default for Limits {
    /// Enough for any build.
    fn default() -> Self {
        Self { files: 65_536, processes: 4096, memory: u64::MAX }
    }
}

impl Limits {
    /// Sets them for this process and those that it starts.
    pub(super) fn set(self) -> Result<()> {
        let all = [
            (Resource::Nofile, self.files),
            (Resource::Nproc, self.processes),
            (Resource::Data, self.memory),
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
}

/// Makes this process, and those that it starts, the first that the kernel ends if memory runs out.
pub(super) fn end_me_first() -> Result<()> {
    fs_err::write("/proc/self/oom_score_adj", OUT_OF_MEMORY).class(Class::Tool)
}
