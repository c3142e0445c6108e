//! A plan, and the table of a run, say of each step that is to do which of its inputs changed since its last result.

use serde_json::Value;

use crate::{
    checkout::{Checkout, walk},
    host_program::with_crate,
    support,
    tools::{Tools, compiled},
};

/// A package of data, a crate, and a compile in a container, all of which are done.
fn done() -> (Tools, Checkout) {
    let (tools, checkout) = (Tools::new(), with_crate("fn main() {}"));
    compiled(&checkout, "boxed", "");
    checkout.write("specs/notes/later", "Not packed yet\n");
    support::ok(&mut tools.xtask(&checkout, &["rpm"]));
    (tools, checkout)
}

/// The steps that are to do, each with its reason as the text has it.
fn reasons(tools: &Tools, checkout: &Checkout) -> Vec<(String, String)> {
    let text = support::ok(&mut tools.xtask(checkout, &["plan"]));
    let mut reasons: Vec<(String, String)> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with("    after")) {
        if let Some((step, _)) = line.split_once("  ").filter(|_| line.contains(" to do ")) {
            reasons.push((step.to_owned(), String::new()));
        } else if let Some(why) = line.strip_prefix("    why    ") {
            reasons.last_mut().unwrap().1 = why.to_owned();
        }
    }
    reasons
}

/// The reason of one step that has to be to do.
fn reason(tools: &Tools, checkout: &Checkout, step: &str) -> String {
    let all = reasons(tools, checkout);
    let found = all.iter().find(|(name, _)| name == step);
    found.unwrap_or_else(|| panic!("{step} is not to do: {all:?}")).1.clone()
}

#[test]
fn a_first_run_is_told_from_one_whose_results_are_gone() {
    let (tools, checkout) = (Tools::new(), with_crate("fn main() {}"));
    let never = |(_, why): &(String, String)| why == "never done here";
    let first = reasons(&tools, &checkout);
    assert!(first.len() > 4 && first.iter().all(never), "{first:?}");
    let table = support::ok(&mut tools.xtask(&checkout, &["rpm"]));
    assert!(!table.contains("because"), "{table}");
    assert_eq!(reasons(&tools, &checkout), []);
    fs_err::remove_dir_all(checkout.path("target/xtask/cache")).unwrap();
    let gone = reasons(&tools, &checkout);
    assert!(gone.len() > 4 && gone.iter().all(|(_, why)| why == "its result is gone"), "{gone:?}");
    let table = support::ok(&mut tools.xtask(&checkout, &["rpm", "notes"]));
    let line = "because the result of package notes, sign notes was gone";
    assert!(table.contains(line), "{table}");
    support::ok(&mut tools.xtask(&checkout, &["clean", "--all"]));
    assert!(reasons(&tools, &checkout).iter().all(never));
}

#[test]
fn the_input_that_changed_is_named_and_what_follows_from_it() {
    let (tools, checkout) = done();
    let reason = |step: &str| reason(&tools, &checkout, step);
    checkout.write("specs/notes/README", "Other notes\n");
    assert_eq!(reason("package notes"), "specs/notes/README changed");
    assert_eq!(reason("sign notes"), "package notes changed");
    assert_eq!(reasons(&tools, &checkout).len(), 2);
    let table = support::ok(&mut tools.xtask(&checkout, &["rpm"]));
    let lines: Vec<_> = table.lines().map(str::trim).filter(|l| l.contains("because")).collect();
    assert_eq!(lines, ["because specs/notes/README changed"]);

    let toml = "specs/notes/package.toml";
    let text = fs_err::read_to_string(checkout.path(toml)).unwrap();
    checkout.write(toml, text.replace("\"Notes\"", "\"Some notes\""));
    assert_eq!(reason("package notes"), "specs/notes/package.toml changed");
    checkout.write(toml, text.replace("\"README\"", "\"[lR]*\"").replace("notes/README", "notes/"));
    let both = "specs/notes/package.toml changed, specs/notes/later is new";
    assert_eq!(reason("package notes"), both);
    checkout.write(toml, text);

    checkout.write("host/tiny/src/main.rs", "fn main() { }");
    checkout.write("host/tiny/src/more.rs", "");
    assert_eq!(
        reason("compile host/tiny"),
        "host/tiny/src/main.rs changed, host/tiny/src/more.rs is new"
    );
    checkout.write("specs/boxed/src/main.c", "int main() { return 1; }\n");
    assert_eq!(reason("compile boxed"), "specs/boxed/src/main.c changed");
    checkout.write("containers/test/setup.sh", "# other\n");
    assert_eq!(reason("image test"), "containers/test/setup.sh changed");
    let both = "containers/test/setup.sh changed, specs/boxed/src/main.c changed";
    assert_eq!(reason("compile boxed"), both);
    for i in 0..5 {
        checkout.write(&format!("specs/boxed/src/{i}.c"), "");
    }
    assert!(reason("compile boxed").ends_with(", and 4 more"), "{}", reason("compile boxed"));
}

