//! A package as its author described it: checked, with all defaults applied.

use std::path::PathBuf;

use regex::Regex;
use rpm::{FileFlags, FileVerifyFlags};

use super::{Dependency, Scripts, Waiver};

/// One RPM to be made.
#[derive(Clone, Debug)]
pub struct Package {
    /// Name of the RPM.
    pub name: String,
    /// Epoch; almost always `None`.
    pub epoch: Option<u32>,
    /// Version, without a hyphen.
    pub version: String,
    /// Release, with the distribution's suffix: `1.el7`.
    pub release: String,
    /// What it runs on.
    pub arch: Arch,
    /// One line.
    pub summary: String,
    /// Some paragraphs.
    pub description: String,
    /// Licence, by the name that the distribution uses for it.
    pub license: String,
    /// Home page.
    pub url: Option<String>,
    /// Who distributes it.
    pub vendor: Option<String>,
    /// Who packaged it.
    pub packager: Option<String>,
    /// RPM group; yum 3.4.3 shows it.
    pub group: String,
    /// Requires written by the author; the discovered ones come later.
    pub requires: Vec<Dependency>,
    /// Provides written by the author.
    pub provides: Vec<Dependency>,
    /// Conflicts.
    pub conflicts: Vec<Dependency>,
    /// Obsoletes.
    pub obsoletes: Vec<Dependency>,
    /// Whether dependencies are read from the files.
    pub auto_req: bool,
    /// Discovered dependencies that are left out.
    pub exclude: Excludes,
    /// Whether `/bin/sh` is required even when no scriptlet or file asks for it, as
    /// cargo-generate-rpm does unless told not to. Off here unless asked for.
    pub require_sh: bool,
    /// Scriptlets written out by the author.
    pub scripts: Scripts,
    /// systemd units of the package that the scriptlets look after.
    pub units: Vec<String>,
    /// System accounts made before the files are laid down.
    pub users: Vec<User>,
    /// Run ldconfig after changes.
    pub ldconfig: bool,
    /// Let a running firewalld read its definitions again after changes.
    pub firewalld: bool,
    /// What becomes of symbols and debug information.
    pub symbols: Symbols,
    /// What the gate lets pass.
    pub waive: Vec<Waiver>,
    /// Whether the RPM may be given to others.
    pub redistributable: bool,
    /// The files.
    pub assets: Vec<Asset>,
    /// Newest first. The newest date is the package's build time.
    pub changelog: Vec<ChangelogEntry>,
    /// The description's folder; relative paths of assets start there.
    pub spec_dir: PathBuf,
    /// The crate whose program is packaged, relative to the workspace.
    pub crate_dir: Option<PathBuf>,
}

impl Package {
    /// `[epoch:]version-release`, as dependencies spell it.
    pub fn evr(&self) -> String {
        let epoch = self.epoch.map(|e| format!("{e}:")).unwrap_or_default();
        format!("{epoch}{}-{}", self.version, self.release)
    }

    /// `name-version-release.arch`, which has no epoch.
    pub fn nvra(&self) -> String {
        format!("{}-{}-{}.{}", self.name, self.version, self.release, self.arch.as_str())
    }

    /// Name of the RPM's file: `name-version-release.arch.rpm`, as rpmbuild names it.
    pub fn file_name(&self) -> String {
        format!("{}.rpm", self.nvra())
    }

    /// The package `NAME-debuginfo` beside this one, as rpm 4.11's `%debug_package` describes it.
    /// `asked`: for this very package.
    pub(super) fn debuginfo(&self, asked: bool) -> Self {
        let name = &self.name;
        Self {
            name: format!("{name}-debuginfo"),
            summary: format!("Debug information for package {name}"),
            description: format!(
                "This package provides debug information for package {name}.\n\
                 Debug information is useful when developing applications that use this\n\
                 package or when debugging this package."
            ),
            group: "Development/Debug".into(),
            requires: Vec::new(),
            provides: Vec::new(),
            conflicts: Vec::new(),
            obsoletes: Vec::new(),
            auto_req: false,
            require_sh: false,
            scripts: Scripts::default(),
            units: Vec::new(),
            users: Vec::new(),
            ldconfig: false,
            firewalld: false,
            symbols: Symbols::DebugInfo { asked },
            waive: Vec::new(),
            ..self.clone()
        }
    }

