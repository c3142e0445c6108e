//! The targets that the programs of host/ are linked for.

/// A target that programs are linked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Any Linux.
    Musl,
    /// CentOS 7's glibc and newer ones.
    Glibc,
}

impl Target {
    /// Rust's name of the target.
    pub fn triple(self) -> &'static str {
        match self {
            Self::Musl => "x86_64-unknown-linux-musl",
            Self::Glibc => "x86_64-unknown-linux-gnu",
        }
    }

    /// cargo-zigbuild's name of the target.
    pub fn with_version(self) -> &'static str {
        match self {
            Self::Musl => self.triple(),
            Self::Glibc => "x86_64-unknown-linux-gnu.2.17",
        }
    }
}
