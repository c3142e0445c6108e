//! zig and cargo-zigbuild, which link for musl, or for CentOS 7's old glibc, on any machine (decision 52).
//!
//! They are installed as Python packages, pinned by hash in `tools/requirements.txt`, into a folder below target/.
//! Nothing outside of it is changed.

use std::path::{Path, PathBuf};

use crate::site::Site;
use base::{
    disk::sync_all,
    failure::{Class, Classify, Failure, Result, Trouble},
    key::KeyBuilder,
    process::{Program, on_path},
    workspace::Workspace,
};

const REQUIREMENTS: &str = include_str!("../tools/requirements.txt");

/// Where the two programs are.
#[derive(Clone, Debug)]
pub struct Zig {
    /// cargo-zigbuild.
    pub cargo_zigbuild: PathBuf,
    /// zig.
    pub zig: PathBuf,
    /// Identifies these very programs in step keys.
    pub identity: String,
}

impl Zig {
    /// The pinned programs if they are installed, else those on PATH, else the paths where the pinned programs will
    /// be installed. A release uses the pinned programs only.
    pub fn locate(workspace: &Workspace, release: bool) -> Self {
        let pinned = Self::pinned(workspace);
        if release || pinned.is_there() {
            return pinned;
        }
        Self::on_path().unwrap_or(pinned)
    }

    /// Whether both are there.
    pub fn is_there(&self) -> bool {
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

/// Installs the pinned programs.
///
/// # Errors
/// [`Trouble::Unavailable`] where pip or a network is missing; anything else is a failure, wrong
/// hashes above all.
pub fn install(site: &Site<'_>, step: &str) -> Result<(), Trouble> {
    let Site { workspace, offline, .. } = *site;
    let zig = Zig::pinned(workspace);
    let missing = |message: &str, help: &str| {
        Trouble::Unavailable(Failure::new(Class::Tool, message).help(help))
    };
    if offline {
        let message =
            "zig and cargo-zigbuild are not installed, and --offline forbids to fetch them";
        return Err(missing(
            message,
            "run once without --offline, or install zig and cargo-zigbuild yourself",
        ));
    }
    let python = on_path("python3");
    let Some(python) = python.filter(|python| pip_version(python).is_some()) else {
        let help = "install Python's pip (Debian: apt-get install python3-pip), or zig and cargo-zigbuild yourself";
        return Err(missing("there is no pip to install zig and cargo-zigbuild with", help));
    };
    let tmp = workspace.tmp().join("tools");
    fs_err::create_dir_all(&tmp).class(Class::Output)?;
    let pip = pip(site, python, &tmp)?;
    site.process(pip, "tools.log", Class::Tool, step).run().map_err(trouble_of)?;
    let dir = zig.cargo_zigbuild.ancestors().nth(2).unwrap_or(&workspace.state);
    fs_err::create_dir_all(workspace.state.join("tools")).class(Class::Output)?;
    if dir.exists() {
        fs_err::remove_dir_all(dir).class(Class::Output)?;
    }
    sync_all(&tmp)?;
    fs_err::rename(&tmp, dir).class(Class::Output)?;
    match zig.is_there() {
        true => Ok(()),
        false => {
            let message =
                "the Python packages do not hold zig and cargo-zigbuild where they should";
            let help = "their layout differs from that of builders/tools/requirements.txt: install zig and \
                        cargo-zigbuild yourself, and report it";
            Err(Trouble::Failed(Failure::new(Class::Tool, message).help(help)))
        }
    }
}

/// The version line of pip, if this Python has pip.
pub fn pip_version(python: &Path) -> Option<String> {
    let mut pip = Program::new(python);
    let output = pip.args(["-m", "pip", "--version"]).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn pip(site: &Site<'_>, python: PathBuf, target: &Path) -> Result<Program> {
    let list = site.workspace.tmp().join("requirements.txt");
    fs_err::write(&list, REQUIREMENTS).class(Class::Output)?;
    let words = ["-m", "pip", "install", "--require-hashes", "--no-deps", "--only-binary", ":all:"];
    let quiet = ["--disable-pip-version-check", "--no-input", "--no-warn-script-location"];
    let mut pip = Program::new(python);
    pip.args(words).args(quiet).current_dir(&site.workspace.root);
    pip.arg("--target").arg(target).arg("--requirement").arg(list);
    pip.env("PIP_ROOT_USER_ACTION", "ignore");
    Ok(pip)
}

/// An unreachable registry makes the tools unavailable; every other error of pip is a failure.
fn trouble_of(mut failure: Failure) -> Trouble {
    let says = |text: &str| failure.last_lines.iter().any(|l| l.contains(text));
    let unreachable =
        says("Could not find a version") || says("Connection") || says("Temporary failure");
    if unreachable && !says("DO NOT MATCH THE HASHES") {
        failure.message =
            "pip could not fetch zig and cargo-zigbuild: no registry could be reached".into();
        return Trouble::Unavailable(failure.help(
            "connect to a network or set pip's index, or install zig and cargo-zigbuild yourself",
        ));
    }
    failure.message = "pip could not install zig and cargo-zigbuild".into();
    Trouble::Failed(failure.help("the log has what pip printed; nothing was installed"))
}
