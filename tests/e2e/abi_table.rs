//! The steps that have the builder image's abi.toml as an input.

use std::collections::BTreeMap;

use crate::container::yard::Yard;

/// The keys of all steps, by name.
fn keys(yard: &Yard) -> BTreeMap<String, String> {
    let plan = yard.checkout.ok(&["plan", "--json"]);
    let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
    let text = |v: &serde_json::Value| v.as_str().unwrap().to_owned();
    let steps = plan["steps"].as_array().unwrap();
    steps.iter().map(|step| (text(&step["name"]), text(&step["key"]))).collect()
}

#[test]
fn a_line_in_an_images_table_makes_packages_again_and_compiles_nothing() {
    let yard = Yard::new(&[("make", "true")]);
    let before = keys(&yard);
    let table = yard.checkout.path("containers/test/abi.toml");
    let line = "\"libown.so.1\" = [\"OWN_1\"]\n";
    let text = fs_err::read_to_string(&table).unwrap();
    fs_err::write(&table, format!("{text}{line}")).unwrap();
    let after = keys(&yard);
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    let changed: Vec<_> = before.iter().filter(|(step, key)| after[*step] != **key).collect();
    let changed: Vec<_> = changed.into_iter().map(|(step, _)| step.as_str()).collect();
    assert_eq!(changed, ["package tiny", "sign tiny"]);
    // An image without a table, as that of CentOS 7, can have one added in the same way.
    fs_err::remove_file(&table).unwrap();
    let none = keys(&yard);
    assert_eq!(none["compile tiny"], before["compile tiny"]);
    assert_ne!(none["package tiny"], before["package tiny"]);
}
