//! Folders inside of a container.

/// Where a container has its build trees.
pub const BUILD_ROOT: &str = "/build";
/// Where it has its sources.
pub const SOURCE_ROOT: &str = "/src";
/// Where it has the staged root.
pub const STAGE_ROOT: &str = "/stage";
