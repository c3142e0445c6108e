//! The state of each step in a plan: cached, to do, or not needed.

use serde_json::Value;

use crate::{
    checkout::Checkout,
    support,
    tools::{Tools, compiled},
};

/// The kind and state of each step, by name.
fn states(tools: &Tools, checkout: &Checkout) -> Vec<[String; 3]> {
    let plan = support::ok(&mut tools.xtask(checkout, &["plan", "--json"]));
    let plan: Value = serde_json::from_str(&plan).unwrap();
    let word = |step: &Value, field: &str| step[field].as_str().unwrap().to_owned();
    let words = |step| ["name", "kind", "state"].map(|field| word(step, field));
    plan["steps"].as_array().unwrap().iter().map(words).collect()
}

#[test]
fn a_missing_result_that_is_not_needed_is_not_called_cached() {
    let tools = Tools::new();
    let checkout = Checkout::empty();
    compiled(&checkout, "boxed", "");
    let all = |image, rest| {
        [
            ["fetch boxed", "fetch", "cached"],
            ["image test", "image", image],
            ["compile boxed", "compile", rest],
            ["package boxed", "package", rest],
            ["sign boxed", "sign", rest],
        ]
    };
    assert_eq!(states(&tools, &checkout), all("to-do", "to-do"));
    let said = support::run(&mut tools.xtask(&checkout, &["rpm"]));
    let said = String::from_utf8_lossy(&said.stderr);
    for start in ["start  image test", "start  compile boxed: make"] {
        assert!(said.lines().any(|line| line == start), "no `{start}` in\n{said}");
    }
    // Only the engine knows whether it has the image, and no step needs it.
    assert_eq!(states(&tools, &checkout), all("not-needed", "cached"));
    let text = support::ok(&mut tools.xtask(&checkout, &["plan"]));
    let image = text.lines().find(|line| line.starts_with("image test")).unwrap();
    assert!(image.contains(" not needed "), "{text}");
    assert!(text.contains("5 steps, 0 to do"), "{text}");
    let dot = support::ok(&mut tools.xtask(&checkout, &["plan", "--dot"]));
    assert!(dot.contains("[label=\"image test\", style=dashed]"), "{dot}");
    let events = support::ok(&mut tools.xtask(&checkout, &["rpm", "--json"]));
    let image = events.lines().find(|line| line.contains("\"step\":\"image test\"")).unwrap();
    assert!(image.contains("\"outcome\":\"not-needed\""), "{events}");
}
