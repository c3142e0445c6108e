//! Runs that are stopped, by Ctrl-C or worse, leave no container and nothing that the next run
//! trusts.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Stdio},
};

use super::yard::{MAKE, Yard, have, units};
use crate::{checkout::walk, support};

/// Starts a run and waits until its build has printed this line.
pub fn started(yard: &Yard, env: &[(&str, &str)], line: &str) -> Child {
    let mut run = yard.xtask(&["rpm", "--json"]);
    let mut run = run
        .envs(env.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(run.stdout.take().unwrap()).lines();
    let wanted = format!("\"line\":\"{line}\"");
    assert!(lines.any(|l| l.unwrap().contains(&wanted)), "the build never said `{line}`");
    run
}

/// A file in the build folder of the run under way.
pub fn build_folder(yard: &Yard, name: &str) -> Option<PathBuf> {
    let tmp = yard.checkout.path("target/xtask/tmp");
    let dirs = fs_err::read_dir(tmp).ok()?.map(|e| e.unwrap().path().join("build").join(name));
    dirs.into_iter().find(|p| p.exists())
}

/// Starts a run that compiles the units and then stands still.
fn standing_still() -> (Yard, Child) {
    let still = "make -f $SRC/Makefile -j$JOBS; mkfifo still; echo standing; cat still";
    let yard = Yard::new(&[("make", still), MAKE[1]]);
    units(&yard, 8);
    let run = started(&yard, &[], "standing");
    assert_eq!(yard.containers().len(), 1);
    (yard, run)
}

/// The next run does the work, with what the stopped one had compiled.
fn goes_on(yard: &Yard) {
    yard.spec("tiny", "", &MAKE);
    let events = yard.events(&[]);
    let notes = super::yard::notes(&events);
    assert!(notes.iter().any(|n| n.contains("ccache had 9 of 9")), "{notes:?}");
    assert_eq!((yard.names().len(), yard.containers().len()), (0, 0));
    yard.ok(&["verify"]);
}

fn stopped_by(signal: &str, code: i32) {
    let (yard, run) = standing_still();
    let names = yard.names();
    support::ok(std::process::Command::new("kill").args([signal, &run.id().to_string()]));
    let output = run.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let mut exists = super::yard::podman(&["container", "exists", &names[0]]);
    assert_eq!(support::run(&mut exists).status.code(), Some(1));
    let kept = walk(&yard.checkout.path("target/xtask/cache"));
    assert!(kept.iter().all(|f| !f.contains("compile")), "{kept:?}");
    goes_on(&yard);
}

#[test]
fn ctrl_c_takes_the_container_down_and_leaves_the_caches_whole() {
    if have("Ctrl-C", &["kill"]) {
        stopped_by("-INT", 130);
    }
}

#[test]
fn so_does_a_polite_kill() {
    if have("SIGTERM", &["kill"]) {
        stopped_by("-TERM", 143);
    }
}

#[test]
fn what_a_killed_run_left_is_removed_by_the_next() {
    if !have("kill -9", &[]) {
        return;
    }
    let (yard, mut run) = standing_still();
    run.kill().unwrap();
    run.wait().unwrap();
    assert_eq!(yard.containers().len(), 1, "it goes on without us");
    // Also by one that compiles nothing.
    let left = yard.names();
    yard.checkout.write("specs/notes/README", "Notes\n");
    yard.checkout.write("specs/notes/package.toml", crate::checkout::NOTES);
    yard.ok(&["rpm", "notes"]);
    let mut exists = super::yard::podman(&["container", "exists", &left[0]]);
    assert_eq!(support::run(&mut exists).status.code(), Some(1));
    goes_on(&yard);
}

#[test]
fn a_container_that_somebody_removes_is_a_failure_like_any_other() {
    if !have("removed container", &[]) {
        return;
    }
    let (yard, run) = standing_still();
    let name = yard.names().pop().unwrap();
    support::ok(&mut super::yard::podman(&["rm", "--force", &name]));
    assert_eq!(run.wait_with_output().unwrap().status.code(), Some(6));
    goes_on(&yard);
}

/// podman carries out the instructions of a Containerfile in children of its own.
#[test]
fn the_building_of_an_image_ends_with_the_run() {
    if !have("stopped image", &["kill"]) {
        return;
    }
    let yard = Yard::new(&MAKE);
    let mark = format!("forever-{}", std::process::id());
    let more = format!("RUN mkfifo /{mark} && echo standing && cat /{mark}\n");
    let path = yard.checkout.path("containers/test/Containerfile");
    let text = fs_err::read_to_string(&path).unwrap();
    fs_err::write(&path, text + &more).unwrap();
    let run = started(&yard, &[], "standing");
    let going = || {
        let processes = fs_err::read_dir("/proc").unwrap().map(|e| e.unwrap().path());
        let line = |p: PathBuf| fs_err::read_to_string(p.join("cmdline")).unwrap_or_default();
        processes.map(line).filter(|line| line.contains(&mark)).count()
    };
    assert_ne!(going(), 0);
    support::ok(std::process::Command::new("kill").args(["-TERM", &run.id().to_string()]));
    assert_eq!(run.wait_with_output().unwrap().status.code(), Some(143));
    assert_eq!(going(), 0);
}
