//! The house rules of who uses whom, read from the `use` items, paths and Cargo.toml of every crate:
//!
//! - Files of a crate do not use each other in a circle, and neither do sibling modules (a folder counts as
//!   one). A re-export (`pub use`) is looked through: what counts is the file that defines the item.
//! - One exception: a child module may use the *types* that its parent's file defines while the parent uses the
//!   child, since the two tell one story. Functions and constants that both want go into a file below both.
//! - Each crate uses only those below it: see [`ALLOWED`].
//!
//! Code under `#[cfg(test)]` and in tests/ may look at everything.

mod circles;
mod examples;
mod reader;

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    path::{Path, PathBuf},
};

use reader::{Files, Uses};

/// The folders of crates, and the crates that each may use.
const ALLOWED: [(&str, &[&str]); 8] = [
    ("rpm", &[]),
    ("base", &["el7rpm"]),
    ("sources", &["base", "el7rpm"]),
    ("builders", &["base", "el7rpm", "sources"]),
    ("pipeline", &["base", "builders", "el7rpm", "sources"]),
    ("xtask", &["base", "builders", "el7rpm", "pipeline", "sources"]),
    ("host/calico-mesos", &[]),
    ("host/mesos-init-wrapper", &[]),
];

/// Crates of the workspace without code to judge: this test.
const NOT_JUDGED: [&str; 1] = ["tests/layers"];

type TestResult = Result<(), Box<dyn Error>>;

/// The names of the workspace's crates, as code spells them.
fn crates() -> BTreeSet<String> {
    let names = [
        "el7rpm",
        "base",
        "sources",
        "builders",
        "pipeline",
        "xtask",
        "calico_mesos",
        "mesos_init_wrapper",
    ];
    names.map(str::to_owned).into()
}

/// The forbidden uses in the crate `name`.
fn faults(name: &str, allowed: &[&str], uses: &Uses) -> Vec<String> {
    let foreign =
        uses.crates.iter().filter(|(_, other)| other != name && !allowed.contains(&&**other));
    let foreign = foreign.map(|(file, other)| {
        format!("{} uses the crate {other}, which is not below {name}", file.display())
    });
    foreign.chain(circles::circles(&uses.files)).collect()
}

/// The crates of the workspace among all dependencies that a Cargo.toml names, those of tests included.
fn dependencies(manifest: &toml::Table) -> BTreeSet<String> {
    let target = manifest.get("target").and_then(toml::Value::as_table);
    let levels = target.into_iter().flat_map(|t| t.values()).filter_map(toml::Value::as_table);
    let tables = std::iter::once(manifest).chain(levels).flat_map(|level| {
        ["dependencies", "dev-dependencies", "build-dependencies"]
            .into_iter()
            .filter_map(|kind| level.get(kind)?.as_table())
    });
    let names = tables.flat_map(|table| table.keys()).map(|name| name.replace('-', "_"));
    names.filter(|name| crates().contains(name)).collect()
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn table(path: &Path) -> Result<toml::Table, Box<dyn Error>> {
    Ok(fs_err::read_to_string(path)?.parse()?)
}

fn files(src: &Path) -> Result<Files, Box<dyn Error>> {
    let mut files = BTreeMap::new();
    for entry in walkdir::WalkDir::new(src) {
        let path = entry?.into_path();
        if path.extension().is_some_and(|e| e == "rs") {
            let text = fs_err::read_to_string(&path)?;
            files.insert(path.strip_prefix(src)?.to_owned(), text);
        }
    }
    Ok(files)
}

#[test]
fn no_file_uses_what_is_not_below_it() -> TestResult {
    let mut found = Vec::new();
    for (folder, allowed) in ALLOWED {
        let dir = workspace().join(folder);
        let manifest = table(&dir.join("Cargo.toml"))?;
        let name = manifest["package"]["name"].as_str().ok_or("no name")?.replace('-', "_");
        for other in dependencies(&manifest) {
            if !allowed.contains(&&*other) {
                found.push(format!("{folder}/Cargo.toml names {other}, which is not below {name}"));
            }
        }
        let files = files(&dir.join("src"))?;
        let roots = ["lib.rs", "main.rs"].into_iter().filter(|r| files.contains_key(Path::new(r)));
        for root in roots {
            let uses = reader::read(&files, root, &crates());
            found
                .extend(faults(&name, allowed, &uses).iter().map(|f| format!("{folder}/src: {f}")));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n\n"));
    Ok(())
}

#[test]
fn every_crate_of_the_workspace_is_checked() -> TestResult {
    let manifest = table(&workspace().join("Cargo.toml"))?;
    let mut members = BTreeSet::new();
    for member in manifest["workspace"]["members"].as_array().into_iter().flatten() {
        let member = member.as_str().ok_or("not a text")?;
        let Some(folder) = member.strip_suffix("/*") else {
            members.insert(member.to_owned());
            continue;
        };
        for entry in fs_err::read_dir(workspace().join(folder))? {
            let entry = entry?;
            if entry.path().join("Cargo.toml").is_file() {
                members.insert(format!("{folder}/{}", entry.file_name().to_string_lossy()));
            }
        }
    }
    let known = ALLOWED.iter().map(|(folder, _)| *folder).chain(NOT_JUDGED);
    assert_eq!(members, known.map(str::to_owned).collect());
    Ok(())
}
