//! In place of the sandbox, on systems without Linux' namespaces.

use std::path::Path;

use super::Request;
use base::{
    failure::{Class, Failure, Result},
    process::Program,
};

/// There is none.
#[derive(Clone, Copy, Debug)]
pub struct Sandbox {
    pub(crate) ids: (u32, u32),
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
