//! If a step fails, the other packages are published, and nothing is lost.

use serde_json::Value;

use crate::{
    checkout::{Checkout, walk},
    host_program::{lend_tools, with_crate},
    support,
};

/// A data package that the ABI gate refuses, unless it has another `file`.
pub fn package(checkout: &Checkout, name: &str, file: &[u8], more: &str) {
    checkout.write(&format!("specs/{name}/tool"), file);
    let toml = format!(
        "[package.{name}]\nversion = \"1\"\narch = \"x86_64\"\nsummary = \"Tool\"\nlicense = \"MIT\"\n\
         assets = [{{ source = \"tool\", dest = \"/usr/bin/{name}\", mode = \"755\" }}]\n{more}\n\
         [[changelog]]\ndate = 2026-11-22\nauthor = \"A\"\ntext = [\"t\"]\n"
    );
    checkout.write(&format!("specs/{name}/package.toml"), toml);
}

/// A program of the machine that tests run on, which is newer than CentOS 7.
fn too_new() -> Vec<u8> {
    fs_err::read("/bin/true").unwrap()
}

pub fn requires(name: &str) -> String {
    format!("requires = {{ {name} = \"*\" }}")
}

/// The exit code, the events, and the RPMs that are published.
fn run(checkout: &Checkout, args: &[&str]) -> (i32, Vec<Value>, Vec<String>) {
    let output = support::run(checkout.xtask(&["rpm", "--json"]).args(args));
    let text = String::from_utf8(output.stdout).unwrap();
    let events = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    (output.status.code().unwrap(), events, published(checkout))
}

pub fn published(checkout: &Checkout) -> Vec<String> {
    let out = checkout.path("dist/el7");
    if !out.exists() {
        return Vec::new();
    }
    checkout.ok(&["verify"]);
    walk(&out).into_iter().filter(|f| f.ends_with(".rpm")).collect()
}

pub const FIREWALLD: &str = "mesos-calico-firewalld-0.1.0-2.el7.noarch.rpm";
pub const NOTES: &str = "notes-1-1.el7.noarch.rpm";

pub fn row<'a>(events: &'a [Value], name: &str) -> &'a Value {
    let report = events.iter().find(|e| e["event"] == "finished").unwrap();
    report["packages"].as_array().unwrap().iter().find(|row| row["package"] == name).unwrap()
}

#[test]
fn packages_that_do_not_need_the_failed_step_are_published() {
    let checkout = Checkout::new();
    package(&checkout, "broken", &too_new(), "");
    let (code, events, rpms) = run(&checkout, &[]);
    assert_eq!((code, rpms), (7, vec![FIREWALLD.to_owned(), NOTES.to_owned()]));
    let failed = row(&events, "broken");
    assert!(failed["failed"].as_str().unwrap().starts_with("ABI gate: "), "{failed}");
    assert_eq!((&failed["file"], &failed["held_back"]), (&Value::Null, &Value::Null));
    assert_eq!(row(&events, "notes")["file"], NOTES);
    let last = events.last().unwrap();
    assert_eq!((&last["event"], &last["step"]), (&"failed".into(), &"package broken".into()));
    let text = support::run(&mut checkout.xtask(&["rpm"]));
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.lines().any(|l| l.contains("  broken ") && l.ends_with("FAILED")), "{text}");
    assert!(text.contains("failed:     broken: ABI gate: "), "{text}");
    assert!(text.contains("(the rest of it is up to date)"), "{text}");
    // Mended, it joins the others.
    package(&checkout, "broken", b"#!/bin/sh\n", "");
    let (code, _, rpms) = run(&checkout, &[]);
    assert_eq!((code, rpms.len()), (0, 3));
}

#[test]
fn a_release_and_a_second_build_stay_all_or_nothing() {
    let checkout = Checkout::new();
    package(&checkout, "broken", &too_new(), "");
    let key = support::key_file("b");
    for args in [&["--release", "--key", key.to_str().unwrap()][..], &["--check-reproducible"]] {
        let (code, events, rpms) = run(&checkout, args);
        assert_eq!((code, rpms.len()), (7, 0), "{args:?}");
        assert!(!events.iter().any(|e| e["event"] == "finished"), "{args:?}");
    }
}

#[test]
fn packages_that_require_one_that_failed_are_left_out() {
    let checkout = Checkout::new();
    package(&checkout, "broken", &too_new(), "provides = { broken-abi = \"*\" }");
    package(&checkout, "one", b"#!/bin/sh\n", &requires("broken-abi"));
    package(&checkout, "two", b"#!/bin/sh\n", &requires("\"one(x86-64)\""));
    package(&checkout, "three", b"#!/bin/sh\n", &requires("notes"));
    let (code, events, rpms) = run(&checkout, &[]);
    assert_eq!(code, 7);
    assert_eq!(rpms, [FIREWALLD, NOTES, "three-1-1.el7.x86_64.rpm"]);
    let reason = |name: &str| row(&events, name)["failed"].as_str().unwrap().to_owned();
    assert!(reason("one").starts_with("it requires broken: ABI gate"), "{}", reason("one"));
    assert!(reason("two").starts_with("it requires one: "), "{}", reason("two"));
}

#[test]
fn a_repository_that_has_what_failed_is_left_as_it_is() {
    let checkout = Checkout::new();
    package(&checkout, "tool", b"#!/bin/sh\n", "");
    let (code, _, before) = run(&checkout, &[]);
    assert_eq!((code, before.len()), (0, 3));
    let files = walk(&checkout.path("dist/el7"));
    package(&checkout, "tool", &too_new(), "");
    checkout.write("specs/notes/README", "Other notes\n");
    let (code, events, rpms) = run(&checkout, &[]);
    assert_eq!((code, rpms), (7, before));
    assert_eq!(walk(&checkout.path("dist/el7")), files);
    let report = events.iter().find(|e| e["event"] == "finished").unwrap();
    assert_eq!((&report["written"], &report["kept_for"][0]), (&false.into(), &"tool".into()));
    let text = support::run(&mut checkout.xtask(&["rpm"])).stdout;
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("(not replaced: it holds tool, which failed in this run)"), "{text}");
    // Elsewhere, the rest is published.
    assert_eq!(
        support::run(&mut checkout.xtask(&["rpm", "--out", "other"])).status.code(),
        Some(7)
    );
    assert!(checkout.path("other").join(NOTES).exists());
}

#[test]
fn a_run_in_which_everything_fails_publishes_nothing() {
    let checkout = Checkout::empty();
    package(&checkout, "broken", &too_new(), "");
    let (code, events, rpms) = run(&checkout, &[]);
    assert_eq!((code, rpms.len()), (7, 0));
    assert_eq!(events.last().unwrap()["event"], "failed");
    assert!(!checkout.path("dist").exists());
}

#[test]
fn a_crate_that_does_not_compile_leaves_the_other_packages() {
    if !support::have("compile error", &["python3"]) {
        return;
    }
    let checkout = with_crate("fn main() { nowhere() }\n");
    lend_tools(&checkout);
    let (code, events, rpms) = run(&checkout, &[]);
    assert_eq!((code, rpms), (6, vec![FIREWALLD.to_owned(), NOTES.to_owned()]));
    assert!(row(&events, "tiny")["failed"].is_string(), "{events:?}");
    assert!(row(&events, "tiny")["log"].is_string(), "{events:?}");
    assert_eq!(events.last().unwrap()["step"], "compile host/tiny");
}
