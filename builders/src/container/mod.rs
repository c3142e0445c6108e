//! The container builder: compiles sources in an image of the target system, so that the results run on that system.
//!
//! [`Engine`] is podman or docker. [`Image`] is a folder under containers/, a root of pinned packages. [`Compile`] runs the
//! phases of a build in the image, one container after the other, with the same user, paths, variables and time zone
//! on every machine.

mod ccache;
mod compile;
mod diagnosis;
mod distcc;
mod engine;
mod failed_tests;
mod image;
mod imported;
mod invocation;
mod jobs;
mod lease;
mod mounts;
mod needs;
mod rooted;
mod roots;
mod runner;
mod user;

/// The build tree in the folder of a compile's result.
pub const BUILD: &str = "build";
/// The staged root in it.
pub const STAGE: &str = "stage";

/// All four: none of these paths exists on a host.
pub const ROOTS: [&str; 4] = [BUILD_ROOT, SOURCE_ROOT, STAGE_ROOT, NEEDS_ROOT];

pub use compile::{Compile, Need, Options};
pub use diagnosis::is_warning;
pub use distcc::Farm;
pub use engine::{BuiltImage, Engine, EngineKind};
pub use image::Image;
pub use lease::sweep;
pub use roots::{ABI, BUILD_ROOT, NEEDS_ROOT, ROOT, SOURCE_ROOT, STAGE_ROOT};
pub use runner::{Builder, BuilderKind, BuiltRoot};
