//! Checkouts and repositories in folders with odd names: they work, or the run says at once what stands in the way.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    process::{Command, Output},
};

use crate::{
    checkout::Checkout,
    host_program::{lend_tools, with_crate},
    support,
    tools::{Tools, compiled},
};

/// All that may stand in the path of a checkout.
const GOOD: &[u8] = b"-a b$c'd\"e#f,g=h\\i&j;k`l\nm]n{o}p\tq!r~s|t<u(v)w^x\r\x01\x7f\xc3\xa4";

/// Characters that a path must not have if crates are compiled, and their names in the message.
const BAD_FOR_CRATES: [(&[u8], &str); 7] = [
    (b"a:b", "has a `:` in it"),
    (b"a%b", "has a `%` in it"),
    (b"a*b", "has a `*` in it"),
    (b"a?b", "has a `?` in it"),
    (b"a[b", "has a `[` in it"),
    (b"a\x1fb", "has the control character '\\u{1f}' in it"),
    (b"a\xffb", "is not UTF-8"),
];

/// And where something is compiled in containers.
const BAD_FOR_CONTAINERS: [(&[u8], &str); 2] =
    [(b"a:b", "has a `:` in it"), (b"a\xffb", "is not UTF-8")];

/// A copy of it in a folder whose name begins with `name`.
fn copy(checkout: &Checkout, name: &[u8]) -> Checkout {
    let dir = tempfile::Builder::new().prefix(OsStr::from_bytes(name)).tempdir().unwrap();
    let copy = Checkout { dir };
    let from = checkout.path(".");
    support::ok(Command::new("cp").arg("-a").arg(from).arg(copy.dir.path()));
    copy
}

fn refused(output: &Output, what: &str, remedy: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{what}: {said}");
    for part in ["cannot work with the path \"", what, remedy] {
        assert!(said.contains(part), "{part} is not in\n{said}");
    }
}

#[test]
fn a_checkout_with_an_odd_path_is_built_twice() {
    if !support::have("odd paths", &["python3", "cp"]) {
        return;
    }
    let checkout = copy(&with_crate("fn main() {}"), GOOD);
    lend_tools(&checkout);
    checkout.ok(&["rpm", "--check-reproducible"]);
    assert!(checkout.path("dist/el7/tiny-1.0.0-1.el7.x86_64.rpm").is_file());
    checkout.ok(&["verify"]);
}

/// An engine mounts folders by its command line; the sandbox takes any path.
const BOXED: [&str; 4] = ["rpm", "boxed", "--builder", "podman"];

#[test]
fn a_path_that_cargo_or_an_engine_cannot_work_with_is_refused_before_the_work() {
    let tools = Tools::new();
    let checkout = with_crate("fn main() {}");
    compiled(&checkout, "boxed", "");
    let help = "help: move the checkout to a path without it";
    let tables = [("tiny", &BAD_FOR_CRATES[..]), ("boxed", &BAD_FOR_CONTAINERS)];
    for (package, table) in tables {
        for (name, what) in table {
            let odd = copy(&checkout, name);
            refused(
                &support::run(&mut tools.xtask(&odd, &["rpm", package, "--builder", "podman"])),
                what,
                help,
            );
            assert!(!odd.path("dist").exists());
            // What neither compiles is made, and a second time.
            let args = ["rpm", "notes", "--check-reproducible"];
            support::ok(&mut tools.xtask(&odd, &args));
        }
    }
    // An engine may have what cargo may not.
    for name in [&b"a%b"[..], b"a*b", b"a\x1fb"] {
        support::ok(&mut tools.xtask(&copy(&checkout, name), &BOXED));
    }
    let calls = tools.calls();
    assert!(!calls.contains("cargo") && !calls.contains("rustc"), "{calls}");
}

/// An engine elsewhere gets files by copying, from paths that begin with a slash.
#[test]
fn a_colon_is_good_where_files_are_copied_to_the_engine() {
    let checkout = with_crate("fn main() {}");
    compiled(&checkout, "boxed", "");
    let odd = copy(&checkout, b"a:b");
    for is_remote in [false, true] {
        let tools = Tools::new();
        let script = format!(
            "case $1 in\n--version) echo podman version 4.3.1 ;;\ninfo) echo 2 8000000000 {is_remote} false ;;\n\
             image) echo 0123456789 ;;\nesac"
        );
        tools.add("podman", &script);
        let output = support::run(&mut tools.xtask(&odd, &BOXED));
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(said.contains("cannot work with the path"), !is_remote, "{said}");
        assert_eq!(tools.calls().contains("podman create"), is_remote, "{}", tools.calls());
    }
}

/// The target folder, cargo's own and the one that is shared may lie elsewhere.
#[test]
fn a_folder_outside_of_the_checkout_is_named_with_its_variable() {
    let tools = Tools::new();
    let checkout = with_crate("fn main() {}");
    compiled(&checkout, "boxed", "");
    let place = tempfile::tempdir().unwrap();
    let table: [(&str, &[u8], &str, &str); 4] = [
        ("CARGO_TARGET_DIR", b"a:b", "tiny", "has a `:` in it"),
        ("CARGO_TARGET_DIR", b"a:b", "boxed", "has a `:` in it"),
        ("CARGO_HOME", b"a\x1fb", "tiny", "has the control character"),
        ("MESOS_CALICO_CACHE", b"a\xffb", "boxed", "is not UTF-8"),
    ];
    for (variable, name, package, what) in table {
        let mut command = tools.xtask(&checkout, &["rpm", package, "--builder", "podman"]);
        command.env(variable, place.path().join(OsStr::from_bytes(name)));
        let help = format!("help: {variable} names another ");
        refused(&support::run(&mut command), what, &help);
    }
    assert!(!tools.calls().contains("cargo"), "{}", tools.calls());
}

#[test]
fn a_repository_may_lie_in_a_folder_of_any_name() {
    let checkout = Checkout::new();
    let place = tempfile::tempdir().unwrap();
    let bad = BAD_FOR_CRATES.iter().map(|(name, _)| *name);
    for name in bad.chain([GOOD]) {
        let out = place.path().join(OsStr::from_bytes(name));
        for _ in 0..2 {
            support::ok(checkout.xtask(&["rpm", "notes", "--out"]).arg(&out));
        }
        support::ok(checkout.xtask(&["verify"]).arg(&out));
    }
    // Nothing is left beside them.
    assert_eq!(fs_err::read_dir(place.path()).unwrap().count(), BAD_FOR_CRATES.len() + 1);
}
