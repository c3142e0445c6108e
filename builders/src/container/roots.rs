//! Folders inside of a container, and files in the folder of a result.

/// The folder of the build trees.
pub const BUILD_ROOT: &str = "/build";
/// The folder of the sources.
pub const SOURCE_ROOT: &str = "/src";
/// The staged root.
pub const STAGE_ROOT: &str = "/stage";
/// The folder of the staged roots of what a build needs.
pub const NEEDS_ROOT: &str = "/needs";

/// The file in a result with the ABI table of the system in which it was compiled.
pub const ABI: &str = "abi.toml";
/// The file in a result with the digest of that root.
pub const ROOT: &str = "root";
