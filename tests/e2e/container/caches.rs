//! ccache: what has been compiled once is not compiled again.

use super::yard::{MAKE, Yard, have, notes, units};
use crate::support;

/// Hits and objects, as the note at the end of a compile tells them.
fn rate(events: &[serde_json::Value]) -> (u32, u32) {
    let note = notes(events).into_iter().find_map(|n| n.split_once("ccache had ")).unwrap().1;
    let mut words = note.split(' ');
    let mut number = || words.find_map(|w| w.parse().ok()).unwrap();
    (number(), number())
}

#[test]
fn a_second_build_compiles_nothing_again() {
    if !have("ccache", &[]) {
        return;
    }
    let yard = Yard::new(&MAKE);
    units(&yard, 30);
    assert_eq!(rate(&yard.events(&[])), (0, 31));
    // Another result, of the same compilations.
    let changed = [MAKE[0], ("install", "install -D -m 700 tiny $STAGE/usr/share/tiny/tiny")];
    yard.spec("tiny", "", &changed);
    let (hits, all) = rate(&yard.events(&[]));
    assert!(all == 31 && hits * 100 > all * 95, "{hits} of {all}");
    // One changed source is compiled again, and only it.
    yard.checkout.write("specs/tiny/src/u3.cpp", "int f3() { return 3; }\n");
    assert_eq!(rate(&yard.events(&[])), (30, 31));
}

#[test]
fn checkouts_share_what_they_have_compiled_but_not_with_other_users() {
    use std::os::unix::fs::PermissionsExt;
    if !have("ccache of all checkouts", &[]) {
        return;
    }
    let (first, second) = (Yard::new(&MAKE), Yard::new(&MAKE));
    for yard in [&first, &second] {
        units(yard, 5);
    }
    let shared = first.checkout.path("shared");
    first.ok(&["rpm"]);
    let mut run = second.xtask(&["rpm", "--json"]);
    let text = support::ok(run.env("MESOS_CALICO_CACHE", &shared));
    let events: Vec<_> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(rate(&events), (6, 6));
    // The builder's id may be somebody's on this machine, who must not get at it.
    let mode = fs_err::metadata(shared.join("ccache")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}
