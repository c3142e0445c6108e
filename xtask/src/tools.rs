//! zig and cargo-zigbuild, which build for CentOS 7's old glibc on any machine.
//!
//! They come as Python packages, pinned by hash in `tools/requirements.txt`, into a folder of
//! their own under target/: nothing of the machine's is touched.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use crate::{
    events::{Event, Reporter},
    failure::{Class, Classify, Failure, Result},
    key::KeyBuilder,
    process::Process,
    workspace::Workspace,
};

const REQUIREMENTS: &str = include_str!("../tools/requirements.txt");

/// Where the two programs are.
#[derive(Clone, Debug)]
pub(crate) struct Zig {
    pub(crate) cargo_zigbuild: PathBuf,
    pub(crate) zig: PathBuf,
    /// What tells these programs from others, for step keys.
    pub(crate) identity: String,
}

impl Zig {
    /// The pinned ones if they are installed, else those on PATH, else the place where the pinned
    /// ones will be.
    pub(crate) fn locate(workspace: &Workspace) -> Self {
        let pinned = Self::pinned(workspace);
        if pinned.is_there() {
            return pinned;
        }
        Self::on_path().unwrap_or(pinned)
    }

    pub(crate) fn is_there(&self) -> bool {
        self.cargo_zigbuild.is_file() && self.zig.is_file()
    }

    fn pinned(workspace: &Workspace) -> Self {
        let key = KeyBuilder::new("tools", 1).text("requirements", REQUIREMENTS).finish();
        let dir = workspace.state.join("tools").join(key.short());
        Self {
            cargo_zigbuild: dir.join("bin/cargo-zigbuild"),
            zig: dir.join("ziglang/zig"),
            identity: key.to_string(),
        }
    }

    fn on_path() -> Option<Self> {
        let (cargo_zigbuild, zig) = (on_path("cargo-zigbuild")?, on_path("zig")?);
        let stamp = |p: &Path| {
            let meta = fs_err::metadata(p).ok()?;
            Some(format!("{} {} {:?}", p.display(), meta.len(), meta.modified().ok()))
        };
        let identity = format!("{} {}", stamp(&cargo_zigbuild)?, stamp(&zig)?);
        Some(Self { cargo_zigbuild, zig, identity })
    }
}

/// The first program of this name on PATH.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|p| p.is_file())
}

/// Installs the pinned programs.
pub(crate) fn install(
    workspace: &Workspace,
    offline: bool,
    step: &str,
    reporter: &dyn Reporter,
) -> Result<Zig> {
    let zig = Zig::pinned(workspace);
    let missing = |message: &str| {
        Failure::new(Class::Tool, message).help(
            "install Python's pip (Debian: apt-get install python3-pip), or zig and cargo-zigbuild yourself",
        )
    };
    if offline {
        return Err(missing(
            "zig and cargo-zigbuild are not installed, and --offline forbids to fetch them",
        ));
    }
    let python = on_path("python3")
        .ok_or_else(|| missing("there is no python3 to install zig and cargo-zigbuild with"))?;
    let tmp = workspace.tmp().join("tools");
    fs_err::create_dir_all(&tmp).class(Class::Output)?;
    let list = workspace.tmp().join("requirements.txt");
    fs_err::write(&list, REQUIREMENTS).class(Class::Output)?;
    let words = ["-m", "pip", "install", "--require-hashes", "--no-deps", "--only-binary", ":all:"];
    let quiet = ["--disable-pip-version-check", "--no-input", "--no-warn-script-location"];
    let mut args: Vec<OsString> = words.iter().chain(&quiet).map(OsString::from).collect();
    args.extend(["--root-user-action=ignore".into(), "--target".into(), tmp.clone().into()]);
    args.extend(["--requirement".into(), list.into()]);
    let process = Process {
        program: python,
        args,
        dir: &workspace.root,
        set: Vec::new(),
        removed: |_| false,
        log: workspace.logs().join("tools.log"),
        class: Class::Tool,
    };
    process.run(|line| reporter.event(&Event::StepOutput { step, line })).map_err(
        |mut failure| {
            failure.message = "pip could not install zig and cargo-zigbuild".into();
            failure.help.clone_from(&missing("").help);
            failure
        },
    )?;
    let dir = zig.cargo_zigbuild.ancestors().nth(2).unwrap_or(&workspace.state);
    fs_err::create_dir_all(workspace.state.join("tools")).class(Class::Output)?;
    if dir.exists() {
        fs_err::remove_dir_all(dir).class(Class::Output)?;
    }
    fs_err::rename(&tmp, dir).class(Class::Output)?;
    match zig.is_there() {
        true => Ok(zig),
        false => {
            Err(missing("the Python packages do not hold zig and cargo-zigbuild where they should"))
        }
    }
}
