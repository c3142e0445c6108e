//! The reader and the judge, on crates of a few lines.

use std::path::PathBuf;

use crate::{
    circles, crates, dependencies, faults,
    reader::{Files, read},
};

fn files(files: &[(&str, &str)]) -> Files {
    files.iter().map(|(path, text)| (PathBuf::from(path), (*text).to_owned())).collect()
}

fn circles_of(all: &[(&str, &str)]) -> Vec<String> {
    circles::circles(&read(&files(all), "lib.rs", &crates()).files)
}

fn crates_of(text: &str) -> Vec<String> {
    let uses = read(&files(&[("lib.rs", text)]), "lib.rs", &crates());
    faults("sources", &["base", "el7rpm"], &uses)
}

#[test]
fn a_circle_names_its_two_files() {
    let a = ("a.rs", "use crate::b::B; pub struct A; fn f(_: B) {}");
    let one_way = [("lib.rs", "mod a; mod b;"), a, ("b.rs", "pub struct B;")];
    assert_eq!(circles_of(&one_way), Vec::<String>::new());
    let b = ("b.rs", "pub struct B; impl B { fn f() { crate::a::A; } }");
    let found = circles_of(&[("lib.rs", "mod a; mod b;"), a, b]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("a.rs uses b.rs (crate::b::B)"), "{found:?}");
    assert!(found[0].contains("b.rs uses a.rs (crate::a::A)"), "{found:?}");
}

#[test]
fn a_circle_is_found_however_it_is_written() {
    let b = ("b.rs", "pub struct B; pub fn f() {}");
    for back in [
        "use super::a::A; pub struct B; pub fn f() {}",
        "use super::{a}; pub struct B; pub fn f() { a::g() }",
        "use crate::*; pub struct B; pub fn f() { a::g() }",
        "use crate::A as Other; pub struct B; pub fn f() {}",
        "pub struct B; pub fn f() { println!(\"{}\", super::a::g()) }",
        "pub struct B; pub fn f() { use crate::a::A; }",
        "pub struct B; pub fn f() {} mod inner { use super::super::a::A; }",
    ] {
        let lib = ("lib.rs", "mod a; mod b; pub use a::A;");
        let a = ("a.rs", "use crate::b; pub struct A; pub fn g() { b::f() }");
        assert_eq!(circles_of(&[lib, a, ("b.rs", back)]).len(), 1, "{back}");
        assert!(circles_of(&[lib, a, b]).is_empty());
    }
}

#[test]
fn folders_make_circles_where_their_files_do_not() {
    let found = circles_of(&[
        ("lib.rs", "mod a; mod b;"),
        ("a/mod.rs", "pub mod one; pub mod two;"),
        ("a/one.rs", "use crate::b::three::Three; pub struct One;"),
        ("a/two.rs", "pub struct Two;"),
        ("b/mod.rs", "pub mod three; pub mod four;"),
        ("b/three.rs", "pub struct Three;"),
        ("b/four.rs", "use crate::a::two::Two; pub struct Four;"),
    ]);
    assert!(found.len() == 1 && found[0].starts_with("modules use each other"), "{found:?}");
}

#[test]
fn a_child_uses_its_parents_types_but_not_its_functions() {
    let child = |text| circles_of(&[("lib.rs", "mod a;"), ("a/mod.rs", PARENT), ("a/b.rs", text)]);
    const PARENT: &str =
        "mod b; pub struct A; pub const C: u8 = 1; pub fn f() {} fn g() { b::h() }";
    assert!(child("use super::A; pub fn h() {}").is_empty());
    for more in ["use super::f; pub fn h() {}", "pub fn h() { super::C; }"] {
        assert_eq!(child(more).len(), 1, "{more}");
    }
}

#[test]
fn tests_may_use_everything() {
    let test = "pub struct B; #[cfg(test)] mod tests { use crate::a::A; use super::*; }";
    let a = ("a.rs", "use crate::b::B; pub struct A;");
    assert!(circles_of(&[("lib.rs", "mod a; mod b;"), a, ("b.rs", test)]).is_empty());
}

#[test]
fn crates_use_only_those_below_them() {
    assert!(
        crates_of("use base::failure::Result; use el7rpm::input; use walkdir::WalkDir;").is_empty()
    );
    for bad in [
        "use xtask::terminal;",
        "use xtask::{terminal::text};",
        "fn f() { xtask::terminal::text() }",
        "pub use xtask::*;",
        "use ::xtask::terminal;",
    ] {
        assert_eq!(
            crates_of(bad),
            ["lib.rs uses the crate xtask, which is not below sources"],
            "{bad}"
        );
    }
}

#[test]
fn manifests_are_read_in_all_their_tables() {
    let text = "[dependencies]\nbase.workspace = true\n[dev-dependencies]\nxtask = \"1\"\nwalkdir = \"2\"\n\
                [target.'cfg(unix)'.dependencies]\ncalico-mesos = \"1\"";
    let found = dependencies(&text.parse().expect("TOML"));
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["base", "calico_mesos", "xtask"]);
}
