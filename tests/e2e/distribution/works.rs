//! lock and root on the stand-in distribution.

use std::path::Path;

use super::{Distribution, Site};
use crate::{
    sandbox::Who,
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
