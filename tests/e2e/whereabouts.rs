//! Which checkout a run works on.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    checkout::{Checkout, walk},
    support,
};

/// A checkout that is a workspace of cargo's, with the built program in its target folder.
fn with_program() -> Checkout {
    let checkout = Checkout::new();
    checkout.write("Cargo.toml", "[workspace]\nmembers = []\n");
    checkout.write("host/tool/Cargo.toml", "[package]\nname = \"tool\"\n");
    // As fuzz/ has: a workspace, but no checkout.
    checkout.write("host/tool/fuzz/Cargo.toml", "[workspace]\n");
    fs_err::create_dir_all(checkout.path("target/debug")).unwrap();
    support::copy_program(env!("CARGO_BIN_EXE_xtask"), checkout.path("target/debug/xtask"));
    checkout
}

/// The program that was built in `of`, run in `dir`.
fn run_in(dir: &Path, of: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(of.join("target/debug/xtask"));
    command.args(args).current_dir(dir).env("MESOS_CALICO_CACHE", of.join("cache"));
    for name in ["CARGO_TARGET_DIR", "SOURCE_DATE_EPOCH"] {
        command.env_remove(name);
    }
    command
}

fn copy(checkout: &Checkout, to: &Path) -> PathBuf {
    support::ok(Command::new("cp").arg("-a").arg(checkout.dir.path()).arg(to));
    fs_err::canonicalize(to).unwrap()
}

#[test]
fn a_copied_or_moved_checkout_is_the_one_that_is_worked_on() {
    let original = with_program();
    let place = tempfile::tempdir().unwrap();
    let copied = copy(&original, &place.path().join("copied"));
    let before = walk(original.dir.path());
    let moved = place.path().join("moved");
    for (dir, below) in [(&copied, ""), (&moved, "host/tool/fuzz")] {
        if dir == &moved {
            fs_err::rename(&copied, dir).unwrap();
            fs_err::remove_dir_all(dir.join("dist")).unwrap();
        }
        let plan = support::ok(&mut run_in(&dir.join(below), dir, &["plan"]));
        assert!(plan.contains("package notes") && !plan.contains("package mesos "), "{plan}");
        support::ok(&mut run_in(&dir.join(below), dir, &["rpm", "notes"]));
        assert!(dir.join("dist/el7/release.json").is_file());
        support::ok(&mut run_in(&dir.join(below), dir, &["verify"]));
        assert!(!dir.join(below).join("dist").exists() || below.is_empty());
    }
    assert_eq!(walk(original.dir.path()), before);
}

#[test]
fn a_checkout_is_named_by_its_folder_or_by_a_manifest() {
    let (original, other) = (with_program(), with_program());
    let manifest = original.path("host/tool/Cargo.toml");
    for (name, value) in [("--root", original.dir.path()), ("--manifest-path", &manifest)] {
        let mut command = run_in(other.dir.path(), other.dir.path(), &["rpm", "notes", name]);
        support::ok(command.arg(value));
        assert!(original.path("dist/el7").is_dir() && !other.path("dist").exists());
        fs_err::remove_dir_all(original.path("dist")).unwrap();
    }
}

#[test]
fn outside_of_a_checkout_there_is_an_error_that_says_so() {
    let checkout = with_program();
    let outside = tempfile::tempdir().unwrap();
    for args in [&["rpm"][..], &["plan"], &["doctor"], &["clean"], &["verify"], &["fetch"]] {
        let output = support::run(&mut run_in(outside.path(), checkout.dir.path(), args));
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("is not in a checkout") && said.contains("--root DIR"), "{said}");
    }
    assert_eq!(walk(outside.path()), [""; 0]);
    // A crate beside a folder of that name is no checkout.
    fs_err::create_dir(outside.path().join("specs")).unwrap();
    fs_err::write(outside.path().join("Cargo.toml"), "[package]\nname = \"x\"\n").unwrap();
    let output = support::run(&mut run_in(outside.path(), checkout.dir.path(), &["plan"]));
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[test]
fn repositories_elsewhere_need_no_checkout() {
    let checkout = with_program();
    checkout.ok(&["rpm", "notes"]);
    let outside = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| run_in(outside.path(), checkout.dir.path(), args);
    let dist = checkout.path("dist/el7");
    support::ok(run(&["verify"]).arg(&dist));

    let rpms = outside.path().join("rpms");
    fs_err::create_dir(&rpms).unwrap();
    for name in walk(&dist).iter().filter(|name| name.ends_with(".rpm")) {
        fs_err::copy(dist.join(name), rpms.join(name)).unwrap();
    }
    let key = support::key_file("a");
    support::ok(run(&["index", "rpms", "--key"]).arg(&key));
    let public = dist.join("RPM-GPG-KEY-mesos-calico");
    support::ok(run(&["verify", "rpms", "--indexed", "--public-key"]).arg(&public));

    let output = support::run(&mut run(&["index", "rpms"]));
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("name a key with --key"), "{said}");
}

#[test]
fn no_package_is_made_of_keys_wherever_cargo_puts_results() {
    let checkout = with_program();
    checkout.ok(&["rpm", "notes"]);
    support::ok(
        Command::new("cp").arg("-a").arg(checkout.path("target")).arg(checkout.path("out")),
    );
    let key = "../../out/xtask/keys/development.asc";
    let toml = crate::checkout::NOTES.replace("\"README\"", &format!("{key:?}"));
    checkout.write("specs/notes/package.toml", toml);
    let mut run = checkout.xtask(&["rpm", "notes"]);
    let (code, message) = checkout.code_and_text(&support::run(run.env("CARGO_TARGET_DIR", "out")));
    assert_eq!(code, 4, "{message}");
    assert!(message.contains("where keys and results of runs are"), "{message}");
}
