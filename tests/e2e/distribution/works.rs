//! lock and root on the stand-in distribution.

use std::{collections::BTreeMap, os::unix::fs::MetadataExt, path::Path, process::Command};

use super::{Distribution, Site, read};
use crate::{
    sandbox::{Who, users},
    support::{self, libsolv, numbers::Numbers},
};

#[test]
fn the_distribution_is_locked_and_becomes_a_root() {
    let Some(distribution) = Distribution::get("the root of the stand-in distribution") else {
        return;
    };
    let site = Site::new(distribution, Who::Same, &[]);
    let text = site.ok(&["lock", "el7"]);
    let chosen = text.lines().filter(|line| line.starts_with("+ ")).count();
    assert!(chosen > 150, "{text}");
    assert!(text.contains(&format!("root.lock is written: {chosen} packages")), "{text}");
    site.ok(&["lock", "el7", "--check"]);
    let root = |args: &[&str]| {
        let json = site.ok(&[&["--json", "root", "el7"], args].concat());
        serde_json::from_str::<serde_json::Value>(json.lines().last().unwrap()).unwrap()
    };
    let made = root(&[]);
    assert_eq!(made["packages"], chosen);
    let tree = Path::new(made["folder"].as_str().unwrap());
    for path in ["bin/sh", "usr/bin/g++", "usr/include/zlib.h", "lib64/ld-linux-x86-64.so.2"] {
        assert!(tree.join(path).symlink_metadata().is_ok(), "{path}");
    }
    assert_eq!(root(&["--offline"])["digest"], made["digest"]);
}

/// What a tree has: kinds, targets of links, permissions, times and numbers of names of files. Set-id bits, which rpm alone keeps,
/// are left out.
fn entries(tree: &Path) -> BTreeMap<String, String> {
    let text = |entry: walkdir::DirEntry| {
        let meta = entry.metadata().unwrap();
        let what = match meta.file_type() {
            kind if kind.is_dir() => "folder".to_owned(),
            kind if kind.is_symlink() => {
                format!("link to {}", fs_err::read_link(entry.path()).unwrap().display())
            }
            _ => format!("{:o} {} {}", meta.mode() & 0o777, meta.mtime(), meta.nlink()),
        };
        (entry.path().strip_prefix(tree).unwrap().display().to_string(), what)
    };
    walkdir::WalkDir::new(tree).min_depth(1).into_iter().map(|e| text(e.unwrap())).collect()
}

#[test]
fn rpm_makes_the_same_tree_of_the_locked_packages() {
    let test = "the root of real packages, by rpm";
    let Some(distribution) = Distribution::get(test) else { return };
    if !support::have_as_root(test, &["rpm"]) {
        return;
    }
    let site = Site::new(distribution, Who::Same, &[]);
    site.ok(&["lock"]);
    let json = site.ok(&["--json", "root"]);
    let json: serde_json::Value = serde_json::from_str(json.lines().last().unwrap()).unwrap();
    let ours = Path::new(json["folder"].as_str().unwrap());
    let lock: toml::Table =
        toml::from_str(&read(&site.checkout.path("containers/el7/root.lock"))).unwrap();
    let packages = lock["package"].as_array().unwrap().iter();
    let packages = packages.map(|p| distribution.folder.join(p["path"].as_str().unwrap()));
    let dir = tempfile::tempdir_in(support::scratch_root()).unwrap();
    let (theirs, database) = (dir.path().join("root"), "/rpm");
    fs_err::create_dir(&theirs).unwrap();
    let mut rpm = Command::new("rpm");
    rpm.args(["--install", "--noscripts", "--nosignature", "--root"]).arg(&theirs);
    support::ok(rpm.args(["--dbpath", database]).args(packages));
    fs_err::remove_dir_all(theirs.join("rpm")).unwrap();
    let (our_entries, their_entries) = (entries(ours), entries(&theirs));
    assert!(our_entries.len() > 5000);
    for (path, entry) in &their_entries {
        assert_eq!(our_entries.get(path), Some(entry), "{path}");
        let is_file = theirs.join(path).symlink_metadata().unwrap().is_file();
        let content = |tree: &Path| fs_err::read(tree.join(path)).unwrap();
        assert!(!is_file || content(ours) == content(&theirs), "{path}");
    }
    assert_eq!(our_entries.len(), their_entries.len());
}

#[test]
fn the_choice_of_real_packages_is_that_of_libsolv() {
    let test = "the choice of real packages";
    let Some(distribution) = Distribution::get(test) else { return };
    if !support::have(test, &["dnf"]) {
        return;
    }
    let folder = &distribution.folder;
    let universe = libsolv::universe(folder);
    let mut random = Numbers(3);
    let mut name = || {
        let offers = &universe.offers;
        offers[random.below(offers.len() as u64) as usize].name.to_string()
    };
    let wishes: Vec<_> = (0..50).map(|_| vec![name(), name()]).collect();
    for (wish, theirs) in wishes.iter().zip(libsolv::choices(folder, &wishes)) {
        let ours = libsolv::our_choice(&universe, wish);
        assert!(ours.is_some(), "{wish:?}");
        assert_eq!(ours, theirs, "{wish:?}");
    }
}

#[test]
fn the_builder_is_measured() {
    let test = "bench builder";
    let Some(distribution) = Distribution::get(test) else { return };
    if users(test).is_empty() {
        return;
    }
    let site = Site::new(distribution, Who::Same, &[]);
    let (code, said) = site.fails(&["bench", "builder"]);
    assert!(code == 4 && said.contains("there is no containers/el7/root.lock"), "{code}: {said}");
    site.ok(&["lock", "el7"]);
    site.ok(&["root", "el7"]);
    let mut bench = site.xtask(&["--json", "bench", "builder", "--image", "el7", "--runs", "1"]);
    // With podman it would import the root, as another test does.
    let path = site.checkout.path("path");
    fs_err::create_dir(&path).unwrap();
    let shell = support::on_path("sh").unwrap();
    fs_err::os::unix::fs::symlink(shell, path.join("sh")).unwrap();
    let json = support::ok(bench.env("PATH", path));
    let json: serde_json::Value = serde_json::from_str(json.lines().last().unwrap()).unwrap();
    let rows = json["rows"].as_array().unwrap();
    let all: Vec<_> = rows.iter().map(|row| row["what"].as_str().unwrap()).collect();
    let phase = "a phase, started in the sandbox";
    assert_eq!(all, ["the root from the store", phase, phase]);
}
