//! A package as its author described it, checked and with all defaults filled in.

use std::path::PathBuf;

use regex::Regex;
use rpm::{DependencyFlags, FileFlags, FileVerifyFlags};

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
    /// Architecture.
    pub arch: Arch,
    /// Summary: one line.
    pub summary: String,
    /// Description: paragraphs of text.
    pub description: String,
    /// Licence, by the name that the distribution uses for it.
    pub license: String,
    /// Home page.
    pub url: Option<String>,
    /// The distributor.
    pub vendor: Option<String>,
    /// The packager.
    pub packager: Option<String>,
    /// RPM group; yum 3.4.3 shows it.
    pub group: String,
    /// The requirements that the author wrote. Those of the files are added by [`crate::package::Prepared`].
    pub requires: Vec<Dependency>,
    /// The provisions that the author wrote.
    pub provides: Vec<Dependency>,
    /// Conflicts.
    pub conflicts: Vec<Dependency>,
    /// Obsoletes.
    pub obsoletes: Vec<Dependency>,
    /// Whether dependencies are found in the files.
    pub auto_req: bool,
    /// Which of the dependencies found in the files are removed again.
    pub exclude: Excludes,
    /// Whether `/bin/sh` is required even if no scriptlet or file needs it. The default is `false`, and `true` in
    /// cargo-generate-rpm.
    pub require_sh: bool,
    /// The scriptlets that the author wrote.
    pub scripts: Scripts,
    /// systemd units that the generated scriptlets enable, restart and stop as CentOS 7's own packages do.
    pub units: Vec<String>,
    /// System accounts that are created before the files are installed.
    pub users: Vec<Account>,
    /// Whether the scriptlets run ldconfig.
    pub ldconfig: bool,
    /// Whether the scriptlets make a running firewalld reload its definitions if they have changed.
    pub firewalld: bool,
    /// What is done with symbols and debug information.
    pub symbols: Symbols,
    /// Faults that the lints accept.
    pub waive: Vec<Waiver>,
    /// Whether the RPM may be given to others.
    pub redistributable: bool,
    /// The files.
    pub assets: Vec<Asset>,
    /// Newest first. The newest date is the package's build time.
    pub changelog: Vec<ChangelogEntry>,
    /// The folder of package.toml. Relative paths of assets start there.
    pub spec_dir: PathBuf,
    /// Folder of the crate whose programs are packaged, relative to the workspace.
    pub crate_dir: Option<PathBuf>,
}

impl Package {
    /// `[epoch:]version-release`, as dependencies spell it.
    pub fn evr(&self) -> String {
        let epoch = self.epoch.map(|e| format!("{e}:")).unwrap_or_default();
        format!("{epoch}{}-{}", self.version, self.release)
    }

    /// What each package provides by being itself: its name, and on x86_64 its name with the architecture.
    pub fn identities(&self) -> Vec<Dependency> {
        let own = |name: String| Dependency::exact(name, &self.evr(), DependencyFlags::ANY);
        let mut all = vec![own(self.name.clone())];
        if self.arch == Arch::X86_64 {
            all.push(own(format!("{}(x86-64)", self.name)));
        }
        all
    }

    /// `name-version-release.arch`, which has no epoch.
    pub fn nvra(&self) -> String {
        format!("{}-{}-{}.{}", self.name, self.version, self.release, self.arch.as_str())
    }

    /// Name of the RPM's file: `name-version-release.arch.rpm`, as rpmbuild names it.
    pub fn file_name(&self) -> String {
        format!("{}.rpm", self.nvra())
    }

    /// The package `NAME-debuginfo` for this one, with the texts of rpm 4.11's `%debug_package`.
    /// `asked`: whether this package's own table has `debuginfo = true`.
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

    /// Noon UTC of the newest changelog entry, in seconds since 1970. It is the build time, and the time of all files,
    /// so that the package does not depend on the clock.
    pub fn source_date(&self) -> u32 {
        self.changelog.iter().map(|c| c.time).max().unwrap_or(0)
    }
}

/// Architecture of an RPM.
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
    /// Leaves them in the files.
    Kept,
    /// Takes them out of the files.
    Stripped {
        /// Whether a `-debuginfo` package has them. The files then have a link (`.gnu_debuglink`) to it.
        linked: bool,
    },
    /// This is a `-debuginfo` package, which has nothing else.
    DebugInfo {
        /// Whether `debuginfo = true` is in the package's own table. If it is in `[common]` only, no debug information
        /// is no error, and the package is not made.
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

/// Regular expressions for dependencies that were found in files and are removed again, such as
/// private libraries. They match anywhere in the text, as those of rpm's `__provides_exclude` and similar macros.
#[derive(Clone, Debug, Default)]
pub struct Excludes {
    /// For names of requirements.
    pub requires: Vec<Regex>,
    /// For names of provisions.
    pub provides: Vec<Regex>,
    /// For paths of files whose requirements are all removed.
    pub requires_from: Vec<Regex>,
    /// For paths of files whose provisions are all removed.
    pub provides_from: Vec<Regex>,
}

/// A system account.
#[derive(Clone, Debug)]
pub struct Account {
    /// Login name.
    pub name: String,
    /// Primary group.
    pub group: String,
    /// Home directory. Creating the account does not create it.
    pub home: String,
    /// Full name.
    pub comment: String,
    /// Login shell.
    pub shell: String,
}

/// One entry of `assets`.
#[derive(Clone, Debug)]
pub struct Asset {
    /// The kind of the asset, with its patterns.
    pub content: Content,
    /// Absolute path on the host. If it ends in `/`, it is the directory that files are put into.
    pub dest: String,
    /// Permission bits. `None`: staged files keep their mode; source files get 0755 if
    /// their owner may execute them, and 0644 otherwise.
    pub mode: Option<u16>,
    /// Owner.
    pub user: String,
    /// Group.
    pub group: String,
    /// `%config`, `%doc`, ...
    pub(crate) flags: FileFlags,
    /// File capabilities in libcap's notation.
    pub caps: Option<String>,
    /// Attributes that `rpm -V` does not verify.
    pub(crate) unverified: FileVerifyFlags,
}

/// The kinds of assets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Files that match this pattern.
    Files {
        /// Path or pattern, relative to `base`.
        pattern: String,
        /// The folder that the pattern is relative to.
        base: Base,
        /// Patterns of files that are left out, relative to the same folder.
        exclude: Vec<String>,
    },
    /// Files that the build has installed into its staged root; they keep their paths. A directory includes
    /// everything below it, as in a line of rpmbuild's `%files`.
    Staged {
        /// Path or pattern, without its first `/`.
        pattern: String,
        /// Patterns of files that are left out.
        exclude: Vec<String>,
    },
    /// A directory that the package owns.
    Dir,
    /// A symbolic link to this target.
    Link(String),
    /// A file that the package owns but does not contain.
    Ghost,
}

/// The folder that the `source` of an asset is relative to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// The folder of package.toml.
    Spec,
    /// The crate's folder.
    Crate,
    /// The result of the compile step.
    Build,
}
