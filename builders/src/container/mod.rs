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
mod roots;
mod user;

/// The build tree in the folder of a compile's result.
pub const BUILD: &str = "build";
/// The staged root in it.
pub const STAGE: &str = "stage";

/// All three: no path below them means anything on a host.
pub const ROOTS: [&str; 3] = [BUILD_ROOT, SOURCE_ROOT, STAGE_ROOT];

pub use compile::{Compile, Need, Options};
pub use diagnosis::is_warning;
pub use distcc::Farm;
pub use engine::{BuiltImage, Engine, EngineKind};
pub use image::Image;
pub use lease::sweep;
pub use roots::{BUILD_ROOT, SOURCE_ROOT, STAGE_ROOT};
