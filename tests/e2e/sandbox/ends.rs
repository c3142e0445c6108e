//! Everything inside ends with the run, whatever ends it.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command},
    time::Duration,
};

use super::room::{Room, mounts_below, rooms};
use crate::support;

/// Reads to the end of the output: the last process that could write to it has ended.
fn all_have_ended(mut child: Child) {
    let (mut output, mut complaints) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut output).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut complaints).unwrap();
    child.wait().unwrap();
}

fn nothing_is_left(room: &Room) {
    assert_eq!(mounts_below(room.dir.path()), Vec::<String>::new());
    assert_eq!(fs_err::read_dir(room.path("place")).unwrap().count(), 0);
}

#[test]
fn what_a_phase_leaves_running_ends_with_it() {
    for room in rooms("processes in the background") {
        // The output ends only when the last of them has ended.
        let said =
            room.ok("trap '' TERM HUP; sleep 1000 & setsid sleep 1000 & (sleep 1000 &); echo end");
        assert_eq!(said, "end\n");
        nothing_is_left(&room);
    }
}

#[test]
fn orphans_are_reaped() {
    for room in rooms("orphans") {
        let said = room.ok("i=0; while [ $i -lt 20 ]; do (true &); i=$((i + 1)); done; \
             while grep -q 'State:.Z' /proc/[0-9]*/status; do true; done; echo none");
        assert_eq!(said, "none\n");
    }
}

#[test]
fn a_run_that_is_killed_takes_everything_with_it() {
    for room in rooms("kill -9") {
        // A shell may have made all that it starts in the background ignore SIGINT and SIGHUP.
        for signal in ["-KILL", "-TERM", "-USR1"] {
            let mut child =
                room.command("trap '' TERM INT; sleep 1000 & echo ready; wait").spawn().unwrap();
            let mut output = BufReader::new(child.stdout.take().unwrap());
            output.read_line(&mut String::new()).unwrap();
            support::ok(Command::new("kill").args([signal, &child.id().to_string()]));
            child.stdout = Some(output.into_inner());
            all_have_ended(child);
            nothing_is_left(&room);
        }
        assert_eq!(room.ok("echo next"), "next\n");
    }
}

#[test]
fn a_run_that_is_killed_at_any_moment_leaves_nothing() {
    for room in rooms("kill -9 at any moment") {
        for moment in 0..40 {
            let mut child = room.command("sleep 1000 & echo > made; wait").spawn().unwrap();
            // Not to wait for something: to meet it at another place each time.
            std::thread::sleep(Duration::from_micros(moment * 700));
            child.kill().unwrap();
            all_have_ended(child);
            nothing_is_left(&room);
        }
        assert_eq!(room.ok("echo next"), "next\n");
    }
}

#[test]
fn the_death_of_the_run_is_noticed_before_the_sandbox_is_ready() {
    for room in rooms("a run that is gone") {
        // Process 1 of this machine did not ask for it.
        let said = room.refused(&support::run(&mut room.of(&room.request, 1)));
        assert!(said.contains("the process that wanted the sandbox is gone"), "{said}");
    }
}