#[test]
fn another_compiler_and_another_key_are_named_and_no_content_is_kept() {
    let (tools, checkout) = done();
    tools.add("rustc", "[ \"$1\" = --print ] && echo \"$DIR/sysroot\" || echo rustc 1.99.0");
    assert_eq!(reason(&tools, &checkout, "compile host/tiny"), "the compiler changed");
    let key = support::key_file("b");
    support::ok(&mut tools.xtask(&checkout, &["rpm", "--key", key.to_str().unwrap()]));
    assert_eq!(reason(&tools, &checkout, "sign tiny"), "the signing key changed");
    let dir = checkout.path("target/xtask/inputs");
    let notes: String =
        walk(&dir).iter().map(|f| fs_err::read_to_string(dir.join(f)).unwrap()).collect();
    assert!(notes.contains("\"the compiler\"") && notes.contains("\"specs/notes/README\""));
    let root = checkout.dir.path().display().to_string();
    for content in ["1.99.0", "ASL 2.0", "FROM scratch", root.as_str()] {
        assert!(!notes.contains(content), "{content} stands in\n{notes}");
    }
}

#[test]
fn notes_that_cannot_be_read_fail_nothing() {
    let (tools, checkout) = done();
    let dir = checkout.path("target/xtask/inputs");
    for file in walk(&dir) {
        fs_err::write(dir.join(file), "\u{0}{").unwrap();
    }
    checkout.write("specs/notes/README", "Other notes\n");
    let why = reason(&tools, &checkout, "package notes");
    assert_eq!(why, "there is no note of its last inputs");
    // They are written anew, also those of what is cached.
    support::ok(&mut tools.xtask(&checkout, &["rpm"]));
    checkout.write("specs/notes/README", "Notes again\n");
    assert_eq!(reason(&tools, &checkout, "package notes"), "specs/notes/README changed");
    checkout.write("specs/boxed/src/main.c", "int main() { return 1; }\n");
    assert_eq!(reason(&tools, &checkout, "compile boxed"), "specs/boxed/src/main.c changed");
    // A folder that nothing can be written to is a note.
    fs_err::remove_dir_all(&dir).unwrap();
    fs_err::write(&dir, "").unwrap();
    let output = support::run(&mut tools.xtask(&checkout, &["rpm"]));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("note: what package notes was made from is not noted"), "{said}");
}

#[test]
fn plan_json_has_every_changed_input() {
    let (tools, checkout) = done();
    for i in 0..5 {
        checkout.write(&format!("specs/boxed/src/{i}.c"), "");
    }
    let plan = support::ok(&mut tools.xtask(&checkout, &["plan", "--json"]));
    let plan: Value = serde_json::from_str(&plan).unwrap();
    let steps = plan["steps"].as_array().unwrap();
    let step = |name: &str| steps.iter().find(|s| s["name"] == name).unwrap();
    let why = &step("compile boxed")["why"];
    assert_eq!(why["reason"], "changed");
    let changes = why["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 5);
    let first = serde_json::json!({
        "subject": "path", "name": "specs/boxed/src/0.c", "change": "new"
    });
    assert_eq!(changes[0], first);
    assert_eq!(step("image test")["why"]["reason"], "only-the-engine-knows");
    assert!(step("package notes").get("why").is_none(), "it is cached");
    let dot = support::ok(&mut tools.xtask(&checkout, &["plan", "--dot"]));
    assert!(dot.contains("tooltip=\"compile boxed changed\""), "{dot}");
    let events = support::ok(&mut tools.xtask(&checkout, &["rpm", "--json"]));
    let last: Value = serde_json::from_str(events.lines().last().unwrap()).unwrap();
    let rows = last["packages"].as_array().unwrap();
    let row = rows.iter().find(|row| row["package"] == "boxed").unwrap();
    let of_compile = row["why"].as_array().unwrap().iter().find(|w| w[0] == "compile boxed");
    assert_eq!(of_compile.unwrap()[1], *why);
}
