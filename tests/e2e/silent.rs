//! Engines that hang, or cannot be reached: whoever waits is told what for, and why nothing is compiled.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::{
    checkout::Checkout,
    sandbox::made::{self, yards},
    support,
    tools::{Tools, compiled},
};

fn with_a_compile() -> (Tools, Checkout) {
    let checkout = Checkout::empty();
    compiled(&checkout, "boxed", "");
    (Tools::new(), checkout)
}

#[test]
fn an_engine_that_hangs_is_told_of_and_ends_with_the_run() {
    if !support::have("an engine that hangs", &["kill", "mkfifo", "sh", "tail"]) {
        return;
    }
    if yards("an engine that hangs").is_empty() {
        return;
    }
    // The call that hangs, and the step that waits for it.
    let cases = [
        ("import --quiet", "image made", ("-INT", 130)),
        ("setup.sh", "image made", ("-TERM", 143)),
        ("commit", "image made", ("-INT", 130)),
        ("/bin/sh -eu -c", "compile tiny", ("-INT", 130)),
    ];
    for (hangs, step, (signal, code)) in cases {
        let (tools, yard) = (Tools::new(), made::Yard::new(false));
        let checkout = &yard.checkout;
        yard.ok(&["lock", "made"]);
        tools.write("no-image", "");
        tools.make_hang("podman", hangs);
        let mut run = tools.xtask(checkout, &["rpm", "--json", "--silence", "1"]);
        let mut run = run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        tools.wait();
        let mut output = BufReader::new(run.stdout.take().unwrap());
        let events = output.by_ref().lines().map(|line| line.unwrap());
        let mut events = events.map(|line| serde_json::from_str::<Value>(&line).unwrap());
        let silent = events.find(|event| event["event"] == "silent").unwrap();
        assert_eq!((&silent["step"], &silent["program"]), (&step.into(), &"podman".into()));
        assert_eq!(
            (&silent["millis"], &silent["detail"]),
            (&1000.into(), &"`podman info` answers".into())
        );
        support::ok(Command::new("kill").args([signal, &run.id().to_string()]));
        // Read to the end, so that the run does not meet a closed pipe.
        assert!(events.any(|event| event["event"] == "interrupted"), "{hangs}");
        assert_eq!(events.find(|event| event["event"] == "failed"), None, "{hangs}");
        assert_eq!(run.wait().unwrap().code(), Some(code), "{hangs}");
        assert_eq!(tools.running(), [""; 0], "{hangs}");
    }
}

/// The messages of two versions of docker's client if it cannot reach its service.
const UNREACHED: [&str; 3] = [
    "Cannot connect to the Docker daemon at tcp://127.0.0.1:1. Is the docker daemon running?",
    "error during connect: Get \"http://127.0.0.1:1/v1.24/version\": dial tcp 127.0.0.1:1: connect: connection refused",
    "template: :1:2: executing \"\" at <.MemTotal>: nil pointer evaluating *types.Info.MemTotal",
];

#[test]
fn the_address_that_docker_does_not_reach_is_named_with_its_variable() {
    let (tools, checkout) = with_a_compile();
    let run = || {
        let mut run = tools.xtask(&checkout, &["rpm", "--builder", "docker"]);
        let (code, message) =
            checkout.code_and_text(&support::run(run.env("DOCKER_HOST", "tcp://127.0.0.1:1")));
        assert_eq!(code, 11, "{message}");
        message
    };
    for said in UNREACHED {
        let quoted = said.replace('\'', "'\\''");
        let refuse = format!(
            "[ \"$1\" != --version ] || {{ echo Docker version 28; exit; }}\necho '{quoted}' >&2\nexit 1"
        );
        tools.add("docker", &refuse);
        let message = run();
        let named = "docker is installed, but cannot be used (DOCKER_HOST=tcp://127.0.0.1:1): ";
        for part in [&format!("{named}{said}"), "mend DOCKER_HOST"] {
            assert!(message.contains(part), "{part} is not in\n{message}");
        }
    }
}
