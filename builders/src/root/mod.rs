//! The packages of a build system's root, as a function of a lock file. A package is pinned by its SHA-256 and signed by a
//! key with a known fingerprint.
//!
//! [`Description`] is image.toml: repositories, keys and wanted packages. [`lock`] asks the repositories for their metadata, chooses
//! packages and returns them as a [`Lock`]. [`make`] unpacks the packages of a lock into a folder; it needs neither metadata nor the
//! solver, and no network if the packages are in the store.

mod description;
mod lock;
mod lockfile;
mod make;
mod packages;
mod turn;

pub use description::{Description, Mirror};
pub use lock::lock;
pub use lockfile::{Change, LOCK, Lock, LockedKey, LockedPackage};
pub use make::{LastStep, Root, key_of, lock_of, make};
pub(crate) use turn::Turn;
