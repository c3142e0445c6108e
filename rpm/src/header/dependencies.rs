//! Requires, Provides, Conflicts and Obsoletes: those that the author wrote, those found in files, and those that follow from
//! both. They stand in rpmbuild's order, with a dictionary that says from which file each comes.

use rpm::{DependencyFlags as F, FileFlags, IndexTag as T};

use super::{Parts, Tags};
use crate::{
    deps::FileFacts,
    payload::{Format, Inodes},
    scriptlet::Scriptlets,
    spec::{Dependency, Package},
    stage::StagedRoot,
};

/// All dependencies of a package: sorted, without repetition.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dependencies {
    /// Requires.
    pub(crate) requires: Vec<Dependency>,
    /// Provides.
    pub(crate) provides: Vec<Dependency>,
    /// Conflicts.
    pub(crate) conflicts: Vec<Dependency>,
    /// Obsoletes.
    pub(crate) obsoletes: Vec<Dependency>,
}

impl Dependencies {
    /// Joins the author's dependencies, those of the files, and those that follow from both.
    pub(crate) fn of(
        package: &Package,
        root: &StagedRoot,
        facts: &[FileFacts],
        inodes: &Inodes,
        scriptlets: &Scriptlets,
        format: Format,
    ) -> Self {
        let mut requires = package.requires.clone();
        let mut provides = package.provides.clone();
        requires.extend(scriptlets.requires.iter().cloned());
        if package.require_sh {
            requires.push(Dependency::any("/bin/sh", F::ANY));
        }
        if package.auto_req {
            requires.extend(facts.iter().flat_map(|f| f.requires.iter().cloned()));
            provides.extend(facts.iter().flat_map(|f| f.provides.iter().cloned()));
        }
        let evr = package.evr();
        provides.extend(package.identities());
        if root.entries.iter().any(|e| e.flags.contains(FileFlags::CONFIG)) {
            let own = Dependency::exact(format!("config({})", package.name), &evr, F::CONFIG);
            requires.push(own.clone());
            provides.push(own);
        }
        requires.extend(features(package, root, inodes, scriptlets, format));
        Self {
            requires: tidy(requires),
            provides: tidy(provides),
            conflicts: tidy(package.conflicts.clone()),
            obsoletes: tidy(package.obsoletes.clone()),
        }
    }
}

fn tidy(mut list: Vec<Dependency>) -> Vec<Dependency> {
    list.sort_by(|a, b| a.sort_key().cmp(&b.sort_key()));
    list.dedup();
    list
}

/// The `rpmlib()` requirements for the features that the package uses, each with the version of rpm
/// that introduced it. rpm 4.11.3 has all of them.
fn features(
    package: &Package,
    root: &StagedRoot,
    inodes: &Inodes,
    scriptlets: &Scriptlets,
    format: Format,
) -> Vec<Dependency> {
    let all = || {
        package
            .requires
            .iter()
            .chain(&package.provides)
            .chain(&package.conflicts)
            .chain(&package.obsoletes)
    };
    let tilde = package.version.contains('~')
        || package.release.contains('~')
        || all().any(|d| d.version.contains('~'));
    let features = [
        ("CompressedFileNames", "3.0.4-1", true),
        ("FileDigests", "4.6.0-1", true),
        ("PayloadFilesHavePrefix", "4.0-1", true),
        ("PayloadIsXz", "5.2-1", format == Format::Xz),
        ("PartialHardlinkSets", "4.0.4-1", inodes.links.iter().any(|n| *n > 1)),
        ("FileCaps", "4.6.1-1", root.entries.iter().any(|e| e.caps.is_some())),
        ("TildeInVersions", "4.10.0-1", tilde),
        ("BuiltinLuaScripts", "4.2.2-1", scriptlets.iter().any(|(_, s)| s.program[0] == "<lua>")),
        (
            "ScriptletInterpreterArgs",
            "4.0.3-1",
            scriptlets.iter().any(|(_, s)| s.program.len() > 1),
        ),
        ("ScriptletExpansion", "4.9.0-1", scriptlets.iter().any(|(_, s)| s.flags != 0)),
    ];
    let used = features.into_iter().filter(|(_, _, used)| *used);
    used.map(|(name, version, _)| Dependency {
        name: format!("rpmlib({name})"),
        flags: F::RPMLIB | F::LESS | F::EQUAL,
        version: version.into(),
    })
    .collect()
}

pub(super) fn write(tags: &mut Tags, parts: &Parts<'_>) {
    let own = parts.dependencies;
    list(
        tags,
        &own.provides,
        [T::RPMTAG_PROVIDENAME, T::RPMTAG_PROVIDEFLAGS, T::RPMTAG_PROVIDEVERSION],
    );
    list(
        tags,
        &own.requires,
        [T::RPMTAG_REQUIRENAME, T::RPMTAG_REQUIREFLAGS, T::RPMTAG_REQUIREVERSION],
    );
    list(
        tags,
        &own.conflicts,
        [T::RPMTAG_CONFLICTNAME, T::RPMTAG_CONFLICTFLAGS, T::RPMTAG_CONFLICTVERSION],
    );
    list(
        tags,
        &own.obsoletes,
        [T::RPMTAG_OBSOLETENAME, T::RPMTAG_OBSOLETEFLAGS, T::RPMTAG_OBSOLETEVERSION],
    );
    if parts.package.auto_req {
        dictionary(tags, parts);
    }
}

fn list(tags: &mut Tags, list: &[Dependency], [name, flags, version]: [T; 3]) {
    if list.is_empty() {
        return;
    }
    tags.strings(name, list.iter().map(|d| &d.name));
    tags.ints(flags, list.iter().map(|d| d.flags.bits()));
    tags.strings(version, list.iter().map(|d| &d.version));
}

/// Writes DEPENDSDICT and the two arrays that point into it. They say from which file each dependency comes.
fn dictionary(tags: &mut Tags, parts: &Parts<'_>) {
    let place = |list: &[Dependency], d: &Dependency, kind: u8| {
        let at = list.binary_search_by(|other| other.sort_key().cmp(&d.sort_key()));
        at.ok().map(|i| (u32::from(kind) << 24) | i as u32)
    };
    let mut words = Vec::new();
    let mut starts = Vec::new();
    let mut counts = Vec::new();
    for facts in parts.facts {
        let provides =
            facts.provides.iter().filter_map(|d| place(&parts.dependencies.provides, d, b'P'));
        let requires =
            facts.requires.iter().filter_map(|d| place(&parts.dependencies.requires, d, b'R'));
        let mut own: Vec<_> = provides.chain(requires).collect();
        own.sort_unstable();
        own.dedup();
        starts.push(if own.is_empty() { 0 } else { words.len() as u32 });
        counts.push(own.len() as u32);
        words.extend(own);
    }
    if words.is_empty() {
        return;
    }
    tags.ints(T::RPMTAG_FILEDEPENDSX, starts);
    tags.ints(T::RPMTAG_FILEDEPENDSN, counts);
    tags.ints(T::RPMTAG_DEPENDSDICT, words);
}