    /// Names of the programs that the compile step must produce.
    pub fn programs(&self) -> impl Iterator<Item = &str> {
        self.assets.iter().filter_map(|a| match &a.content {
            Content::Files { pattern, base: Base::Build, .. } => Some(pattern.as_str()),
            _ => None,
        })
    }

    /// Noon UTC of the newest changelog entry, in seconds since 1970: the time that everything in
    /// the package bears, so that it depends on no clock.
    pub fn source_date(&self) -> u32 {
        self.changelog.iter().map(|c| c.time).max().unwrap_or(0)
    }
}

/// What an RPM runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arch {
    /// CentOS 7's main architecture.
    X86_64,
    /// No machine code inside.
    Noarch,
}

impl Arch {
    /// As in the file's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Noarch => "noarch",
        }
    }
}

/// What a package does with the symbols and debug information of its programs and libraries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Symbols {
    /// Leaves them in.
    Kept,
    /// Takes them out; `linked`: with a link to where they are, in the package beside it.
    Stripped {
        /// Whether a `-debuginfo` package has them.
        linked: bool,
    },
    /// Holds them and nothing else: this is the package beside it.
    DebugInfo {
        /// Whether it was asked for by the package's own table. For one that `[common]` asks for, it is no fault
        /// if there is no debug information: then there is no such package.
        asked: bool,
    },
}

/// One `%changelog` entry.
#[derive(Clone, Debug)]
pub struct ChangelogEntry {
    /// Noon UTC of the day, in seconds since 1970, as rpmbuild writes it.
    pub time: u32,
    /// `Name <address> - version-release`
    pub author: String,
    /// The lines, each beginning with `- `.
    pub text: String,
}

/// Regular expressions for discovered dependencies that a package does not show: the libraries
/// that it keeps to itself, say. Found anywhere in the text, as rpm's `__provides_exclude` and its
/// kin are.
#[derive(Clone, Debug, Default)]
pub struct Excludes {
    /// On names of requirements.
    pub requires: Vec<Regex>,
    /// On names of what is offered.
    pub provides: Vec<Regex>,
    /// On paths of files whose requirements are left out.
    pub requires_from: Vec<Regex>,
    /// On paths of files that offer nothing.
    pub provides_from: Vec<Regex>,
}

/// A system account.
#[derive(Clone, Debug)]
pub struct User {
    /// Login name.
    pub name: String,
    /// Primary group.
    pub group: String,
    /// Home directory; not created by the account.
    pub home: String,
    /// Full name.
    pub comment: String,
    /// Login shell.
    pub shell: String,
}

/// One entry of `assets`.
#[derive(Clone, Debug)]
pub struct Asset {
    /// What is put there.
    pub content: Content,
    /// Where: absolute; a directory if it ends in `/`.
    pub dest: String,
    /// Permission bits. `None`: of what a build staged, its own; of source files, 0755 for what
    /// its owner may execute, 0644 otherwise.
    pub mode: Option<u16>,
    /// Owner.
    pub user: String,
    /// Group.
    pub group: String,
    /// `%config`, `%doc`, ...
    pub(crate) flags: FileFlags,
    /// File capabilities in libcap's notation.
    pub caps: Option<String>,
    /// What `rpm -V` does not look at.
    pub(crate) unverified: FileVerifyFlags,
}

/// What an asset puts into the package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Files that match this pattern.
    Files {
        /// Path or pattern, relative to `base`.
        pattern: String,
        /// Which folder the pattern starts from.
        base: Base,
        /// Patterns of what is left out, from the same folder.
        exclude: Vec<String>,
    },
    /// What the build put into its staged root at this path, and stays there: a directory with
    /// all below it, like a line of rpmbuild's `%files`.
    Staged {
        /// Path or pattern, without its first `/`.
        pattern: String,
        /// Patterns of what is left out.
        exclude: Vec<String>,
    },
    /// An owned directory.
    Dir,
    /// A symbolic link to this target.
    Link(String),
    /// A file that is owned but not shipped.
    Ghost,
}

/// Where the files of an asset come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// The folder of package.toml.
    Spec,
    /// The crate's folder.
    Crate,
    /// What the compile step produced.
    Build,
}
