//! Every object of the format as it is printed. A snapshot that changes is a change of the format: what is only
//! added keeps its version, anything else raises `FORMAT`.

use std::{collections::BTreeSet, time::Duration};

use serde_json::Value;

use super::*;
use crate::cli::Cli;
use base::{
    events::{self, Event},
    failure,
    report::{Row, RunReport},
    step, why,
};

/// A second, which is 1000 in every field of milliseconds.
const SECOND: Duration = Duration::from_secs(1);

/// At least one object of each kind, with and without the fields that may be left out.
fn samples() -> Vec<Output> {
    [of_events(), of_commands(), of_failures()].into_iter().flatten().collect()
}

fn of_events() -> Vec<Output> {
    let step = "compile mesos";
    let rows = [published(), held_back(), failed()];
    let report = RunReport {
        packages: Vec::from(rows),
        repository: "dist/el7".into(),
        written: true,
        kept_for: vec!["net-modules".into()],
        signed_by: "0123ABCD".into(),
        development: false,
        reproducible: Some("user, date".into()),
        millis: 1000,
    };
    let nothing_special = RunReport {
        packages: vec![published()],
        repository: "dist/el7".into(),
        written: false,
        kept_for: Vec::new(),
        signed_by: "0123ABCD".into(),
        development: true,
        reproducible: None,
        millis: 1000,
    };
    let mut events = vec![
        Event::Waiting { path: "/checkout/target/xtask/lock".into() },
        Event::Started { steps: 3 },
        Event::Note { message: "a \"note\"" },
        Event::StepStarted { step, kind: step::Kind::Compile },
        Event::Phase { step, phase: "make" },
        Event::PhaseEnded { step, phase: "make", warnings: 2, time: SECOND },
        Event::StepOutput { step, line: "gcc\t-c \u{1b}[1mx.c" },
        Event::Silent { step, program: "podman", time: SECOND, detail: None },
        Event::Silent { step, program: "podman", time: SECOND, detail: Some("it computes") },
        Event::HeldBack { package: "mesos", reason: "no engine" },
        Event::Published { packages: 3, rest: &["mesos"], last_time: None },
        Event::Published { packages: 3, rest: &["mesos"], last_time: Some(SECOND) },
        Event::Interrupted { signal: "SIGINT" },
        Event::Finished(&report),
        Event::Finished(&nothing_special),
    ];
    use events::Outcome::{Built, Cached, Failed, HeldBack, NotNeeded};
    for outcome in [Cached, NotNeeded, Built, HeldBack, Failed] {
        events.push(Event::StepFinished { step, outcome, time: SECOND });
    }
    events.iter().map(Output::from).collect()
}

fn row(package: &str) -> Row {
    Row {
        package: package.into(),
        file: None,
        size: None,
        steps: Vec::new(),
        why: Vec::new(),
        held_back: None,
        failed: None,
        help: None,
        log: None,
    }
}

fn published() -> Row {
    let (file, size) = (Some("mesos-0.25.0-1.el7.x86_64.rpm".into()), Some(4096));
    let steps = vec![("compile".into(), 1000), ("sign".into(), 0)];
    let why = vec![("sign mesos".into(), why::Why::NeverDone)];
    Row { file, size, steps, why, ..row("mesos") }
}

fn held_back() -> Row {
    Row { held_back: Some("no engine".into()), help: Some("install podman".into()), ..row("mesos") }
}

fn failed() -> Row {
    let log = Some("/checkout/target/xtask/logs/x.log".into());
    Row { failed: Some("make failed".into()), log, ..row("net-modules") }
}

