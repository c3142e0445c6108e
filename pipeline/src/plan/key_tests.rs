//! The changes that must change the keys of certain steps, and no others: if too many keys change, packages are
//! compiled again for an hour; if too few change, a wrong package is published.

use std::os::unix::fs::PermissionsExt;

use el7rpm::package::WriteOptions;

use sources::{Fetcher, Store};

use super::*;
use crate::fixture::{SILENT, TempCheckout, key_of, step};

/// The steps whose keys differ between the two plans, which have the same steps.
fn differing(before: &Plan, after: &Plan) -> Vec<String> {
    let names = |plan: &Plan| plan.steps.iter().map(|s| s.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(before), names(after));
    let differs = |name: &String| step(before, name).key != step(after, name).key;
    names(before).into_iter().filter(differs).collect()
}

/// The steps whose keys differ after a change of the checkout.
fn after(checkout: &TempCheckout, change: impl FnOnce(&TempCheckout)) -> Vec<String> {
    let before = checkout.plan(&[]);
    change(checkout);
    differing(&before, &checkout.plan(&[]))
}

/// The steps whose keys differ in other circumstances.
fn within(checkout: &TempCheckout, change: impl FnOnce(&mut Circumstances<'_>)) -> Vec<String> {
    differing(&checkout.plan(&[]), &checkout.plan_in(&[], change).unwrap())
}

/// A data package, which nothing but its own files and description is to change.
fn notes() -> TempCheckout {
    let checkout = TempCheckout::new();
    checkout.data("notes", "");
    checkout.data("others", "");
    checkout
}

const NOTES: [&str; 2] = ["package notes", "sign notes"];

/// A package `tool` that is compiled, and a package `plugin` whose build needs that of the tool.
fn tool() -> TempCheckout {
    let checkout = TempCheckout::new();
    checkout.compiled("tool", "");
    checkout.compiled("plugin", "needs = [\"tool\"]");
    checkout
}

/// All steps of [`tool`] from the compiles on.
const COMPILES: [&str; 6] = [
    "compile tool",
    "package tool",
    "sign tool",
    "compile plugin",
    "package plugin",
    "sign plugin",
];

const PACKAGES: [&str; 4] = ["package tool", "sign tool", "package plugin", "sign plugin"];

#[test]
fn nothing_changed_keeps_all_keys() {
    assert!(after(&notes(), |_| {}).is_empty());
    assert!(after(&tool(), |_| {}).is_empty());
}

#[test]
fn a_changed_file_changes_its_package_alone() {
    let change = |checkout: &TempCheckout| checkout.write("specs/notes/file", "other text\n");
    assert_eq!(after(&notes(), change), NOTES);
}

#[test]
fn a_file_that_may_be_executed_changes_its_package() {
    let checkout = notes();
    let path = checkout.workspace.root.join("specs/notes/file");
    fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let change = |_: &TempCheckout| {
        fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    assert_eq!(after(&checkout, change), NOTES);
}

#[test]
fn a_file_written_again_with_the_same_content_keeps_all_keys() {
    let change = |checkout: &TempCheckout| {
        let path = checkout.workspace.root.join("specs/notes/file");
        fs_err::remove_file(&path).unwrap();
        checkout.write("specs/notes/file", "text\n");
        let long_ago = std::time::SystemTime::UNIX_EPOCH;
        fs_err::File::open(&path).unwrap().file().set_modified(long_ago).unwrap();
    };
    assert!(after(&notes(), change).is_empty());
}

#[test]
fn a_file_that_no_asset_takes_keeps_all_keys() {
    let change = |checkout: &TempCheckout| checkout.write("specs/notes/draft", "text\n");
    assert!(after(&notes(), change).is_empty());
}

#[test]
fn a_comment_in_a_package_toml_keeps_all_keys() {
    let change = |checkout: &TempCheckout| {
        checkout.replace("specs/notes/package.toml", "[package", "# A comment\n[package");
    };
    assert!(after(&notes(), change).is_empty());
}

#[test]
fn a_changed_summary_changes_its_package_alone() {
    let change = |checkout: &TempCheckout| {
        checkout.replace("specs/notes/package.toml", "summary = \"S\"", "summary = \"T\"");
    };
    assert_eq!(after(&notes(), change), NOTES);
}

#[test]
fn a_link_that_leads_elsewhere_changes_its_package() {
    let checkout = TempCheckout::new();
    checkout.data("notes", "");
    checkout.replace(
        "specs/notes/package.toml",
        "assets = [",
        "assets = [{ dest = \"/usr/share/link\", link = \"notes\" }, ",
    );
    let change = |checkout: &TempCheckout| {
        checkout.replace("specs/notes/package.toml", "link = \"notes\"", "link = \"other\"");
    };
    assert_eq!(after(&checkout, change), NOTES);
}

#[test]
fn another_signing_key_changes_the_signing_alone() {
    let signs = ["sign notes", "sign others"];
    assert_eq!(within(&notes(), |c| c.signing_key = "4567"), signs);
}

#[test]
fn another_xtask_changes_packages_and_compiles_nothing_again() {
    assert_eq!(within(&tool(), |c| c.xtask = key_of("another xtask")), PACKAGES);
}

#[test]
fn another_source_date_epoch_or_compression_changes_packages_and_compiles_nothing_again() {
    let dated = WriteOptions { source_date: Some(1), ..WriteOptions::default() };
    assert_eq!(within(&tool(), |c| c.write_options = dated), PACKAGES);
    let mut fast = WriteOptions::default();
    fast.compression.level = 1;
    assert_eq!(within(&tool(), |c| c.write_options = fast), PACKAGES);
}

#[test]
fn the_number_of_threads_that_compress_keeps_all_keys() {
    let mut parallel = WriteOptions::default();
    parallel.compression.threads += 7;
    assert!(within(&tool(), |c| c.write_options = parallel).is_empty());
}

#[test]
fn a_changed_source_changes_its_fetch_and_all_that_is_compiled_with_it() {
    let change = |checkout: &TempCheckout| checkout.write("specs/tool/src/main.c", "int x;\n");
    assert_eq!(after(&tool(), change), [&["fetch tool"][..], &COMPILES].concat());
    let change = |checkout: &TempCheckout| checkout.write("specs/plugin/src/main.c", "int x;\n");
    let plugin = ["fetch plugin", "compile plugin", "package plugin", "sign plugin"];
    assert_eq!(after(&tool(), change), plugin);
}

#[test]
fn a_changed_image_changes_all_that_is_compiled_in_it() {
    for file in ["setup.sh", "builder/bin/date"] {
        let change = |checkout: &TempCheckout| {
            checkout.write(&format!("containers/test/{file}"), "other\n");
        };
        assert_eq!(after(&tool(), change), [&["image test"][..], &COMPILES].concat(), "{file}");
    }
}

#[test]
fn other_packages_in_root_lock_change_the_compiles_but_not_the_image() {
    let change = |checkout: &TempCheckout| checkout.image("clang");
    assert_eq!(after(&tool(), change), COMPILES);
}

#[test]
fn a_line_in_abi_toml_changes_packages_and_compiles_nothing_again() {
    let change = |checkout: &TempCheckout| checkout.write("containers/test/abi.toml", "");
    assert_eq!(after(&tool(), change), PACKAGES);
}

#[test]
fn other_addresses_in_root_lock_keep_all_keys() {
    let change =
        |checkout: &TempCheckout| checkout.replace("containers/test/root.lock", "p.rpm", "q.rpm");
    assert!(after(&tool(), change).is_empty());
}

#[test]
fn mirrors_keep_all_keys() {
    let mirrors = [("base".to_owned(), "file:///elsewhere".to_owned())];
    let checkout = tool();
    let store = Store::at(checkout.workspace.root.join("store")).unwrap();
    let fetcher = Fetcher::new(&store, &checkout.workspace, &SILENT);
    let circumstances =
        Circumstances { mirrors: &mirrors, ..checkout.circumstances(&[], &fetcher) };
    let specs = checkout.workspace.specs(&BTreeSet::new()).unwrap();
    let with_args = Plan::of(&specs, &circumstances).unwrap();
    assert!(differing(&checkout.plan(&[]), &with_args).is_empty());
}

#[test]
fn a_mirror_is_for_each_image_that_has_the_repository_and_for_one_at_least() {
    let checkout = tool();
    let file = |name: &str| checkout.workspace.root.join("containers").join(name);
    let text = fs_err::read_to_string(file("test/image.toml")).unwrap();
    let other = text.replace("repository.base", "repository.other");
    checkout.write("containers/second/image.toml", &other);
    checkout.replace("specs/plugin/package.toml", "image = \"test\"", "image = \"second\"");
    let mirrors = |name: &str| [(name.to_owned(), "file:///elsewhere".to_owned())];
    for name in ["base", "other"] {
        let mirrors: &'static _ = Box::leak(Box::new(mirrors(name)));
        checkout.plan_in(&[], |c| c.mirrors = mirrors).unwrap();
    }
    let mirrors: &'static _ = Box::leak(Box::new(mirrors("none")));
    let failure = checkout.plan_in(&[], |c| c.mirrors = mirrors).unwrap_err();
    assert!(failure.message.contains("--mirror none=…: there is no such repository"), "{failure}");
    assert!(failure.help.as_deref().unwrap().contains("second, test"), "{failure}");
}

#[test]
fn machines_that_compile_along_change_the_compiles() {
    assert_eq!(within(&tool(), |c| c.farm = true), COMPILES);
}

#[test]
fn a_changed_phase_or_variable_changes_its_compile_and_those_that_need_it() {
    for (from, to) in
        [("run = \"make\"", "run = \"make -s\""), ("[build]\n", "[build]\nenv = { A = \"b\" }\n")]
    {
        let change =
            |checkout: &TempCheckout| checkout.replace("specs/tool/package.toml", from, to);
        assert_eq!(after(&tool(), change), COMPILES, "{to}");
    }
}

#[test]
fn discard_and_the_files_of_a_package_change_packages_and_compile_nothing_again() {
    let discard = |checkout: &TempCheckout| {
        let to = "[build]\ndiscard = [\"/usr/share/doc\"]\n";
        checkout.replace("specs/tool/package.toml", "[build]\n", to);
    };
    assert_eq!(after(&tool(), discard), ["package tool", "sign tool"]);
    let files = |checkout: &TempCheckout| {
        let (from, to) = ("\"/usr/share/tool\"", "\"/usr/share/tools\"");
        checkout.replace("specs/tool/package.toml", from, to);
    };
    // The gate of the plugin asks which libraries the tool brings.
    assert_eq!(after(&tool(), files), PACKAGES);
}

#[test]
fn a_patch_changes_the_fetch_and_what_is_compiled() {
    let checkout = tool();
    let patched = "[source.tool]\npatches = [\"a.patch\"]\n";
    checkout.replace("specs/tool/package.toml", "[source.tool]\n", patched);
    checkout.write("specs/tool/a.patch", "one\n");
    let change = |checkout: &TempCheckout| checkout.write("specs/tool/a.patch", "two\n");
    assert_eq!(after(&checkout, change), [&["fetch tool"][..], &COMPILES].concat());
}

#[test]
fn the_addresses_of_an_archive_keep_all_keys_and_its_checksum_does_not() {
    let checkout = TempCheckout::new();
    checkout.compiled("tool", "");
    let archive = format!("url = \"https://a.example/x.tar.gz\"\nsha256 = \"{}\"", "0".repeat(64));
    checkout.replace("specs/tool/package.toml", "path = \"src\"", &archive);
    let moved = |checkout: &TempCheckout| {
        checkout.replace("specs/tool/package.toml", "a.example", "b.example");
    };
    assert!(after(&checkout, moved).is_empty());
    let other = |checkout: &TempCheckout| {
        checkout.replace("specs/tool/package.toml", &"0".repeat(64), &"1".repeat(64));
    };
    let all = ["fetch tool", "compile tool", "package tool", "sign tool"];
    assert_eq!(after(&checkout, other), all);
}
