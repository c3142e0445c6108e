//! Checks for faults with which a program still runs, but which no package should have: library search paths (RPATH), and paths of
//! the build machine. rpmbuild has checks of both: check-rpaths and check-buildroot.
//!
//! Each fault is an error, unless `waive` in package.toml names the check and the file, with a reason.

mod paths;
mod rpath;

use std::fmt;

use crate::{
    Result,
    deps::FileFacts,
    spec::{LintRule, Package, printable},
    stage::{Entry, EntryKind, StagedRoot},
};

/// The folders that a build has used.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// Folders that hosts do not have. No link, no `#!` line and no RPATH may lead there.
    pub foreign: Vec<String>,
    /// Folders of this build. No text file may contain their paths.
    pub in_text: Vec<String>,
    /// Folders whose paths no file may contain, text or binary: the staged root. (Binaries may contain the names of
    /// source files. Compilers write them, and gcc 4.8 has no option against it.)
    pub in_any: Vec<String>,
}

/// A result of [`check`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// A fault of a file.
    Fault {
        /// The rule.
        check: LintRule,
        /// Path in the package, or the name of a scriptlet.
        file: String,
        /// The rest of the message, after the path.
        what: String,
    },
    /// An entry of `waive` that matches no fault.
    Unused {
        /// The rule.
        check: LintRule,
        /// File or pattern, as written.
        file: String,
    },
}

impl Finding {
    /// What the author can do about it.
    pub fn help(&self) -> String {
        match self {
            Self::Fault { check, file, .. } => format!(
                "mend it in the build, or let it pass in package.toml: \
                 waive = [{{ check = \"{}\", file = \"{}\", reason = \"...\" }}]",
                check.as_str(),
                printable(file)
            ),
            Self::Unused { .. } => {
                "take the entry out of `waive`, so that it hides no later fault".into()
            }
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault { check, file, what } => {
                write!(f, "{}: {} {}", check.as_str(), printable(file), printable(what))
            }
            Self::Unused { check, file } => {
                write!(
                    f,
                    "waive: no file that `{file}` matches has a fault of the kind {}",
                    check.as_str()
                )
            }
        }
    }
}

/// Checks the files in `root`, and the author's scriptlets. Returns the faults that no waiver covers, and the waivers that
/// cover no fault. `facts` are those that [`crate::deps::discover`] found for `root`.
///
/// # Errors
/// An I/O error that names the file.
pub fn check(
    package: &Package,
    root: &StagedRoot,
    facts: &[FileFacts],
    places: &Places,
) -> Result<Vec<Finding>> {
    let search = paths::Search::new(places)?;
    let mut used = vec![false; package.waive.len()];
    let mut findings = Vec::new();
    let mut judge = |check, file: &str, what| {
        let mut waived = false;
        for (waiver, used) in package.waive.iter().zip(&mut used) {
            if waiver.covers(check, file) {
                (waived, *used) = (true, true);
            }
        }
        if !waived {
            findings.push(Finding::Fault { check, file: file.to_owned(), what });
        }
    };
    for (entry, facts) in root.entries.iter().zip(facts) {
        for (check, what) in faults(entry, facts, places, &search)? {
            judge(check, &entry.path, what);
        }
    }
    for (name, script) in package.scripts.named() {
        let Some(what) = search.of_script(script) else { continue };
        judge(LintRule::BuildPath, name, what);
    }
    let unused = package.waive.iter().zip(used).filter(|(_, used)| !used);
    findings.extend(unused.map(|(w, _)| Finding::Unused { check: w.check, file: w.file.clone() }));
    Ok(findings)
}

fn faults(
    entry: &Entry,
    facts: &FileFacts,
    places: &Places,
    search: &paths::Search,
) -> Result<Vec<(LintRule, String)>> {
    let mut found = Vec::new();
    if let Some(elf) = &facts.elf {
        for list in &elf.rpaths {
            found.extend(rpath::faults(list).into_iter().map(|what| (LintRule::Rpath, what)));
            let leads = paths::of_rpath(list, &entry.path, places);
            found.extend(leads.map(|what| (LintRule::BuildPath, what)));
        }
    }
    let what = match &entry.kind {
        EntryKind::Link { target } => paths::of_link(target, &entry.path, places),
        EntryKind::File { source, .. } => search.of_file(source)?,
        EntryKind::Dir | EntryKind::Ghost => None,
    };
    found.extend(what.map(|what| (LintRule::BuildPath, what)));
    Ok(found)
}
