//! Runs after runs: nothing is done twice, only what changed is done again, and the repository is
//! always whole.

use crate::{
    checkout::{Checkout, built, walk},
    support,
};

#[test]
fn a_second_run_does_nothing_and_says_so() {
    let checkout = Checkout::new();
    let first = built(&checkout.events(&[]));
    assert_eq!(
        first,
        [
            "package mesos-calico-firewalld",
            "package notes",
            "sign mesos-calico-firewalld",
            "sign notes"
        ]
    );
    checkout.ok(&["verify"]);
    let again = checkout.events(&[]);
    assert_eq!(built(&again), [""; 0]);
    assert_eq!(again.last().unwrap()["written"], false);
    assert!(checkout.ok(&["rpm"]).contains("nothing to do"));
}

#[test]
fn a_changed_file_rebuilds_one_package_and_the_index() {
    let checkout = Checkout::new();
    checkout.ok(&["rpm"]);
    let listing = || walk(&checkout.path("dist/el7"));
    let before = listing();
    let xml = "specs/mesos-calico-firewalld/services/mesos-calico-bgp.xml";
    let text = fs_err::read_to_string(checkout.path(xml)).unwrap();
    checkout.write(xml, text.replace("Calico BGP", "Calico's BGP"));
    let events = checkout.events(&[]);
    assert_eq!(built(&events), ["package mesos-calico-firewalld", "sign mesos-calico-firewalld"]);
    assert_eq!(events.last().unwrap()["written"], true);
    assert_ne!(listing(), before, "the metadata's names hold their digests");
    checkout.ok(&["verify"]);
    // Back again: everything is known already.
    checkout.write(xml, text);
    assert_eq!(built(&checkout.events(&[])), [""; 0]);
    assert_eq!(listing(), before);
}

#[test]
fn a_file_that_changes_while_it_is_packaged_is_not_kept_under_its_old_key() {
    let checkout = Checkout::new();
    // Long enough to be caught at it: the change is made when its step has begun.
    let noise: Vec<u8> =
        (0..20_000_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    checkout.write("specs/notes/README", &noise);
    let mut command = checkout.xtask(&["rpm", "--json", "--jobs", "1", "notes"]);
    let mut run = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(run.stdout.take().unwrap()));
    for line in lines {
        if line.unwrap().contains("\"step-started\"") {
            let path = checkout.path("specs/notes/README");
            let file = fs_err::OpenOptions::new().append(true).open(path).unwrap();
            file.file().set_modified(std::time::SystemTime::now()).unwrap();
        }
    }
    assert_eq!(run.wait().unwrap().code(), Some(4));
    assert!(!checkout.path("dist").join("el7").exists());
    checkout.ok(&["rpm"]);
}

#[test]
fn metadata_never_goes_back_in_time() {
    let revision = |checkout: &Checkout| {
        let text = fs_err::read_to_string(checkout.path("dist/el7/repodata/repomd.xml")).unwrap();
        let text = text.split("<revision>").nth(1).unwrap();
        text.split('<').next().unwrap().parse::<u32>().unwrap()
    };
    let checkout = Checkout::new();
    let toml = fs_err::read_to_string(checkout.path("specs/notes/package.toml")).unwrap();
    checkout.write("specs/notes/package.toml", toml.replace("2026-11-22", "2026-12-24"));
    checkout.ok(&["rpm"]);
    let newest = revision(&checkout);
    checkout.ok(&["rpm", "mesos-calico-firewalld"]);
    assert_eq!(revision(&checkout), newest, "yum refuses metadata older than what it has");
}

#[test]
fn published_files_are_world_readable_with_any_umask() {
    use std::os::unix::fs::PermissionsExt;
    let checkout = Checkout::new();
    let script = "umask 077; exec \"$0\" \"$@\"";
    let mut command = std::process::Command::new("sh");
    command
        .args(["-c", script, env!("CARGO_BIN_EXE_xtask"), "rpm", "--root"])
        .arg(checkout.dir.path());
    support::ok(&mut command);
    let dist = checkout.path("dist/el7");
    let mode =
        |path: &std::path::Path| fs_err::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&dist), mode(&dist.join("repodata"))), (0o755, 0o755));
    assert!(walk(&dist).iter().all(|f| mode(&dist.join(f)) == 0o644));
}

#[test]
fn the_output_may_be_a_link_to_a_folder_but_neither_a_file_nor_a_mount_point() {
    let checkout = Checkout::new();
    fs_err::create_dir(checkout.path("real")).unwrap();
    fs_err::os::unix::fs::symlink("real", checkout.path("link")).unwrap();
    for _ in 0..2 {
        checkout.ok(&["rpm", "--out", "link"]);
        assert!(checkout.path("link").is_symlink() && checkout.path("real/repodata").is_dir());
        checkout.write("specs/notes/README", "other\n");
    }
    checkout.write("file", "");
    assert!(checkout.fails(&["rpm", "--out", "file"]).1.contains("is not a folder"));
    assert!(checkout.fails(&["rpm", "--out", "/proc"]).1.contains("is a mount point"));
    assert_eq!(checkout.fails(&["rpm", "--base-url", "x\ngpgcheck=0"]).0, 2);
}

