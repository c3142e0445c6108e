//! What is to be run in the sandbox.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::mount::Mount;

/// The exit code if the sandbox itself fails. It is that of container engines.
pub const REFUSED: u8 = 125;

/// What is to be run in the sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The folder whose content is the system inside.
    pub root: PathBuf,
    /// An empty folder, in which the processes of the sandbox mount that system. Nobody else sees the mounts.
    pub place: PathBuf,
    /// Folders and files of this machine that are seen inside.
    pub mounts: Vec<Mount>,
    /// The user inside.
    pub user: As,
    /// The working folder, as a path inside.
    pub dir: String,
    /// The home folder; it is made, in /tmp.
    pub home: String,
    /// All variables.
    pub env: Vec<(String, String)>,
    /// The program with its arguments. If it is empty, everything is made ready and nothing is run.
    pub command: Vec<String>,
    /// Its limits.
    pub limits: Limits,
    /// Whether somebody talks to the program on the terminal of this machine. Otherwise it has none.
    pub terminal: bool,
}

/// The user inside of a sandbox. There is only one user id; outside it is that of the user who runs xtask, or, for a
/// build that root runs, 1000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum As {
    /// `builder`, with the id 1000: it may write to the mounts that are writable.
    Builder,
    /// Root, who may write to the root folder, for the last step of making it. It is root over the files of the user who
    /// runs xtask, and over nothing else.
    Owner,
}

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

impl Default for Limits {
    /// Enough for any build.
    fn default() -> Self {
        Self { files: 65_536, processes: 4096, memory: u64::MAX }
    }
}
