//! Every key of package.toml is used by a description that is built through the command line: those of specs/,
//! those of the tests of sources, of patches and of the container builder, and the one beside this file, which uses what
//! nobody else does.

use std::{collections::BTreeSet, path::Path, process::Command};

use el7rpm::spec::Spec;
use toml::{Table, Value};

use crate::{
    checkout::{Checkout, repository, walk},
    support,
};

/// Has every key of a package, of its assets and of its accounts that needs no compiler.
const DESCRIPTION: &str = include_str!("every_key.toml");

/// A table of the description, and a text with nothing in that table but a key that does not exist.
const TABLES: [(&str, &str); 9] = [
    ("", "0 = 1\n"),
    ("changelog", "[[changelog]]\n0 = 1\n"),
    ("source", "[source.s]\n0 = 1\n"),
    ("build", "[build]\n0 = 1\n"),
    ("phase", "[[build.phase]]\n0 = 1\n"),
    ("package", "[package.p]\n0 = 1\n"),
    ("asset", "[package.p]\nassets = [{ 0 = 1 }]\n"),
    ("user", "[package.p]\nusers = [{ 0 = 1 }]\n"),
    ("waiver", "[package.p]\nwaive = [{ 0 = 1 }]\n"),
];

/// The keys of all tables as `TABLE.KEY`, which the error about an unknown key lists.
fn schema() -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    for (table, text) in TABLES {
        let path = Path::new("package.toml");
        let error = Spec::parse(text, path, Path::new(".")).unwrap_err();
        let help = error.help().unwrap_or_else(|| panic!("{table}: {error}")).to_owned();
        let known = help.strip_prefix("keys that are known here: ").unwrap();
        keys.extend(known.split(", ").map(|key| format!("{table}.{key}")));
    }
    keys
}

/// Adds the keys of one description.
fn used(text: &str, keys: &mut BTreeSet<String>) {
    let all: Table = toml::from_str(text).unwrap();
    let tables = |value: Option<&Value>| -> Vec<Table> {
        match value {
            Some(Value::Table(table)) => {
                table.values().filter_map(Value::as_table).cloned().collect()
            }
            Some(Value::Array(list)) => list.iter().filter_map(Value::as_table).cloned().collect(),
            _ => Vec::new(),
        }
    };
    let mut add =
        |name: &str, table: &Table| keys.extend(table.keys().map(|key| format!("{name}.{key}")));
    add("", &all);
    tables(all.get("changelog")).iter().for_each(|t| add("changelog", t));
    tables(all.get("source")).iter().for_each(|t| add("source", t));
    if let Some(Value::Table(build)) = all.get("build") {
        add("build", build);
        tables(build.get("phase")).iter().for_each(|t| add("phase", t));
    }
    let mut packages = tables(all.get("package"));
    packages.extend(all.get("common").and_then(Value::as_table).cloned());
    for package in &packages {
        add("package", package);
        let assets = ["assets", "extra-assets"].map(|key| tables(package.get(key))).concat();
        assets.iter().for_each(|t| add("asset", t));
        tables(package.get("users")).iter().for_each(|t| add("user", t));
        tables(package.get("waive")).iter().for_each(|t| add("waiver", t));
    }
}

#[test]
fn no_key_of_the_schema_is_without_a_build() {
    let mut found = BTreeSet::new();
    used(DESCRIPTION, &mut found);
    let specs = repository().join("specs");
    for file in walk(&specs).iter().filter(|f| f.ends_with("package.toml")) {
        used(&fs_err::read_to_string(specs.join(file)).unwrap(), &mut found);
    }
    // Keys that other tests cover: sources that are fetched, crates and containers that are built.
    let tests = repository().join("tests/e2e");
    let written: String = ["sources", "container"]
        .iter()
        .flat_map(|dir| walk(&tests.join(dir)).into_iter().map(move |file| (dir, file)))
        .filter(|(_, file)| file.ends_with(".rs"))
        .map(|(dir, file)| tests.join(dir).join(file))
        .chain([tests.join("patches.rs")])
        .map(|file| fs_err::read_to_string(file).unwrap())
        .collect();
    for key in schema() {
        let (table, name) = key.split_once('.').unwrap();
        if ["source", "build", "phase"].contains(&table) && written.contains(&format!("{name} = "))
        {
            found.insert(key);
        }
    }
    // A crate's: host_program::the_variant_that_package_toml_names_is_packaged.
    found.extend(["package.variants".to_owned(), "package.variant".to_owned()]);
    let unused: Vec<_> = schema().difference(&found).cloned().collect();
    assert_eq!(unused, [""; 0], "no test builds anything with these keys");
}

const UNIT: &str = "[Unit]\nDescription=X\n[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n";

#[test]
fn every_key_of_package_toml_has_its_effect_in_the_package() {
    if !support::have("every key", &["rpm", "gcc"]) {
        return;
    }
    let checkout = Checkout::empty();
    checkout.write("specs/every/package.toml", DESCRIPTION);
    for (file, text) in [
        ("x.conf", "a\n"),
        ("tree/a", "a\n"),
        ("tree/b.bak", "b\n"),
        ("LICENSE", "L\n"),
        ("README", "R\n"),
    ] {
        checkout.write(&format!("specs/every/{file}"), text);
    }
    checkout.write("specs/every/every.service", UNIT);
    checkout.write("specs/every/post.sh", "echo from a file\n");
    checkout.write("x.c", "int puts(const char *);\nint x(void) { return puts(\"x\"); }\n");
    let mut gcc = Command::new("gcc");
    gcc.args(["-g", "-shared", "-fPIC", "-nostartfiles", "-Wl,-soname,libevery.so.1,--build-id"]);
    // An RPATH that the gate refuses, and the description waives.
    gcc.arg("-Wl,-rpath,/opt/every/lib");
    gcc.args(["-o", "specs/every/libevery.so.1", "x.c", "-lc"]).current_dir(checkout.dir.path());
    support::ok(&mut gcc);
    checkout.ok(&["rpm"]);
    checkout.ok(&["verify"]);
    let mut rpms = walk(&checkout.path("dist/el7"));
    rpms.retain(|f| f.ends_with(".rpm"));
    let debug = "every-debuginfo-1.2-3.el7.x86_64.rpm";
    assert_eq!(rpms, ["every-1.2-3.el7.x86_64.rpm", debug, "plain-1.2-3.el7.noarch.rpm"]);
    let ask = |args: &[&str], file: &str| {
        let path = checkout.path("dist/el7").join(file);
        support::ok(Command::new("rpm").arg("-qp").args(args).arg(path))
    };
    let every =
        ask(&["--requires", "--provides", "--conflicts", "--obsoletes", "--scripts"], &rpms[0]);
    for part in ["virtual = 1", "plain = 4:1.2-3.el7", "enemy", "ancestor < 1", "echo from a file"]
    {
        assert!(every.contains(part), "{part}: {every}");
    }
    let plain = ask(&["--scripts"], &rpms[2]);
    for part in ["true pre_uninstall", "true post_uninstall", "pre_trans", "true post_trans"] {
        assert!(plain.contains(part), "{part}: {plain}");
    }
}