/// A step of each kind, and one for each reason why it is to be carried out.
fn steps() -> Vec<StepObject> {
    let step = |kind: step::Kind, state: step::State, why: Option<&why::Why>| StepObject {
        name: format!("{} mesos", kind.name()),
        package: None,
        key: "0123".into(),
        needs: Vec::new(),
        inputs: Vec::new(),
        state: state.into(),
        kind: kind.into(),
        why: why.map(WhyObject::from),
    };
    use why::{How, Subject};
    let change = |subject, name: &str, change| why::Change { subject, name: name.into(), change };
    let changes = vec![
        change(Subject::Path, "specs/mesos/make.sh", How::Changed),
        change(Subject::Value, "the compiler", How::New),
        change(Subject::Step, "fetch mesos", How::Gone),
    ];
    use why::Why::{Changed, NeverDone, NoNote, OnlyTheEngineKnows, ResultGone};
    let reasons = [NeverDone, NoNote, ResultGone, OnlyTheEngineKnows, Changed { changes }];
    let mut steps: Vec<_> =
        reasons.iter().map(|why| step(step::Kind::Compile, step::State::ToDo, Some(why))).collect();
    for kind in [step::Kind::Tools, step::Kind::Library, step::Kind::Fetch, step::Kind::Image] {
        steps.push(step(kind, step::State::Cached, None));
    }
    steps.push(step(step::Kind::Package, step::State::NotNeeded, None));
    steps.push(StepObject {
        package: Some("mesos".into()),
        needs: vec![0, 2],
        inputs: vec!["specs/mesos/make.sh".into()],
        ..step(step::Kind::Sign, step::State::Cached, None)
    });
    steps
}

fn locked(state: LockState, changes: Vec<(Option<&str>, Option<&str>)>) -> Output {
    let change = |(before, now): (Option<&str>, Option<&str>)| LockedChange {
        name: "low".into(),
        before: before.map(str::to_owned),
        now: now.map(str::to_owned),
    };
    let changes = changes.into_iter().map(change).collect();
    Output::Locked { image: "el7".into(), packages: 2, state, changes }
}

fn of_commands() -> Vec<Output> {
    let along = AlongObject { package: "low".into(), by: "top".into(), requirement: "low".into() };
    let unmet = UnmetObject {
        package: "top".into(),
        requirement: "low >= 2".into(),
        offered: vec!["low = 1-1.el7".into()],
    };
    let source = |outcome: events::Outcome, reason| SourceObject {
        spec: "mesos".into(),
        source: "mesos".into(),
        outcome: outcome.into(),
        reason,
    };
    let reason = Failed::from(&failure::Failure::new(failure::Class::Source, "no host answers"));
    let check =
        |state, detail: &str| CheckObject { what: "gpg".into(), state, detail: detail.into() };
    let measured = |peer| Measured { what: "w".into(), seconds: 0.5, peer, note: "n".into() };
    vec![
        Output::Plan { steps: steps(), along: vec![along], unmet: vec![unmet] },
        Output::Plan { steps: Vec::new(), along: Vec::new(), unmet: Vec::new() },
        Output::Fetched {
            sources: vec![
                source(events::Outcome::Built, None),
                source(events::Outcome::HeldBack, Some(reason)),
            ],
        },
        Output::Verified {
            key: "0123ABCD".into(),
            user_ids: vec!["A <a@localhost>".into()],
            packages: vec!["mesos-0.25.0-1.el7.x86_64".into()],
            checks: vec![Checks {
                package: "mesos-0.25.0-1.el7.x86_64".into(),
                checked: vec!["header SHA-1".into()],
                not_there: vec!["payload SHA-256".into()],
            }],
            trusted: true,
            uncovered: vec!["notes.txt".into()],
            caveats: vec!["the key has expired".into()],
        },
        locked(LockState::Unchanged, Vec::new()),
        locked(LockState::Differs, vec![(None, Some("1-1.noarch (base)"))]),
        locked(LockState::Written, vec![(Some("1-1.noarch (base)"), None)]),
        Output::Root {
            image: "el7".into(),
            folder: "/cache/roots/KEY/tree".into(),
            was_there: true,
            packages: 1,
            files: 2,
            bytes: 3,
            digest: "0123abcd".into(),
        },
        Output::Unpacked {
            folder: "into".into(),
            packages: 1,
            files: 2,
            bytes: 3,
            digest: "0123abcd".into(),
            special: 4,
            set_id: 5,
            signed: true,
        },
        Output::Indexed { packages: 2, kept: vec!["group".into()] },
        Output::Doctor {
            checks: vec![
                check(CheckState::Ok, "/usr/bin/gpg"),
                check(CheckState::Note, "not needed"),
                check(CheckState::Missing, "install gnupg"),
            ],
        },
        Output::Cleaned { removed: 2 },
        Output::Bench {
            rows: Some(vec![measured(None), measured(Some(("rpmbuild".into(), 1.5)))]),
            lines: None,
        },
        Output::Bench { rows: None, lines: Some(vec!["etcd 1 ms".into()]) },
    ]
}

