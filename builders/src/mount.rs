//! Folders and files of this machine that a build sees.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A folder or file of this machine, and its path inside of a container or sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mount {
    /// Its path inside.
    pub inside: String,
    /// Its path on this machine.
    pub outside: PathBuf,
    /// Whether the build may write to it.
    pub writable: bool,
}
