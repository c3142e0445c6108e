//! Which steps a plan has, in which order and state, and what is asked of it.

use el7rpm::spec::Spec;

use super::*;
use crate::{
    fixture::{SILENT, TempCheckout, step},
    last::LastInputs,
};
use base::step::Kind;

fn names(plan: &Plan, ids: impl IntoIterator<Item = StepId>) -> Vec<&str> {
    ids.into_iter().map(|id| plan.steps[id].name.as_str()).collect()
}

fn all_names(plan: &Plan) -> Vec<&str> {
    names(plan, plan.steps.ids())
}

fn needs<'a>(plan: &'a Plan, name: &str) -> Vec<&'a str> {
    names(plan, step(plan, name).needs.iter().copied())
}

fn states(plan: &Plan) -> Vec<(&str, State)> {
    plan.steps.iter().map(|step| (step.name.as_str(), step.state)).collect()
}

/// A checkout with a package that is compiled, and one that is not.
fn mixed() -> TempCheckout {
    let checkout = TempCheckout::new();
    checkout.compiled("tool", "");
    checkout.data("notes", "");
    checkout
}

fn nothing(_: &std::path::Path) {}

#[test]
fn a_data_package_is_written_and_then_signed() {
    let checkout = TempCheckout::new();
    checkout.data("notes", "");
    let plan = checkout.plan(&[]);
    assert_eq!(all_names(&plan), ["package notes", "sign notes"]);
    assert_eq!(needs(&plan, "sign notes"), ["package notes"]);
    let package = step(&plan, "package notes");
    assert_eq!(package.package.as_deref(), Some("notes"));
    assert_eq!(package.inputs, ["specs/notes/file"]);
    assert_eq!((package.work.kind(), package.needs.len()), (Kind::Package, 0));
}

#[test]
fn a_compile_in_a_container_comes_after_its_sources_and_its_image() {
    let checkout = TempCheckout::new();
    checkout.compiled("tool", "");
    let plan = checkout.plan(&[]);
    let all = ["fetch tool", "image test", "compile tool", "package tool", "sign tool"];
    assert_eq!(all_names(&plan), all);
    assert_eq!(needs(&plan, "compile tool"), ["fetch tool", "image test"]);
    assert_eq!(needs(&plan, "package tool"), ["compile tool"]);
}

#[test]
fn a_compile_comes_after_the_compiles_that_it_needs_and_their_sources() {
    let checkout = TempCheckout::new();
    checkout.compiled("tool", "");
    checkout.compiled("plugin", "needs = [\"tool\"]");
    let plan = checkout.plan(&[]);
    let before = ["fetch plugin", "image test", "fetch tool", "compile tool"];
    assert_eq!(needs(&plan, "compile plugin"), before);
    // The gate asks which libraries the tool brings.
    assert_eq!(needs(&plan, "package plugin"), ["compile tool", "compile plugin"]);
    let fetches = all_names(&plan).iter().filter(|name| **name == "fetch tool").count();
    assert_eq!(fetches, 1, "{:?}", all_names(&plan));
}

#[test]
fn an_image_has_a_group_of_fetches_for_each_compile_that_wants_it() {
    let checkout = TempCheckout::new();
    checkout.compiled("a", "");
    checkout.compiled("b", "");
    let plan = checkout.plan(&[]);
    let image = step(&plan, "image test");
    let groups: Vec<_> =
        image.needs_any.iter().map(|group| names(&plan, group.iter().copied())).collect();
    assert_eq!((groups, image.needs.len()), (vec![vec!["fetch a"], vec!["fetch b"]], 0));
}

#[test]
fn a_crate_is_compiled_with_the_tools() {
    let checkout = TempCheckout::new();
    checkout.data("agent", "");
    checkout.write("host/agent/Cargo.toml", "[package]\nname = \"agent\"\nversion = \"1.0.0\"\n");
    checkout.write("host/agent/src/main.rs", "fn main() {}\n");
    checkout.write("Cargo.toml", "[workspace]\nmembers = [\"host/*\"]\n");
    checkout.replace(
        "specs/agent/package.toml",
        "[package",
        "[build]\ncrate = \"host/agent\"\n[package",
    );
    let release = checkout.plan_in(&[], |c| c.release = true).unwrap();
    let compile = needs(&release, "compile host/agent");
    assert_eq!(compile[0], "tools");
    assert_eq!(needs(&release, "package agent"), ["compile host/agent"]);
    assert_eq!(step(&release, "tools").state, State::ToDo, "nothing is installed in this checkout");
}

