//! Packages that are ready are published before compiles that take an hour.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::{
    checkout::Checkout,
    failing::{FIREWALLD, NOTES, package, published, requires, row},
    support,
    tools::{Tools, compiled},
};

const BOXED: &str = "boxed-1.0-1.el7.noarch.rpm";

/// A checkout with packages that are made at once, and one that is compiled in a container.
fn with_a_compile() -> (Tools, Checkout) {
    let checkout = Checkout::new();
    compiled(&checkout, "boxed", "");
    (Tools::new(), checkout)
}

fn have() -> bool {
    support::have("a compile that stands still", &["kill", "mkfifo", "sh", "tail"])
}

/// A run whose compile stands still.
fn standing_still(tools: &Tools, checkout: &Checkout, args: &[&str]) -> Child {
    tools.make_hang("podman", "run");
    let mut run = tools.xtask(checkout, &["rpm"]);
    let run = run.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    tools.wait();
    run
}

/// Stops it as Ctrl-C does; what it has said.
fn stop(tools: &Tools, run: Child) -> String {
    support::ok(Command::new("kill").args(["-INT", &run.id().to_string()]));
    let output = run.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    tools.remove("still");
    String::from_utf8(output.stderr).unwrap()
}

/// The exit code and the events of a run that comes to its end.
fn run(tools: &Tools, checkout: &Checkout, args: &[&str]) -> (i32, Vec<Value>) {
    let output = support::run(tools.xtask(checkout, &["rpm", "--json"]).args(args));
    let text = String::from_utf8(output.stdout).unwrap();
    let events = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (output.status.code().unwrap(), events)
}

fn all<'a>(events: &'a [Value], name: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["event"] == name).collect()
}

/// All that tells one publication from another.
fn release(checkout: &Checkout) -> String {
    fs_err::read_to_string(checkout.path("dist/el7/release.json")).unwrap()
}

#[test]
fn a_run_that_is_stopped_in_a_long_compile_leaves_what_was_ready() {
    if !have() {
        return;
    }
    let (tools, checkout) = with_a_compile();
    package(&checkout, "needy", b"#!/bin/sh\n", &requires("boxed"));
    let still = standing_still(&tools, &checkout, &[]);
    assert_eq!(published(&checkout), [FIREWALLD, NOTES]);
    let said = stop(&tools, still);
    let line = "2 packages are published; the rest (boxed) may take an hour";
    assert!(said.lines().any(|l| l == line), "{said}");
    assert_eq!(published(&checkout), [FIREWALLD, NOTES]);
    let release = release(&checkout);

    // The next one leaves it as it is until there is more, and goes on.
    let still = standing_still(&tools, &checkout, &[]);
    assert_eq!(self::release(&checkout), release);
    assert!(stop(&tools, still).contains(line));
    let (code, events) = run(&tools, &checkout, &[]);
    let needy = "needy-1-1.el7.x86_64.rpm";
    assert_eq!(
        (code, published(&checkout)),
        (0, vec![BOXED.into(), FIREWALLD.into(), needy.into(), NOTES.into()])
    );
    assert_eq!(all(&events, "finished")[0]["written"], true);
    // With nothing to do, nothing is published, early or late.
    let (_, events) = run(&tools, &checkout, &[]);
    assert_eq!(all(&events, "published").len(), 0);
    assert_eq!(all(&events, "finished")[0]["written"], false);
}