#[test]
fn a_changed_published_file_is_noticed_and_replaced() {
    let checkout = Checkout::new();
    checkout.ok(&["rpm"]);
    let rpm = checkout.path("dist/el7/notes-1-1.el7.noarch.rpm");
    let mut bytes = fs_err::read(&rpm).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs_err::write(&rpm, &bytes).unwrap();
    let (code, message) = checkout.fails(&["verify"]);
    assert_eq!(code, 9);
    assert!(
        message.contains("notes-1-1.el7.noarch.rpm: payload SHA-256 does not match"),
        "{message}"
    );
    assert_eq!(checkout.events(&[]).last().unwrap()["written"], true);
    checkout.ok(&["verify"]);

    let repo = checkout.path("dist/el7/mesos-calico.repo");
    let text = fs_err::read_to_string(&repo).unwrap();
    fs_err::write(&repo, text.replace("gpgcheck=1", "gpgcheck=0")).unwrap();
    fs_err::copy(&rpm, checkout.path("dist/el7/extra.rpm")).unwrap();
    let (code, message) = checkout.fails(&["verify"]);
    assert_eq!(code, 9);
    assert!(message.contains("mesos-calico.repo: does not have the checksum"), "{message}");
    assert!(message.contains("extra.rpm: is not listed in SHA256SUMS"), "{message}");
}

#[test]
fn hostile_repositories_neither_hang_nor_are_followed() {
    let checkout = Checkout::new();
    checkout.ok(&["rpm"]);
    let fifo = checkout.path("dist/el7/a.rpm");
    support::ok(std::process::Command::new("mkfifo").arg(&fifo));
    let (code, message) = checkout.fails(&["verify"]);
    assert_eq!(code, 9, "{message}");
    assert!(message.contains("is not a regular file"), "{message}");
    fs_err::remove_file(fifo).unwrap();
    let repomd = checkout.path("dist/el7/repodata/repomd.xml");
    let evil = "<repomd><data type=\"primary\"><location href=\"../../../etc/passwd\"/></data>\u{1b}]0;owned\u{7}</repomd>";
    fs_err::write(repomd, evil).unwrap();
    let (code, message) = checkout.fails(&["verify"]);
    assert_eq!(code, 9);
    assert!(message.contains("repomd.xml.asc: the signature does not match"), "{message}");
    assert!(!message.contains("passwd") && !message.contains('\u{1b}'), "{message}");
}

#[test]
fn a_subset_gives_a_repository_of_just_that() {
    let checkout = Checkout::new();
    checkout.ok(&["rpm", "notes"]);
    let rpms: Vec<_> =
        walk(&checkout.path("dist/el7")).into_iter().filter(|f| f.ends_with(".rpm")).collect();
    assert_eq!(rpms, ["notes-1-1.el7.noarch.rpm"]);
}

#[test]
fn two_checkouts_give_the_same_bytes() {
    let read = || {
        let checkout = Checkout::new();
        checkout.ok(&["rpm"]);
        let dir = checkout.path("dist/el7");
        walk(&dir)
            .into_iter()
            .map(|f| (f.clone(), fs_err::read(dir.join(f)).unwrap()))
            .collect::<Vec<_>>()
    };
    assert!(read() == read());
}

#[test]
fn two_runs_at_once_do_not_harm_each_other() {
    let checkout = Checkout::new();
    let mut runs: Vec<_> = (0..4).map(|_| checkout.xtask(&["rpm"]).spawn().unwrap()).collect();
    for run in &mut runs {
        assert!(run.wait().unwrap().success());
    }
    checkout.ok(&["verify"]);
}

