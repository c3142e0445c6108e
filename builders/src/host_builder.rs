//! The host builder: compiles a crate of host/ for CentOS 7 without a container, with cargo-zigbuild.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    path::{Path, PathBuf},
};

use el7rpm::spec::cargo_manifest::Manifest;

use crate::{site::Site, target::Target, toolchain::steers_the_build, tools::Zig};
use base::{
    failure::{Class, Classify, Failure, Result, Trouble},
    key::{Identity, KeyBuilder},
    process::{Process, Program, on_path},
    workspace::Workspace,
};

/// Increase this number when the way of building changes.
const VERSION: u32 = 1;

/// A crate to compile.
#[derive(Clone, Debug)]
pub struct HostBuild {
    /// Its folder, relative to the workspace.
    pub crate_dir: PathBuf,
    /// Names of the programs that packages contain.
    pub programs: BTreeSet<String>,
    /// The target that they are linked for.
    pub target: Target,
}

impl HostBuild {
    /// The key of everything that the programs are made from.
    pub fn identity(&self, workspace: &Workspace, rustc: &str, zig: &Zig) -> Result<Identity> {
        let mut key = KeyBuilder::new("compile", VERSION)
            .text("the target", self.target.with_version())
            .text("the compiler", rustc)
            .text("zig or cargo-zigbuild", &zig.identity);
        for file in ["Cargo.toml", "Cargo.lock", ".cargo/config.toml", "rust-toolchain.toml"] {
            key = key.file(file, &workspace.root.join(file))?;
        }
        let crates =
            Manifest::local_closure(&workspace.root, &self.crate_dir).class(Class::Source)?;
        for dir in crates {
            key = key.tree(&dir.to_string_lossy(), &workspace.root.join(&dir))?;
        }
        for program in &self.programs {
            key = key.text("the list of programs to make", program);
        }
        Ok(key.identify())
    }

    /// Fetches the crate's dependencies, so that compiling needs no network.
    ///
    /// # Errors
    /// [`Trouble::Unavailable`] without a network, since other packages can still be built.
    pub fn fetch(&self, site: &Site<'_>, zig: &Zig, step: &str) -> Result<(), Trouble> {
        let words = ["fetch", "--locked", "--target", self.target.triple()];
        let mut args: Vec<OsString> = words.map(OsString::from).to_vec();
        args.extend(self.manifest(site));
        args.extend(site.offline.then(|| "--offline".into()));
        let cargo = on_path("cargo").ok_or_else(|| {
            Failure::new(Class::Tool, "there is no cargo on PATH").help("install Rust with rustup")
        })?;
        self.process(site, zig, (cargo, args), "fetch", step).run().map_err(|mut failure| {
            let says = |text: &str| failure.last_lines.iter().any(|l| l.contains(text));
            if says("--locked") || says("failed to parse manifest") {
                return Trouble::Failed(self.with_help(failure, site));
            }
            failure.message = format!(
                "the crates that {} depends on cannot be fetched",
                self.crate_dir.display()
            );
            Trouble::Unavailable(failure.help("run once with a network and without --offline"))
        })
    }

    /// Compiles, and puts the programs into `out`.
    pub fn run(&self, site: &Site<'_>, zig: &Zig, step: &str, out: &Path) -> Result<()> {
        let target_dir = site.workspace.state.join("host");
        let words = ["zigbuild", "--release", "--locked", "--offline", "--target"];
        let mut args: Vec<OsString> = words.map(OsString::from).to_vec();
        args.push(self.target.with_version().into());
        args.extend(self.manifest(site));
        args.extend(["--target-dir".into(), target_dir.clone().into()]);
        let command = (zig.cargo_zigbuild.clone(), args);
        let process = self.process(site, zig, command, "compile", step);
        process.run().map_err(|failure| self.with_help(failure, site))?;
        let built = target_dir.join(self.target.triple()).join("release");
        for program in &self.programs {
            fs_err::copy(built.join(program), out.join(program)).map_err(|e| {
                let crate_dir = self.crate_dir.display();
                let message = format!("{crate_dir} does not build the program `{program}`: {e}");
                Failure::new(Class::Compile, message)
                    .help("check the asset's `source` and the crate's [[bin]]")
            })?;
        }
        Ok(())
    }

    fn manifest(&self, site: &Site<'_>) -> [OsString; 2] {
        let path = site.workspace.root.join(&self.crate_dir).join("Cargo.toml");
        ["--manifest-path".into(), path.into()]
    }

    fn process<'a>(
        &self,
        site: &Site<'a>,
        zig: &Zig,
        (program, args): (PathBuf, Vec<OsString>),
        what: &str,
        step: &'a str,
    ) -> Process<'a> {
        let name = self.crate_dir.file_name().unwrap_or_default().to_string_lossy();
        let mut program = Program::new(program);
        program.args(args).current_dir(&site.workspace.root);
        program.envs(self.environment(site.workspace, zig)).without(steers_the_build);
        site.toolchain.choose(&mut program);
        site.process(program, format!("{what}-{name}.log"), Class::Compile, step)
    }

    fn with_help(&self, failure: Failure, site: &Site<'_>) -> Failure {
        let says = |text: &str| failure.last_lines.iter().any(|l| l.contains(text));
        if says("can't find crate for `core`") || says("can't find crate for `std`") {
            return failure.help(site.toolchain.how_to_add(self.target));
        }
        if says("needs to be updated but --locked") {
            return failure.help("run `cargo update --workspace` and commit Cargo.lock");
        }
        failure.help("mend the program's source; everything else that was built is kept")
    }

    /// The environment of the compiler. Paths of this machine do not get into the programs, so that every checkout
    /// builds the same bytes.
    fn environment(&self, workspace: &Workspace, zig: &Zig) -> Vec<(OsString, OsString)> {
        let cargo_home = std::env::var_os("CARGO_HOME")
            .map(PathBuf::from)
            .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
        let remap = |from: &Path, to: &str| format!("--remap-path-prefix={}={to}", from.display());
        let mut flags = vec![remap(&workspace.root, "/src")];
        flags.extend(cargo_home.map(|home| remap(&home, "/cargo")));
        vec![
            ("CARGO_ENCODED_RUSTFLAGS".into(), flags.join("\x1f").into()),
            ("CARGO_ZIGBUILD_ZIG_PATH".into(), zig.zig.clone().into()),
            ("CARGO_ZIGBUILD_CACHE_DIR".into(), workspace.state.join("zigbuild").into()),
            ("SOURCE_DATE_EPOCH".into(), "0".into()),
            ("LC_ALL".into(), "C".into()),
        ]
    }
}
