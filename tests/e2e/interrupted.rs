//! Killed at any moment, a run leaves nothing that the next one trusts wrongly.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use crate::checkout::Checkout;

/// Kills runs after each number of events, so that every stretch between two of them is hit, and
/// looks at what the next run makes of it.
#[test]
fn the_next_run_completes_what_a_killed_one_began() {
    let checkout = Checkout::new();
    for events in 0..14 {
        // Something new to do each time.
        checkout.write("specs/notes/README", format!("Notes, edition {events}\n"));
        let mut run = checkout.xtask(&["rpm", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(run.stdout.take().unwrap()).lines();
        let seen = lines.take(events).count();
        run.kill().unwrap();
        run.wait().unwrap();
        checkout.ok(&["rpm"]);
        checkout.ok(&["verify"]);
        let left: Vec<_> = fs_err::read_dir(checkout.path("dist"))
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        assert_eq!(left, ["el7"], "after {seen} events");
    }
}

/// A description that is wrong, an input that is none: what has been published stays as it is.
#[test]
fn a_failing_run_leaves_the_repository_as_it_was() {
    let checkout = Checkout::new();
    checkout.ok(&["rpm"]);
    checkout.write("specs/notes/package.toml", "[package.notes]\nversion = 1\n");
    assert_eq!(checkout.fails(&["rpm"]).0, 3);
    fs_err::remove_dir_all(checkout.path("specs/notes")).unwrap();
    checkout.write("specs/mesos-calico-firewalld/services/mesos-calico-bgp.xml", "x");
    checkout.ok(&["verify"]);
}
