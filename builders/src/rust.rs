//! The Rust compiler, and the target that it compiles the programs of host/ for.
//!
//! The programs run on CentOS 7, on whatever machine they were compiled. Linked with musl they need no library of the
//! host and start in a quarter of the time, which matters for a program that is started for each container. rustup
//! installs Rust's library for musl; without it the programs are linked for CentOS 7's glibc, and work as well.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use crate::{
    site::Site,
    target::Target,
    toolchain::{Toolchain, steers_the_build},
};
use base::{
    failure::{Class, Classify, Failure, Result, Trouble},
    process::{Program, on_path},
};

/// The compiler that PATH and rustup choose in a folder.
#[derive(Clone, Debug)]
pub struct Rust {
    /// The output of `rustc -vV`.
    pub identity: String,
    /// The folder of its libraries.
    rustlib: PathBuf,
}

impl Rust {
    /// Runs the rustc that is chosen in the folder `dir`, or by `toolchain`, for its version and its folder.
    pub fn ask(dir: &Path, toolchain: &Toolchain) -> Result<Self> {
        let ask = |args: &[&str]| {
            let mut rustc = Program::new("rustc");
            rustc.args(args).current_dir(dir);
            // A library that is preloaded into xtask may break rustc.
            rustc.without(steers_the_build).without(|name| name == "LD_PRELOAD");
            toolchain.choose(&mut rustc);
            let failed =
                |why: String| Failure::new(Class::Tool, format!("rustc cannot be run: {why}"));
            let output = rustc.output().map_err(|e| match e.kind() {
                ErrorKind::NotFound => failed(e.to_string()).help("install Rust with rustup"),
                _ => failed(e.to_string()),
            })?;
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stderr);
                let said = said.lines().next().unwrap_or_default();
                let failure = failed(format!("it ended with {}: {said}", output.status));
                return Err(failure.help("`rustc -vV` in the checkout has to work"));
            }
            Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
        };
        let sysroot = ask(&["--print", "sysroot"])?;
        Ok(Self { identity: ask(&["-vV"])?, rustlib: Path::new(&sysroot).join("lib/rustlib") })
    }

    /// The version number.
    pub fn release(&self) -> &str {
        self.identity.lines().find_map(|line| line.strip_prefix("release: ")).unwrap_or("unknown")
    }

    /// The best target that it has the library for.
    pub fn target(&self) -> Target {
        if self.has(Target::Musl) { Target::Musl } else { Target::Glibc }
    }

    /// Whether its library for this target is installed.
    pub fn has(&self, target: Target) -> bool {
        self.rustlib.join(target.triple()).join("lib").is_dir()
    }
}

/// Whether rustup is on PATH: it could add the library that is missing.
pub fn has_rustup() -> bool {
    on_path("rustup").is_some()
}

/// Adds Rust's library for musl.
///
/// # Errors
/// [`Trouble::Unavailable`] for every error, since other packages can be built.
pub fn add_library(site: &Site<'_>, step: &str) -> Result<(), Trouble> {
    let asked = match site.offline {
        true => Err(Failure::new(Class::Tool, "--offline forbids to ask for it")),
        false => ask_rustup(site, step),
    };
    asked.map_err(|mut failure| {
        let triple = Target::Musl.triple();
        let message = format!("Rust's library for {triple} is missing, and cannot be added");
        let why = std::mem::replace(&mut failure.message, message);
        failure.last_lines.push(why);
        Trouble::Unavailable(failure.help(site.toolchain.how_to_add(Target::Musl)))
    })
}

fn ask_rustup(site: &Site<'_>, step: &str) -> Result<()> {
    let root = &site.workspace.root;
    let rust = Rust::ask(root, site.toolchain)?;
    // rustup has no lock against another rustup that changes the same toolchain.
    let registry = fs_err::File::open(&rust.rustlib).class(Class::Tool)?;
    registry.file().lock().class(Class::Tool)?;
    if rust.has(Target::Musl) {
        return Ok(());
    }
    let mut rustup = Program::new(on_path("rustup").unwrap_or_else(|| "rustup".into()));
    rustup.args(site.toolchain.adding(Target::Musl)).current_dir(root);
    rustup.without(steers_the_build);
    site.toolchain.choose(&mut rustup);
    site.process(rustup, "rust-library.log", Class::Tool, step).run()?;
    // rustup cannot add a library to a rustc that it did not install.
    match rust.has(Target::Musl) {
        true => Ok(()),
        false => Err(Failure::new(Class::Tool, "rustup has added it to another rustc")),
    }
}
