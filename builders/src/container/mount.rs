//! What a container sees of this machine.

use std::path::PathBuf;

/// A folder, or a file, and where it is inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    pub(super) inside: String,
    pub(super) outside: PathBuf,
    pub(super) writable: bool,
}
