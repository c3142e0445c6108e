//! Which Rust compiles the programs of host/: the one that is there, or for a release the one that the checkout
//! names (decision 84).
//!
//! The root Cargo.toml says `[workspace.metadata.release] rust = "X.Y.Z"`, and rustup chooses that toolchain for
//! every program that is run with [`Toolchain::choose`]. Nothing is installed in passing: what is missing is said
//! before the work, with the command that installs it.

use crate::target::Target;
use base::process::Program;

/// The Rust that is there, whoever has chosen it.
pub static PRESENT: Toolchain = Toolchain { version: None };

/// A choice of Rust.
#[derive(Clone, Debug)]
pub struct Toolchain {
    /// The version that rustup is to take.
    pub version: Option<String>,
}

impl Toolchain {
    /// Has `program`, and what it runs, take this Rust. For a release that goes for what stands in settings of
    /// cargo's as well: variables win over them, and an empty one means no wrapper.
    pub fn choose(&self, program: &mut Program) {
        if let Some(version) = &self.version {
            program.envs([
                ("RUSTUP_TOOLCHAIN", version.as_str()),
                ("RUSTUP_AUTO_INSTALL", "0"),
                ("RUSTC", "rustc"),
                ("RUSTC_WRAPPER", ""),
                ("RUSTC_WORKSPACE_WRAPPER", ""),
            ]);
        }
    }

    /// What rustup is to be told to add a target's library to it.
    pub fn adding(&self, target: Target) -> Vec<&str> {
        let which = self.version.iter().flat_map(|version| ["--toolchain", version]);
        ["target", "add"].into_iter().chain(which).chain([target.triple()]).collect()
    }

    /// The same as one would type it.
    pub fn how_to_add(&self, target: Target) -> String {
        format!("rustup {}", self.adding(target).join(" "))
    }
}

/// Variables through which a shell could change what is built, or with what: cargo hands on in CARGO which one
/// it is. Those that say where cargo lives, and how it reaches its registry, stay.
pub fn steers_the_build(name: &str) -> bool {
    let kept = ["CARGO_HOME", "CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTR", "CARGO_TERM_"];
    let steering =
        ["RUSTFLAGS", "RUSTC", "CARGO_", "CFLAGS", "CXXFLAGS", "LDFLAGS", "CC_", "AR_", "ZIG_"];
    matches!(name, "CARGO" | "CC" | "CXX" | "AR" | "LD")
        || (steering.iter().any(|s| name.starts_with(s))
            && !kept.iter().any(|k| name.starts_with(k)))
}
