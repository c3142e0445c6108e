//! Folders inside of a container.

/// The folder of the build trees.
pub const BUILD_ROOT: &str = "/build";
/// The folder of the sources.
pub const SOURCE_ROOT: &str = "/src";
/// The staged root.
pub const STAGE_ROOT: &str = "/stage";
/// The folder of the staged roots of what a build needs.
pub const NEEDS_ROOT: &str = "/needs";
