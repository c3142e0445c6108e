//! Runs that are stopped, by Ctrl-C or worse, leave no container and nothing that the next run
//! trusts.

use std::{
    io::{BufRead, BufReader, Read},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use super::yard::{MAKE, Yard, have, units};
use crate::{
    checkout::{folders, walk},
    support,
};

/// Starts a run and waits until its build has printed this line.
pub fn started(yard: &Yard, env: &[(&str, &str)], line: &str) -> Child {
    let mut run = yard.xtask(&["rpm", "--json"]);
    until(run.envs(env.iter().copied()), &format!("\"line\":\"{line}\""))
}

/// Starts a run with `--json` and waits for an event with this in it; what comes after it is left
/// in the child's output.
pub fn until(run: &mut Command, wanted: &str) -> Child {
    let mut run = run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(run.stdout.take().unwrap());
    let mut lines = output.by_ref().lines();
    assert!(lines.any(|l| l.unwrap().contains(wanted)), "`{wanted}` was in no event");
    run.stdout = Some(output.into_inner());
    run
}

/// A file in the build folder of the run under way.
pub fn build_folder(yard: &Yard, name: &str) -> Option<PathBuf> {
    build_folder_of(&yard.checkout.path("target/xtask"), name)
}

fn build_folder_of(state: &Path, name: &str) -> Option<PathBuf> {
    let dirs = fs_err::read_dir(state.join("tmp")).ok()?;
    let mut paths = dirs.map(|e| e.unwrap().path().join("build").join(name));
    paths.find(|p| p.exists())
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
    support::ok(Command::new("kill").args([signal, &run.id().to_string()]));
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
fn sigterm_removes_the_container() {
    if have("SIGTERM", &["kill"]) {
        stopped_by("-TERM", 143);
    }
}

#[test]
fn the_next_run_removes_the_containers_of_a_killed_run() {
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

/// The folder of the second build of `--check-reproducible`, and the containers that it leaves.
const AGAIN: &str = "target/xtask/again";

/// Starts a run with `--check-reproducible` whose second build, which has one job, stands still.
fn second_build_standing_still(yard: &Yard) -> Child {
    let mut run = yard.xtask(&["rpm", "--json", "--compile-jobs", "2", "--check-reproducible"]);
    // As from a terminal, whose Ctrl-C goes to a whole group.
    let mut run = until(run.process_group(0), "building everything a second time");
    let state = yard.checkout.path(AGAIN).join("elsewhere/target/xtask");
    while build_folder_of(&state, "still").is_none() {
        assert!(run.try_wait().unwrap().is_none(), "the second build did not stand still");
        std::thread::yield_now();
    }
    run
}

/// `whom` tells `kill` from the run's number who gets the signal.
fn second_build_stopped_by(signal: &str, whom: impl Fn(u32) -> String, code: i32) {
    let still = "[ $JOBS = 2 ] || { mkfifo still; cat still; }\n\
                 install -D $SRC/main.cpp $STAGE/usr/share/tiny/tiny";
    let yard = Yard::new(&[("make", still)]);
    yard.ok(&["rpm", "--compile-jobs", "2"]);
    let dist = yard.checkout.path("dist");
    let published = || walk(&dist).into_iter().map(|f| (fs_err::read(dist.join(&f)).unwrap(), f));
    let before: Vec<_> = published().collect();
    // Something to publish, were it not stopped.
    yard.checkout.write("specs/tiny/src/main.cpp", "int main() { return 0; }\n");
    let run = second_build_standing_still(&yard);
    let copy = yard.checkout.path(AGAIN).join("elsewhere/target/xtask");
    let name = super::yard::names_in(&copy).pop().unwrap();
    support::ok(Command::new("kill").args([signal, "--", &whom(run.id())]));
    let output = run.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");

    let mut exists = super::yard::podman(&["container", "exists", &name]);
    assert_eq!(support::run(&mut exists).status.code(), Some(1));
    let left = folders(&yard.checkout.path("target/xtask"));
    assert!(left.iter().all(|d| !d.starts_with("again")), "{left:?}");
    let mounts = fs_err::read_to_string("/proc/mounts").unwrap();
    assert!(!mounts.contains(yard.checkout.dir.path().to_str().unwrap()), "{mounts}");
    let lock = fs_err::File::open(yard.checkout.path("target/xtask/lock")).unwrap();
    lock.file().try_lock().unwrap();
    drop(lock);
    assert!(published().eq(before), "{:?}", walk(&dist));
    yard.ok(&["verify"]);
}

#[test]
fn sigterm_ends_the_second_build_too() {
    if have("SIGTERM in a second build", &["kill", "sh"]) {
        second_build_stopped_by("-TERM", |run| run.to_string(), 143);
    }
}

/// The terminal sends Ctrl-C to all that runs in it. A second build that got it as well as the
/// run's own signal would take that for the impatient second Ctrl-C, and leave its container.
#[test]
fn ctrl_c_at_a_terminal_removes_the_container() {
    if have("Ctrl-C in a second build", &["kill", "sh"]) {
        second_build_stopped_by("-INT", |run| format!("-{run}"), 130);
    }
}