#[test]
fn the_wanted_packages_alone_are_planned() {
    let checkout = mixed();
    assert_eq!(all_names(&checkout.plan(&["notes"])), ["package notes", "sign notes"]);
    assert_eq!(checkout.plan(&["tool"]).steps.len(), 5);
    assert_eq!(checkout.plan(&[]).steps.len(), 7);
}

#[test]
fn an_unknown_package_is_a_usage_error_that_lists_the_known_ones() {
    let failure = mixed().plan_in(&["nots"], |_| {}).unwrap_err();
    assert_eq!(
        (failure.class, failure.message.as_str()),
        (Class::Usage, "there is no package `nots`")
    );
    assert_eq!(failure.help.as_deref(), Some("packages are: notes, tool"));
}

#[test]
fn a_package_described_twice_is_an_error_that_names_both_files() {
    let checkout = TempCheckout::new();
    checkout.data("notes", "");
    let text = fs_err::read_to_string(checkout.workspace.root.join("specs/notes/package.toml"));
    checkout.write("specs/twice/package.toml", &text.unwrap());
    checkout.write("specs/twice/file", "");
    let failure = checkout.plan_in(&[], |_| {}).unwrap_err();
    assert_eq!(failure.class, Class::Spec);
    for file in ["specs/notes/package.toml", "specs/twice/package.toml"] {
        assert!(failure.message.contains(file), "{failure}");
    }
}

#[test]
fn two_sources_of_one_name_with_different_content_are_an_error() {
    let checkout = TempCheckout::new();
    checkout.compiled("a", "");
    checkout.compiled("b", "");
    checkout.replace("specs/b/package.toml", "[source.b]", "[source.a]");
    checkout.plan(&[]);
    checkout.write("specs/b/src/main.c", "int other;\n");
    let failure = checkout.plan_in(&[], |_| {}).unwrap_err();
    assert_eq!(failure.class, Class::Spec);
    assert!(failure.message.contains("different things the source a"), "{failure}");
}

#[test]
fn a_package_of_the_runs_own_files_is_refused() {
    let checkout = TempCheckout::new();
    checkout.data("notes", "");
    checkout.write("target/xtask/keys/development.asc", "secret");
    let file = checkout.workspace.root.join("specs/notes/file");
    fs_err::remove_file(&file).unwrap();
    fs_err::os::unix::fs::symlink("../../target/xtask/keys/development.asc", &file).unwrap();
    let failure = checkout.plan_in(&[], |_| {}).unwrap_err();
    assert_eq!((failure.class, failure.package.as_deref()), (Class::Source, Some("notes")));
}

#[test]
fn without_results_every_step_is_to_do_but_the_fetch_of_a_folder() {
    use State::{Cached, ToDo};
    let checkout = TempCheckout::new();
    checkout.compiled("tool", "");
    let plan = checkout.plan(&[]);
    let expected = [
        ("fetch tool", Cached),
        ("image test", ToDo),
        ("compile tool", ToDo),
        ("package tool", ToDo),
        ("sign tool", ToDo),
    ];
    assert_eq!(states(&plan), expected);
}

#[test]
fn steps_before_a_result_that_is_there_are_not_needed() {
    use State::{Cached, NotNeeded, ToDo};
    let checkout = TempCheckout::new();
    checkout.compiled("tool", "");
    let plan = checkout.plan(&[]);
    checkout.keep(&plan, "package tool", nothing);
    let states_of = || {
        let plan = checkout.plan(&[]);
        states(&plan).into_iter().map(|(_, state)| state).collect::<Vec<_>>()
    };
    assert_eq!(states_of(), [Cached, NotNeeded, NotNeeded, Cached, ToDo]);
    checkout.keep(&plan, "sign tool", nothing);
    assert_eq!(states_of(), [Cached, NotNeeded, NotNeeded, Cached, Cached]);
}

#[test]
fn a_result_that_nothing_else_needs_is_to_do_while_it_is_missing() {
    let checkout = TempCheckout::new();
    checkout.data("notes", "");
    let plan = checkout.plan(&[]);
    checkout.keep(&plan, "sign notes", nothing);
    // The signed package is the result; the unsigned one was for it alone.
    let expected = [("package notes", State::NotNeeded), ("sign notes", State::Cached)];
    assert_eq!(states(&checkout.plan(&[])), expected);
}

