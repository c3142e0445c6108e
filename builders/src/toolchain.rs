//! Which Rust compiles the programs of host/: the installed one, or for a release the version that the checkout names
//! (decision 84).
//!
//! The root Cargo.toml says `[workspace.metadata.release] rust = "X.Y.Z"`, and rustup chooses that toolchain for
//! every program that is run with [`Toolchain::choose`]. This code installs nothing: if a toolchain is missing, the
//! run stops before the work and names the command that installs it.

use crate::target::Target;
use base::process::Program;

/// The installed Rust, chosen by PATH or by rustup.
pub static PRESENT: Toolchain = Toolchain { version: None };

/// A choice of Rust.
#[derive(Clone, Debug)]
pub struct Toolchain {
    /// The version that rustup must use; `None` leaves the choice to the machine.
    pub version: Option<String>,
}

impl Toolchain {
    /// Makes `program`, and the programs that it runs, use this Rust. For a release the variables also override
    /// cargo's settings; an empty variable means no wrapper.
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

    /// The arguments for rustup that add a target's library to this toolchain.
    pub fn adding(&self, target: Target) -> Vec<&str> {
        let which = self.version.iter().flat_map(|version| ["--toolchain", version]);
        ["target", "add"].into_iter().chain(which).chain([target.triple()]).collect()
    }

    /// The same command as a user would type it.
    pub fn how_to_add(&self, target: Target) -> String {
        format!("rustup {}", self.adding(target).join(" "))
    }
}

/// Whether a variable could change which compiler is used or what it builds (cargo sets CARGO for programs that it
/// runs). Variables about cargo's home and its registry are kept.
pub fn steers_the_build(name: &str) -> bool {
    let kept = ["CARGO_HOME", "CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTR", "CARGO_TERM_"];
    let steering =
        ["RUSTFLAGS", "RUSTC", "CARGO_", "CFLAGS", "CXXFLAGS", "LDFLAGS", "CC_", "AR_", "ZIG_"];
    matches!(name, "CARGO" | "CC" | "CXX" | "AR" | "LD")
        || (steering.iter().any(|s| name.starts_with(s))
            && !kept.iter().any(|k| name.starts_with(k)))
}
