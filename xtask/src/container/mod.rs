//! The container builder: compiles sources in an image of the target system, so that what comes
//! out runs there.
//!
//! [`Engine`] is podman or docker. [`Image`] is a folder under containers/ and what becomes of it.
//! [`Compile`] runs the phases of a build in it, one container after the other, in circumstances
//! that are the same on every machine: docs/decisions.md says which.

mod ccache;
mod compile;
mod diagnosis;
mod distcc;
mod engine;
mod failed_tests;
mod image;
mod invocation;
mod jobs;
mod lease;
mod mount;
mod mounts;
mod user;

/// Folders of a compile's result: the build tree, and the staged root.
pub(crate) const BUILD: &str = "build";
pub(crate) const STAGE: &str = "stage";

/// Where a container has its build trees, its sources, and the staged root.
pub(crate) const BUILD_ROOT: &str = "/build";
pub(crate) const SOURCE_ROOT: &str = "/src";
pub(crate) const STAGE_ROOT: &str = "/stage";
pub(crate) const ROOTS: [&str; 3] = [BUILD_ROOT, SOURCE_ROOT, STAGE_ROOT];

pub(crate) use compile::{Compile, Need, Options};
pub(crate) use diagnosis::is_warning;
pub(crate) use distcc::Farm;
pub(crate) use engine::{BuiltImage, Engine, EngineKind};
pub(crate) use image::Image;
pub(crate) use lease::sweep;