#[test]
fn the_table_says_of_all_packages_how_they_were_made() {
    let (tools, checkout) = with_a_compile();
    let (code, events) = run(&tools, &checkout, &[]);
    assert_eq!(
        (code, published(&checkout)),
        (0, vec![BOXED.into(), FIREWALLD.into(), NOTES.into()])
    );
    assert_eq!(all(&events, "published").len(), 1);
    let steps = |name| {
        let steps = row(&events, name)["steps"].as_array().unwrap();
        steps.iter().map(|step| step[0].as_str().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(steps("notes"), ["package", "sign"]);
    assert_eq!(steps("boxed"), ["image", "compile", "package", "sign"]);
    // Each step is begun once, and ends once.
    let mut ended: Vec<_> =
        all(&events, "step-finished").iter().map(|e| e["step"].to_string()).collect();
    let count = ended.len();
    ended.sort();
    ended.dedup();
    assert_eq!(ended.len(), count, "{events:?}");
}

#[test]
fn a_compile_that_fails_leaves_what_was_ready() {
    let (tools, checkout) = with_a_compile();
    tools.write("engine", "echo 'main.c:1: error: no'; exit 1\n");
    let (code, events) = run(&tools, &checkout, &[]);
    assert_eq!(
        (code, published(&checkout)),
        (6, vec![FIREWALLD.into(), NOTES.into()]),
        "{events:?}"
    );
    let finished = all(&events, "finished")[0];
    assert_eq!((&finished["written"], finished.get("kept_for")), (&Value::Bool(true), None));
    assert_eq!(row(&events, "notes")["file"], NOTES);
    assert!(row(&events, "boxed")["failed"].is_string());
    assert_eq!(events.last().unwrap()["step"], "compile boxed");
    let release = release(&checkout);
    let text = support::run(&mut tools.xtask(&checkout, &["rpm"]));
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("(the rest of it is up to date)"), "{text}");
    assert_eq!(self::release(&checkout), release);
}

#[test]
fn a_repository_that_has_more_is_left_as_it_is_until_the_end() {
    if !have() {
        return;
    }
    let stays = |tools: &Tools, checkout: &Checkout| {
        let before = (published(checkout), release(checkout));
        let still = standing_still(tools, checkout, &[]);
        assert_eq!((published(checkout), release(checkout)), before);
        let said = stop(tools, still);
        assert!(!said.contains("published"), "{said}");
        assert_eq!((published(checkout), release(checkout)), before);
    };
    let (tools, checkout) = with_a_compile();
    let toml = fs_err::read_to_string(checkout.path("specs/notes/package.toml")).unwrap();
    // A newer version.
    checkout.write("specs/notes/package.toml", toml.replace("version = \"1\"", "version = \"10\""));
    support::ok(&mut tools.xtask(&checkout, &["rpm", "notes"]));
    checkout.write("specs/notes/package.toml", toml.replace("version = \"1\"", "version = \"9\""));
    stays(&tools, &checkout);
    // Another key's.
    checkout.write("specs/notes/package.toml", &toml);
    let key = support::key_file("b");
    support::ok(&mut tools.xtask(&checkout, &["rpm", "notes", "--key", key.to_str().unwrap()]));
    stays(&tools, &checkout);
    // One more package.
    support::ok(&mut tools.xtask(&checkout, &["rpm"]));
    checkout.write("specs/notes/README", "Other notes\n");
    checkout.write("specs/boxed/src/main.c", "int main() { return 1; }\n");
    stays(&tools, &checkout);
    // Older, and fewer: that one is replaced.
    support::ok(&mut tools.xtask(&checkout, &["rpm", "notes"]));
    checkout.write("specs/notes/package.toml", toml.replace("version = \"1\"", "version = \"2\""));
    let still = standing_still(&tools, &checkout, &[]);
    stop(&tools, still);
    assert_eq!(published(&checkout), [FIREWALLD, "notes-2-1.el7.noarch.rpm"]);
}

#[test]
fn the_last_duration_of_the_rest_is_told() {
    let (tools, checkout) = with_a_compile();
    let (_, events) = run(&tools, &checkout, &[]);
    assert_eq!(all(&events, "published")[0].get("last_millis"), None);
    let path = checkout.path("target/xtask/durations.json");
    let known: Value = serde_json::from_slice(&fs_err::read(&path).unwrap()).unwrap();
    let took = known["compile boxed"].as_u64().unwrap();
    assert!(known["image test"].is_u64() && known.get("package boxed").is_none(), "{known}");

    let again = |text: &str| {
        checkout.write("specs/boxed/src/main.c", text);
        run(&tools, &checkout, &["--out", text])
    };
    let (_, events) = again("one");
    assert_eq!(all(&events, "published")[0]["last_millis"], took);
    // It is a hint: a file that cannot be read is written anew.
    fs_err::write(&path, "{").unwrap();
    let (code, events) = again("two");
    assert_eq!((code, all(&events, "published")[0].get("last_millis")), (0, None));
    let notes: Vec<_> = all(&events, "note").iter().map(|n| n["message"].to_string()).collect();
    assert!(
        notes.iter().any(|n| n.contains("durations.json cannot be read and is written anew")),
        "{notes:?}"
    );
    let (_, events) = again("three");
    assert!(all(&events, "published")[0]["last_millis"].is_u64());
}

/// The repository is complete at any moment, and the next run builds the rest.
#[test]
fn a_run_that_is_killed_between_its_publications_leaves_a_whole_repository() {
    let (tools, checkout) = with_a_compile();
    for events in (0..24).step_by(3) {
        let text = format!("Edition {events}\n");
        checkout.write("specs/notes/README", &text);
        checkout.write("specs/boxed/src/main.c", &text);
        let _ = fs_err::remove_dir_all(checkout.path("dist"));
        let mut run = tools.xtask(&checkout, &["rpm", "--json"]);
        let mut run = run.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(run.stdout.take().unwrap()).lines();
        let seen = lines.take(events).count();
        run.kill().unwrap();
        run.wait().unwrap();
        assert!([0, 2, 3].contains(&published(&checkout).len()), "after {seen} events");
        support::ok(&mut tools.xtask(&checkout, &["rpm"]));
        assert_eq!(published(&checkout), [BOXED, FIREWALLD, NOTES], "after {seen} events");
        let left = fs_err::read_dir(checkout.path("dist")).unwrap().map(|e| e.unwrap().file_name());
        assert_eq!(left.collect::<Vec<_>>(), ["el7"], "after {seen} events");
    }
}

#[test]
fn nothing_is_published_early_in_a_release_or_without_a_long_compile() {
    let (tools, checkout) = with_a_compile();
    let key = support::key_file("b");
    tools.write("engine", "exit 1\n");
    for args in [&["--release", "--key", key.to_str().unwrap()][..], &["--check-reproducible"]] {
        let (code, events) = run(&tools, &checkout, args);
        assert_eq!((code, all(&events, "published").len()), (6, 0), "{args:?}: {events:?}");
        assert!(!checkout.path("dist").exists(), "{args:?}");
    }
    fs_err::remove_file(tools.path("bin/podman")).unwrap();
    let (code, events) = run(&tools, &checkout, &[]);
    assert_eq!((code, all(&events, "published").len()), (0, 0));
    assert_eq!(published(&checkout), [FIREWALLD, NOTES]);
}