#[test]
fn the_second_run_waits_and_says_so() {
    let checkout = Checkout::new();
    let path = checkout.path("target/xtask/lock");
    let lock = fs_err::OpenOptions::new().create(true).append(true).open(path).unwrap();
    lock.file().lock().unwrap();
    let mut run =
        checkout.xtask(&["rpm", "--json"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(run.stdout.take().unwrap()));
    let first = lines.next().unwrap().unwrap();
    assert!(first.contains("\"event\":\"waiting\""), "{first}");
    drop(lock);
    assert!(lines.last().unwrap().unwrap().contains("\"event\":\"finished\""));
    assert!(run.wait().unwrap().success());
}

#[test]
fn foreign_files_are_never_replaced() {
    let checkout = Checkout::new();
    checkout.write("mine/thesis.txt", "years of work");
    let (code, message) = checkout.fails(&["rpm", "--out", "mine"]);
    assert_eq!(code, 10);
    assert!(message.contains("holds `thesis.txt`"), "{message}");
    checkout.ok(&["rpm"]);
    checkout.write("dist/el7/thesis.txt", "years of work");
    assert_eq!(checkout.fails(&["rpm", "notes"]).0, 10);
    assert!(checkout.path("dist/el7/thesis.txt").exists());
}

#[test]
fn plan_prints_text_json_and_a_graph() {
    let checkout = Checkout::new();
    let text = checkout.ok(&["plan"]);
    assert!(
        text.contains("reads  specs/notes/README") && text.contains("4 steps, 4 to do"),
        "{text}"
    );
    checkout.ok(&["rpm"]);
    assert!(checkout.ok(&["plan"]).contains("4 steps, 0 to do"));
    assert!(checkout.ok(&["plan", "--dot"]).starts_with("digraph plan {"));
    let json: serde_json::Value = serde_json::from_str(&checkout.ok(&["plan", "--json"])).unwrap();
    assert_eq!(json["event"], "plan");
    assert_eq!(json["steps"].as_array().unwrap().len(), 4);
    assert!(!checkout.path("dist/el7.new").exists());
}

#[test]
fn clean_keeps_what_is_in_use() {
    let checkout = Checkout::new();
    checkout.ok(&["rpm"]);
    checkout.write("specs/notes/README", "Other notes\n");
    checkout.ok(&["rpm"]);
    assert!(checkout.ok(&["clean"]).contains("removed 2 old results"));
    assert_eq!(built(&checkout.events(&[])), [""; 0]);
    checkout.ok(&["clean", "--all"]);
    assert_eq!(built(&checkout.events(&[])).len(), 4);
    assert!(support::key_file("a").exists());
}

#[test]
fn index_takes_only_what_its_key_has_signed() {
    let checkout = Checkout::new();
    checkout.ok(&["rpm"]);
    let copy = checkout.path("copy");
    fs_err::create_dir(&copy).unwrap();
    for file in walk(&checkout.path("dist/el7")).iter().filter(|f| f.ends_with(".rpm")) {
        fs_err::copy(checkout.path("dist/el7").join(file), copy.join(file)).unwrap();
    }
    checkout.ok(&["index", "copy"]);
    checkout.ok(&["index", "copy"]);
    let (code, message) = checkout.fails(&["index", "dist/el7"]);
    assert_eq!(code, 2, "{message}");
    assert!(message.contains("was published by `rpm`"), "{message}");
    let public = support::public_key_file("a");
    checkout.ok(&["verify", "--indexed", "copy", "--public-key", public.to_str().unwrap()]);
    let other = support::key_file("b");
    let (code, message) = checkout.fails(&["index", "copy", "--key", other.to_str().unwrap()]);
    assert_eq!(code, 9);
    assert!(message.contains("was made by another key"), "{message}");
    checkout.ok(&["verify", "--indexed", "copy", "--public-key", public.to_str().unwrap()]);
}

#[test]
fn every_line_is_an_object_with_its_event_where_json_is_asked_for() {
    let checkout = Checkout::new();
    for (args, event, code) in [
        (&["plan", "--json"][..], "plan", Some(0)),
        (&["doctor", "--json"], "doctor", None),
        (&["--json"], "failed", Some(2)),
        (&["rpm", "--json", "--nonsense"], "failed", Some(2)),
        (&["rpm", "--jobs", "x", "--json"], "failed", Some(2)),
        (&["plan", "--json", "--dot"], "failed", Some(2)),
        (&["nonsense", "--json"], "failed", Some(2)),
        (&["plan", "--json", "nonsense"], "failed", Some(2)),
    ] {
        let output = support::run(&mut checkout.xtask(args));
        let text = String::from_utf8(output.stdout).unwrap();
        let first = text.lines().next().unwrap_or_default();
        let json: serde_json::Value = serde_json::from_str(first).unwrap();
        assert_eq!(json["event"], event, "{args:?}: {text}");
        assert!(code.is_none_or(|code| output.status.code() == Some(code)), "{args:?}: {text}");
        if event == "failed" {
            assert_eq!(
                (&json["class"], &json["exit_code"]),
                (&"usage".into(), &2.into()),
                "{text}"
            );
            assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args:?}");
        }
        if event == "doctor" {
            assert!(json["checks"].as_array().is_some_and(|checks| !checks.is_empty()), "{text}");
        }
    }
    // Help is for people, and a fault without --json as well.
    assert!(checkout.ok(&["--json", "--help"]).contains("--root <DIR>"));
    let (code, message) = checkout.fails(&["rpm", "--nonsense"]);
    assert!(code == 2 && message.starts_with("error: unexpected argument"), "{message}");
    let (code, message) = checkout.fails(&["rpm", "--nonsense", "--", "--json"]);
    assert!(code == 2 && message.starts_with("error: unexpected argument"), "{message}");
}
