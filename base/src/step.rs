//! What is said of a step wherever one appears: of what kind it is, and what state it is in.

use std::fmt;

/// What a step does, in a word. Its results have a folder of that name in the cache, if they are kept there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Installs the compiler driver.
    Tools,
    /// Adds Rust's library for musl.
    Library,
    /// Gets a source.
    Fetch,
    /// Makes a builder image.
    Image,
    /// Compiles, on the host or in a container.
    Compile,
    /// Writes an RPM.
    Package,
    /// Signs one.
    Sign,
}

impl Kind {
    /// The word for people, and for folders.
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

    /// Whether a step may take so long that its beginning is worth a line.
    pub fn is_slow(self) -> bool {
        match self {
            Self::Tools | Self::Library | Self::Fetch | Self::Image | Self::Compile => true,
            Self::Package | Self::Sign => false,
        }
    }
}

/// What a run finds of a step before it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Its result is there.
    Cached,
    /// It is to be carried out.
    ToDo,
    /// Its result is not there, and nothing that is to do asks for it.
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
