//! The folder that is published to: what is refused before the work, and what is never lost.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use crate::{
    checkout::{Checkout, walk},
    support,
};

#[test]
fn a_file_put_into_the_folder_during_the_run_is_not_lost() {
    let checkout = Checkout::new();
    checkout.ok(&["rpm"]);
    let before = walk(&checkout.path("dist/el7"));
    checkout.write("specs/notes/README", "Other notes\n");
    let mut run = checkout.xtask(&["rpm", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    for line in BufReader::new(run.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if line.contains("\"step-started\"") {
            checkout.write("dist/el7/thesis.txt", "years of work");
        }
        said += &line;
    }
    assert_eq!(run.wait().unwrap().code(), Some(10), "{said}");
    assert!(said.contains("holds `thesis.txt`"), "{said}");
    fs_err::remove_file(checkout.path("dist/el7/thesis.txt")).unwrap();
    assert_eq!(walk(&checkout.path("dist/el7")), before);
    checkout.ok(&["rpm"]);
}

#[test]
fn folders_of_the_program_and_links_that_lead_nowhere_are_refused_before_the_work() {
    let checkout = Checkout::new();
    fs_err::os::unix::fs::symlink("nowhere", checkout.path("link")).unwrap();
    fs_err::os::unix::fs::symlink("target", checkout.path("way")).unwrap();
    for out in [
        "target/xtask/tmp",
        "target/xtask/new/x",
        "way/xtask",
        "target",
        ".",
        "specs/new",
        "sources/new",
        "pipeline",
        "link",
        "cache/x",
        "none/../specs/new",
        "none/x/../../target/xtask/new",
        "way/none/../xtask/new",
    ] {
        let (code, message) = checkout.fails(&["rpm", "--out", out]);
        assert_eq!(code, 10, "{out}: {message}");
        assert!(message.contains("choose another folder with --out"), "{out}: {message}");
    }
    assert!(!checkout.path("target/xtask/cache/sign").exists());
    checkout.ok(&["rpm", "--out", "none/../out"]);
    assert!(checkout.path("out/repodata").is_dir() && !checkout.path("none").exists());
}

#[test]
fn a_folder_that_the_user_cannot_replace_is_refused_before_the_work() {
    if !support::have_as_root("folders of root", &["setpriv", "chown"]) {
        return;
    }
    let checkout = Checkout::new();
    checkout.ok(&["rpm"]);
    checkout.for_everybody();
    for folder in ["dist/el7/repodata", "dist/el7", "dist"] {
        support::ok(Command::new("chown").args(["0:0"]).arg(checkout.path(folder)));
        checkout.write("specs/notes/README", folder);
        let (code, message) =
            checkout.code_and_text(&support::run(&mut checkout.as_user(&["rpm"])));
        assert_eq!(code, 10, "{message}");
        assert!(message.contains(&format!("[ROOT]/{folder} cannot be written to")), "{message}");
        assert_eq!(fs_err::read_dir(checkout.path("dist")).unwrap().count(), 1);
        checkout.for_everybody();
    }
    support::ok(&mut checkout.as_user(&["rpm"]));
}

#[test]
fn two_checkouts_may_index_and_publish_one_folder_at_once() {
    let (one, two) = (Checkout::new(), Checkout::new());
    one.ok(&["rpm"]);
    let folder = one.path("folder");
    fs_err::create_dir(&folder).unwrap();
    let rpm = "notes-1-1.el7.noarch.rpm";
    fs_err::copy(one.path("dist/el7").join(rpm), folder.join(rpm)).unwrap();
    let (folder, out) = (folder.to_str().unwrap(), one.path("out"));
    let out = out.to_str().unwrap();
    for args in [["index", folder].as_slice(), &["rpm", "--out", out]] {
        let start = |_| [one.xtask(args).spawn().unwrap(), two.xtask(args).spawn().unwrap()];
        let runs: Vec<_> = (0..5).flat_map(start).collect();
        for mut run in runs {
            assert!(run.wait().unwrap().success(), "{args:?}");
        }
    }
    one.ok(&["verify", out]);
}

#[test]
fn a_repository_is_synced_to_disk_before_the_exchange() {
    if !support::have("fsync", &["strace"]) {
        return;
    }
    let checkout = Checkout::new();
    let xtask = checkout.xtask(&["rpm"]);
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "-e", "trace=fsync,rename,renameat,renameat2", "-o"]);
    command.arg(checkout.path("trace")).arg(xtask.get_program()).args(xtask.get_args());
    support::ok(command.current_dir(checkout.dir.path()));
    let trace = fs_err::read_to_string(checkout.path("trace")).unwrap();
    let (before, after) = trace.split_once("/dist/el7\"").unwrap();
    for file in walk(&checkout.path("dist/el7")) {
        let synced = |l: &str| l.contains("fsync(") && l.contains(&format!("/{file}>"));
        assert!(before.lines().any(synced), "{file}: {trace}");
    }
    assert!(after.lines().any(|l| l.contains("fsync(") && l.contains("/dist>")), "{trace}");
}

/// The published release.json is read before the work; no content of it can end the program without a message.
#[test]
fn a_list_of_contents_that_is_nested_deeply_is_an_error_that_helps() {
    let checkout = Checkout::new();
    checkout.ok(&["rpm", "notes"]);
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    for text in [deep.clone(), format!("{{\"packages\": {deep}}}"), format!("{{\"more\": {deep}}}")]
    {
        checkout.write("dist/el7/release.json", text);
        for args in [&["rpm", "notes"][..], &["verify"]] {
            let (code, message) = checkout.fails(args);
            assert!([9, 10].contains(&code), "{args:?}: {code} {message}");
            assert!(message.contains("error: ") && message.len() < 2000, "{message}");
        }
    }
}
