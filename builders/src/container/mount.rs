//! Folders and files of this machine that a container sees.

use std::path::PathBuf;

/// A folder or file of this machine, and its path in the container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    pub(super) inside: String,
    pub(super) outside: PathBuf,
    pub(super) writable: bool,
}
