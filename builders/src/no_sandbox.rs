//! In place of the sandbox, on systems without Linux' namespaces.

use std::path::{Path, PathBuf};

use crate::mount::Mount;
use base::{
    failure::{Class, Failure, Result},
    process::Program,
};

/// The exit code if the sandbox itself fails.
pub const REFUSED: u8 = 125;

/// There is none.
#[derive(Clone, Copy, Debug)]
pub struct Sandbox {
    pub(crate) ids: (u32, u32),
}

/// What would be run.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Request {
    pub root: PathBuf,
    pub place: PathBuf,
    pub mounts: Vec<Mount>,
    pub user: As,
    pub dir: String,
    pub home: String,
    pub env: Vec<(String, String)>,
    pub command: Vec<String>,
    pub limits: Limits,
}

/// The user inside.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub enum As {
    Builder,
    Owner,
}

/// Its limits.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct Limits {
    pub memory: u64,
}

impl Sandbox {
    /// # Errors
    /// Always.
    pub fn find() -> Result<Self> {
        Err(none())
    }

    /// # Errors
    /// Always.
    pub fn program(_: &Request, _: &Path) -> Result<Program> {
        Err(none())
    }
}

/// # Errors
/// Always.
pub fn enter(_: &Path, _: u32) -> Result<u8> {
    Err(none())
}

/// # Errors
/// Always.
pub fn init(_: &Path, _: u32) -> Result<u8> {
    Err(none())
}

fn none() -> Failure {
    Failure::new(Class::Tool, "the sandbox needs Linux")
}