fn of_failures() -> Vec<Output> {
    let mut whole = failure::Failure::new(failure::Class::Compile, "make failed")
        .help("look into the log")
        .in_step("compile mesos", Some("mesos"));
    whole.command = Some("make -j2".into());
    whole.status = Some("exit status: 2".into());
    whole.last_lines = vec!["x.c:1: error: y".into()];
    whole.log = Some("/checkout/target/xtask/logs/compile-mesos.log".into());
    use failure::Class::{
        Compile, HeldBack, Key, Output, Package, Source, Spec, Tool, Usage, Verify,
    };
    let classes = [Usage, Spec, Source, Tool, Compile, Package, Key, Verify, Output, HeldBack];
    let plain = classes.map(|class| failure::Failure::new(class, "a message"));
    [whole].iter().chain(&plain).map(|failure| super::Output::Failed(failure.into())).collect()
}

/// The objects with this `event`, one a paragraph.
fn printed(event: &str) -> String {
    let mut text = String::new();
    for line in samples().iter().map(Output::line) {
        let value: Value = serde_json::from_str(&line).unwrap();
        if value["event"] == event {
            text += &format!("{value:#}\n");
        }
    }
    text
}

/// The words of `event` that the schema knows: it is made from the variants of [`Output`].
fn events_of_the_schema() -> BTreeSet<String> {
    let schema = schema();
    let word =
        |variant: &Value| variant["properties"]["event"]["const"].as_str().unwrap().to_owned();
    schema["oneOf"].as_array().unwrap().iter().map(word).collect()
}

#[test]
fn every_kind_of_object_has_a_snapshot() {
    let events = events_of_the_schema();
    assert!(events.len() > 20, "{events:?}");
    for event in &events {
        let printed = printed(event);
        assert!(!printed.is_empty(), "add an object with the event `{event}` to the samples");
        insta::assert_snapshot!(event.replace('-', "_"), printed);
    }
}

#[test]
fn every_word_of_an_enum_is_in_a_snapshot() {
    let printed: String = samples().iter().map(Output::line).collect();
    let mut words = Vec::new();
    collect_words(&schema()["$defs"], &mut words);
    assert!(words.len() > 30, "{words:?}");
    for word in words {
        assert!(printed.contains(&format!("\"{word}\"")), "no sample has the word `{word}`");
    }
}

/// All values of `enum` and `const` in a part of the schema.
fn collect_words(schema: &Value, words: &mut Vec<String>) {
    match schema {
        Value::Object(fields) => {
            for (name, value) in fields {
                match (name.as_str(), value) {
                    ("enum", Value::Array(list)) => {
                        words.extend(list.iter().filter_map(Value::as_str).map(str::to_owned));
                    }
                    ("const", Value::String(word)) => words.push(word.clone()),
                    _ => collect_words(value, words),
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|value| collect_words(value, words)),
        _ => {}
    }
}

#[test]
fn a_fault_of_the_command_line_is_a_failed_object() {
    let mut text = String::new();
    for words in [
        &["xtask", "--json", "nonsense"][..],
        &["xtask", "--json"],
        &["xtask", "--json", "rpm", "--jobs", "none"],
        &["xtask", "--json", "rpm", "--releas"],
    ] {
        let words = words.iter().map(Into::into);
        let failure = Cli::read_from(words, true).unwrap_err();
        let line = Output::Failed((&failure).into()).line();
        text += &format!("{:#}\n", serde_json::from_str::<Value>(&line).unwrap());
    }
    insta::assert_snapshot!(text);
}
