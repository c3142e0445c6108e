#![doc = include_str!("../README.md")]
//!
//! ## How data flows
//! Data flows one way, and each type says what has been done:
//!
//! [`spec::Package`] (what the author wrote, checked) → [`stage::StagedRoot`] (which files go
//! where) → [`package::UnsignedRpm`] → [`signature::SignedRpm`] → [`repodata`]. [`verify`] reads
//! it all back and trusts nothing. Nobody outside can make one of these types from a path: a file that was written
//! before is opened, which checks that it is what the type says.
//!
//! The other way, [`metadata`] reads the repositories of others, [`resolve`] chooses packages from them, and [`unpack`] unpacks RPMs
//! of any origin into a folder.
//!
//! The crate runs no program, opens no connection, prints nothing and knows no package by name.
//! The limits of CentOS 7's rpm are in [`limits`], with their sources.

pub mod abi;
pub mod debug;
pub mod deps;
pub mod error;
mod fitness;
mod header;
pub mod input;
pub mod limits;
pub mod lint;
pub mod metadata;
pub mod openpgp;
pub mod package;
pub mod payload;
pub mod read;
pub mod repodata;
pub mod resolve;
mod scriptlet;
pub mod signature;
pub mod spec;
pub mod stage;
pub mod unpack;
pub mod verify;

pub use error::{Error, Result};
