//! The output of `--json` is valid by the schema that `schema` prints. The distribution's jsonschema checks it.

use std::process::Command;

use crate::{checkout::Checkout, support};

/// Validates each line of a command's output, however the command ended; returns the kinds of the objects.
fn kinds(checkout: &Checkout, args: &[&str]) -> Vec<String> {
    let output = support::run(checkout.xtask(args).arg("--json"));
    let text = String::from_utf8(output.stdout).unwrap();
    let mut kinds = Vec::new();
    for line in text.lines() {
        let (ok, said) = validate(checkout, line);
        assert!(ok, "{args:?} printed {line}: {said}");
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        kinds.push(value["event"].as_str().unwrap().to_owned());
    }
    assert!(!kinds.is_empty(), "{args:?}: {:?}", String::from_utf8_lossy(&output.stderr));
    kinds
}

/// Whether a line is valid, and the messages of jsonschema.
fn validate(checkout: &Checkout, line: &str) -> (bool, String) {
    checkout.write("line.json", line);
    let mut command = Command::new("jsonschema");
    command.arg("-i").args(["line.json", "schema.json"].map(|name| checkout.path(name)));
    let output = support::run(&mut command);
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// A checkout with the schema beside it, which is printed without any.
fn with_schema() -> Option<Checkout> {
    if !support::have("the schema of --json", &["jsonschema"]) {
        return None;
    }
    let checkout = Checkout::new();
    let nowhere = tempfile::tempdir().unwrap();
    let mut schema = Command::new(env!("CARGO_BIN_EXE_xtask"));
    let schema = support::ok(schema.arg("schema").current_dir(nowhere.path()));
    checkout.write("schema.json", schema);
    Some(checkout)
}

#[test]
fn every_object_that_a_command_prints_is_as_the_schema_says() {
    let Some(checkout) = with_schema() else { return };
    assert_eq!(kinds(&checkout, &["plan"]), ["plan"]);
    let run = kinds(&checkout, &["rpm"]);
    assert!(run.iter().any(|kind| kind == "step-finished"), "{run:?}");
    assert_eq!(run.last().unwrap(), "finished");
    // Now with reasons.
    let path = checkout.path("specs/notes/package.toml");
    let text = fs_err::read_to_string(&path).unwrap();
    fs_err::write(&path, text + "# changed\n").unwrap();
    kinds(&checkout, &["plan"]);
    kinds(&checkout, &["rpm"]);
    let bench = ["bench", "main", "--runs", "1"];
    for command in [&bench[..], &["doctor"], &["verify"], &["fetch"], &["clean"]] {
        kinds(&checkout, command);
    }
    let failures =
        [&["rpm", "nonsense"][..], &["verify", "nowhere"], &["index", "nowhere"], &["nonsense"]];
    for command in failures {
        let printed = kinds(&checkout, command);
        assert_eq!(printed.last().unwrap(), "failed", "{command:?}");
    }
}

#[test]
fn the_schema_knows_all_fields_and_no_others() {
    let Some(checkout) = with_schema() else { return };
    let note = r#"{"event":"note","format":1,"message":"m"}"#;
    assert!(validate(&checkout, note).0);
    for wrong in [
        r#"{"event":"note","format":1,"message":"m","more":1}"#,
        r#"{"event":"note","format":2,"message":"m"}"#,
        r#"{"event":"note","message":"m"}"#,
        r#"{"event":"note","format":1}"#,
        r#"{"event":"unheard-of","format":1}"#,
    ] {
        assert!(!validate(&checkout, wrong).0, "{wrong}");
    }
}
