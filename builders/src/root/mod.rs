//! The packages of a build system's root, as a function of a lock file. A package is pinned by its SHA-256 and signed by a
//! key with a known fingerprint.
//!
//! [`Description`] is image.toml: repositories, keys and wanted packages. [`lock`] asks the repositories for their metadata, chooses
//! packages and returns them as a [`Lock`].

mod description;
mod lock;
mod lockfile;

pub use description::{Description, Mirror};
pub use lock::lock;
pub use lockfile::{Change, LOCK, Lock, LockedKey, LockedPackage};
