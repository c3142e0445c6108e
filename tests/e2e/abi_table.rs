//! The steps that have the builder image's abi.toml as an input.

use std::collections::BTreeMap;

use crate::{checkout::Checkout, tools::compiled};

/// The keys of all steps, by name.
fn keys(checkout: &Checkout) -> BTreeMap<String, String> {
    let plan = checkout.ok(&["plan", "--json"]);
    let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
    let text = |v: &serde_json::Value| v.as_str().unwrap().to_owned();
    let steps = plan["steps"].as_array().unwrap();
    steps.iter().map(|step| (text(&step["name"]), text(&step["key"]))).collect()
}

#[test]
fn a_line_in_an_images_table_makes_packages_again_and_compiles_nothing() {
    let checkout = Checkout::empty();
    compiled(&checkout, "tiny", "");
    let table = checkout.path("containers/test/abi.toml");
    fs_err::write(&table, "[libraries]\n").unwrap();
    let before = keys(&checkout);
    fs_err::write(&table, "[libraries]\n\"libown.so.1\" = [\"OWN_1\"]\n").unwrap();
    let after = keys(&checkout);
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    let changed: Vec<_> = before.iter().filter(|(step, key)| after[*step] != **key).collect();
    let changed: Vec<_> = changed.into_iter().map(|(step, _)| step.as_str()).collect();
    assert_eq!(changed, ["package tiny", "sign tiny"]);
    // An image without a table, as that of CentOS 7, can have one added in the same way.
    fs_err::remove_file(&table).unwrap();
    let none = keys(&checkout);
    assert_eq!(none["compile tiny"], before["compile tiny"]);
    assert_ne!(none["package tiny"], before["package tiny"]);
}
