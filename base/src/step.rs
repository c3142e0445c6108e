//! Kinds and states of steps.

use std::fmt;

/// The kind of a step. Its name is also that of the cache's folder for its results, if the cache has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Installs the compiler driver.
    Tools,
    /// Adds Rust's library for musl.
    Library,
    /// Fetches a source.
    Fetch,
    /// Makes a builder image.
    Image,
    /// Compiles, on this machine or in a container.
    Compile,
    /// Writes an RPM.
    Package,
    /// Signs an RPM.
    Sign,
}

impl Kind {
    /// Its name, for people and for folders.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Library => "library",
            Self::Fetch => "fetch",
            Self::Image => "image",
            Self::Compile => "compile",
            Self::Package => "package",
            Self::Sign => "sign",
        }
    }

    /// Whether a step may take so long that its beginning is shown.
    pub fn is_slow(self) -> bool {
        match self {
            Self::Tools | Self::Library | Self::Fetch | Self::Image | Self::Compile => true,
            Self::Package | Self::Sign => false,
        }
    }
}

/// The state of a step before the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Its result is in the cache.
    Cached,
    /// It will be carried out.
    ToDo,
    /// Its result is not in the cache, but no step that will be carried out needs it.
    NotNeeded,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Cached => "cached",
            Self::ToDo => "to do",
            Self::NotNeeded => "not needed",
        })
    }
}
