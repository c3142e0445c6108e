//! The choice of packages, compared with the choice of libsolv, which dnf uses: the same repository, the same wishes.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Command,
};

use crate::{
    fixtures::PackageFolder,
    support::{self, libsolv, numbers::Numbers},
};

/// How many names packages have.
const NAMES: u64 = 40;
/// How many names several packages provide.
const FEATURES: u64 = 6;
const WISHES: usize = 50;

fn name(number: u64) -> String {
    format!("p{number:02}")
}

/// The description of a package with random dependencies.
fn package(number: u64, version: u64, random: &mut Numbers) -> String {
    let mut requires = BTreeMap::new();
    for _ in 0..random.below(4) {
        let other = random.below(NAMES);
        let versions = match random.below(6) {
            0 => format!(">= {}", 1 + random.below(3)),
            1 => format!("< {}", 2 + random.below(3)),
            2 => format!("= {}-1", 1 + random.below(2)),
            _ => "*".to_owned(),
        };
        requires.insert(name(other), versions);
    }
    if random.once_in(3) {
        let feature = random.below(FEATURES);
        let versions = if random.once_in(2) { "*" } else { ">= 1" };
        requires.insert(format!("feature{feature}"), versions.to_owned());
    }
    requires.remove(&name(number));
    let table = |entries: &BTreeMap<String, String>| {
        let all = entries.iter().map(|(name, versions)| format!("{name} = '{versions}'"));
        all.collect::<Vec<_>>().join(", ")
    };
    let one = |kind: &str, name: String, versions: &str| {
        format!("{kind} = {{ {name} = '{versions}' }}\n")
    };
    let mut rest = String::new();
    if random.once_in(4) {
        let feature = random.below(FEATURES);
        rest += &one("provides", format!("feature{feature}"), &format!("= {version}"));
    }
    if random.once_in(8) {
        rest += &one("conflicts", name((number + 1 + random.below(NAMES - 1)) % NAMES), "< 2");
    }
    let name = name(number);
    format!(
        "[package.{name}]\nversion = '{version}'\nrelease = '1'\narch = 'noarch'\nlicense = 'x'\n\
         summary = 'x'\nrequires = {{ {} }}\n{rest}",
        table(&requires)
    )
}

/// Writes a repository of packages that require each other, indexed by createrepo_c.
fn repository(dir: &Path) {
    let mut random = Numbers(7);
    for number in 0..NAMES {
        for version in 1..=1 + random.below(3) {
            let bench = PackageFolder::new(&package(number, version, &mut random));
            let package = &bench.packages()[0];
            let unsigned = bench.unsigned(package, dir);
            let named = dir.join(format!("{}.rpm", package.nvra()));
            fs_err::rename(unsigned.path(), named).unwrap();
        }
    }
    support::ok(Command::new("createrepo_c").args(["--quiet", "--simple-md-filenames"]).arg(dir));
}

fn wishes() -> Vec<Vec<String>> {
    let mut random = Numbers(11);
    let wish = |random: &mut Numbers| {
        let count = 1 + random.below(3);
        (0..count).map(|_| name(random.below(NAMES))).collect::<BTreeSet<_>>().into_iter().collect()
    };
    (0..WISHES).map(|_| wish(&mut random)).collect()
}

#[test]
fn the_choice_is_that_of_libsolv() {
    let test = "the choice of packages";
    if !support::have(test, &["createrepo_c", "dnf"]) {
        return;
    }
    let dir = tempfile::tempdir_in(support::scratch_root()).unwrap();
    repository(dir.path());
    let universe = libsolv::universe(dir.path());
    let wishes = wishes();
    let theirs = libsolv::choices(dir.path(), &wishes);
    assert_eq!(theirs.len(), WISHES);
    let (mut solved, mut wrong) = (0, Vec::new());
    for (wish, theirs) in wishes.iter().zip(theirs) {
        let ours = libsolv::our_choice(&universe, wish);
        solved += usize::from(ours.is_some());
        if ours != theirs && !OTHERWISE.iter().any(|(known, _)| *known == wish.join(" ")) {
            wrong.push(format!("{wish:?}: ours {ours:?}, theirs {theirs:?}"));
        }
        if ours.is_some() != theirs.is_some() {
            wrong.push(format!("{wish:?}: only one of them finds a choice"));
        }
        // A choice of ours that differs is minimal, too. `resolve` itself checks that it is complete.
        if let (Some(ours), Some(theirs)) = (&ours, &theirs)
            && ours.len() > theirs.len()
        {
            wrong.push(format!("{wish:?}: ours has more packages"));
        }
    }
    // The test shows little if all wishes or no wishes can be satisfied.
    assert!((WISHES / 5..WISHES).contains(&solved), "{solved} of {WISHES} can be satisfied");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Wishes for which ours chooses another provider than libsolv, and why.
const OTHERWISE: &[(&str, &str)] = &[(
    "p03 p10 p30",
    "p10 requires p04 < 3, and p04-2 requires feature0. libsolv takes p12, with p07; ours takes p02, the first \
     of the providers in the alphabet, with p19, which p30 requires already",
)];