#[test]
fn a_step_that_is_to_do_says_which_input_changed() {
    let checkout = TempCheckout::new();
    checkout.data("notes", "");
    let why = |plan: &Plan| step(plan, "package notes").why.as_ref().map(ToString::to_string);
    let plan = checkout.plan(&[]);
    assert_eq!(why(&plan).as_deref(), Some("never done here"));
    checkout.keep(&plan, "package notes", nothing);
    assert_eq!(why(&checkout.plan(&[])), None);
    checkout.write("specs/notes/file", "other\n");
    assert_eq!(why(&checkout.plan(&[])).as_deref(), Some("specs/notes/file changed"));
    let changed = checkout.plan(&[]);
    let note = step(&changed, "package notes");
    LastInputs::of(&checkout.workspace).note(Kind::Package, &note.name, &note.made_of, &SILENT);
    assert_eq!(why(&checkout.plan(&[])).as_deref(), Some("its result is gone"));
}

#[test]
fn an_image_without_lock_comes_before_the_keys_with_the_fetches_of_its_compiles() {
    let checkout = mixed();
    assert!(checkout.plan(&[]).before_the_keys().is_empty());
    fs_err::remove_file(checkout.workspace.root.join("containers/test/root.lock")).unwrap();
    let plan = checkout.plan(&[]);
    assert_eq!(names(&plan, plan.before_the_keys()), ["fetch tool", "image test"]);
    // Where nothing is to be compiled, no image is made.
    checkout.keep(&plan, "sign tool", nothing);
    assert!(checkout.plan(&[]).before_the_keys().is_empty());
}

#[test]
fn packages_that_wait_for_no_long_compile_are_ready() {
    let checkout = mixed();
    let plan = checkout.plan(&[]);
    assert_eq!(names(&plan, plan.ready()), ["package notes", "sign notes"]);
    assert!(step(&plan, "compile tool").is_long());
    checkout.keep(&plan, "compile tool", nothing);
    let plan = checkout.plan(&[]);
    assert!(!step(&plan, "compile tool").is_long());
    let ready = names(&plan, plan.ready());
    assert!(ready.contains(&"sign tool") && ready.contains(&"package tool"), "{ready:?}");
}

#[test]
fn needed_by_has_the_steps_and_all_that_come_before_them() {
    let checkout = mixed();
    let plan = checkout.plan(&[]);
    let of = |name: &str| plan.needed_by(|id| plan.steps[id].name == name);
    let compile = ["fetch tool", "image test", "compile tool"];
    assert_eq!(names(&plan, of("compile tool")).len(), compile.len());
    for name in compile {
        assert!(names(&plan, of("compile tool")).contains(&name), "{name}");
    }
    assert_eq!(names(&plan, of("sign notes")), ["package notes", "sign notes"]);
    assert!(plan.needed_by(|_| false).is_empty());
}

#[test]
fn packages_that_a_wanted_one_requires_come_along_with_the_reason() {
    let checkout = TempCheckout::new();
    checkout.data("top", "requires = { virtual = \"*\", elsewhere = \"*\" }");
    checkout.data(
        "middle",
        "provides = { virtual = \"*\" }\nrequires = { \"/usr/share/low\" = \"*\" }",
    );
    checkout.data("low", "");
    checkout.data("other", "requires = { top = \"*\" }");
    let plan = checkout.plan(&["top"]);
    let along: Vec<_> = plan.along.iter().map(ToString::to_string).collect();
    assert_eq!(
        along,
        [
            "middle is made, too: top requires virtual, which it provides",
            "low is made, too: middle requires /usr/share/low, which it provides",
        ]
    );
    let signed = all_names(&plan).into_iter().filter(|name| name.starts_with("sign"));
    assert_eq!(signed.collect::<Vec<_>>(), ["sign low", "sign middle", "sign top"]);
    assert!(checkout.plan(&[]).along.is_empty());
}

#[test]
fn wanted_has_the_named_packages_and_those_that_they_require() {
    let checkout = TempCheckout::new();
    checkout.data("top", "requires = { low = \"*\" }");
    checkout.data("low", "");
    checkout.data("other", "");
    let specs: Vec<Spec> = checkout.workspace.specs(&BTreeSet::new()).unwrap();
    let of = |names: &[String]| wanted(&specs, names, &checkout.workspace);
    assert_eq!(of(&["top".into()]).into_iter().collect::<Vec<_>>(), ["low", "top"]);
    assert!(of(&[]).is_empty(), "no names mean all packages");
}

#[test]
fn the_text_and_the_graph_have_every_step_with_its_state() {
    let checkout = mixed();
    let plan = checkout.plan(&[]);
    let (text, dot) = (text(&plan), dot(&plan));
    for name in all_names(&plan) {
        assert!(text.contains(name) && dot.contains(&format!("label=\"{name}\"")), "{name}");
    }
    assert!(text.contains("7 steps, 6 to do; then index, verify and publish"), "{text}");
    assert!(text.contains("    after  fetch tool\n    after  image test\n"), "{text}");
    assert!(dot.contains("style=bold") && dot.contains("style=solid"), "{dot}");
}
