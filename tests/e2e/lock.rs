//! `lock`: the packages of a build system, chosen from a repository that `rpm` published.

use crate::{
    checkout::{Checkout, repository},
    sources::web::{Web, WebAnswer},
    support,
};

const PACKAGES: &str = r#"
[common]
version = "1.0"
release = "1"
license = "x"
arch = "noarch"
summary = "Made for a test"

[package.filesystem]
assets = [
  { dest = "/opt/real", dir = true },
  { dest = "/opt/made", link = "real" },
  { dest = "/opt/closed", dir = true, mode = "0555" },
]

[package.library]
provides = { libmade = "= 2" }
assets = [{ source = "text", dest = "/opt/made/library/text" }]

[package.app]
requires = { libmade = ">= 2", "/opt/made/library/text" = "*" }
assets = [{ source = "text", dest = "/opt/app/program", mode = "4755" }]

[package.broken]
requires = { broken-too = "*" }

[package.broken-too]
requires = { nobody-has-this = ">= 3" }

[package.hostile]
conflicts = { library = "*" }
requires = { app = "*" }

[package.other]
assets = [{ source = "text", dest = "/opt/other" }]

[[changelog]]
date = 2026-11-22
author = "A <a@localhost> - 1-1"
text = ["First"]
"#;

/// The lock of the image.
pub const LOCK: &str = "containers/made/root.lock";

/// A checkout with a published repository, and an image with packages from it.
pub fn checkout(wanted: &str) -> Checkout {
    let checkout = Checkout::empty();
    checkout.write("specs/made/package.toml", PACKAGES);
    checkout.write("specs/made/text", "text\n");
    checkout.ok(&["rpm"]);
    let repository = format!("file://{}", checkout.path("dist/el7").display());
    describe(&checkout, &[repository], wanted, true);
    checkout
}

pub fn fingerprint() -> String {
    use el7rpm::openpgp::Signer;
    support::key("a").certificate().fingerprint()
}

pub fn describe(checkout: &Checkout, urls: &[String], wanted: &str, is_signed: bool) {
    let key = checkout.path("dist/el7/RPM-GPG-KEY-mesos-calico");
    let text = format!(
        "[key.ours]\nfingerprint = '{}'\nurls = ['file://{}']\n\
         [repository.made]\nurls = {urls:?}\nkey = 'ours'\nsigned-metadata = {is_signed}\n\
         [[want]]\npackages = ['filesystem', '{wanted}']\nwhy = 'a test'\n",
        fingerprint(),
        key.display(),
    );
    checkout.write("containers/made/image.toml", text);
}

pub fn lock_of(checkout: &Checkout) -> String {
    fs_err::read_to_string(checkout.path(LOCK)).unwrap()
}

#[test]
fn a_lock_has_the_wanted_packages_and_all_that_they_require() {
    let checkout = checkout("app");
    let text = checkout.ok(&["lock", "made"]);
    let added: Vec<_> = text.lines().filter(|line| line.starts_with("+ ")).collect();
    assert_eq!(
        added,
        [
            "+ app 1.0-1.noarch (made)",
            "+ filesystem 1.0-1.noarch (made)",
            "+ library 1.0-1.noarch (made)"
        ]
    );
    let lock = lock_of(&checkout);
    assert!(lock.contains("path = \"library-1.0-1.noarch.rpm\""), "{lock}");
    assert!(checkout.ok(&["lock", "made"]).contains("is up to date: 3 packages"));
    checkout.ok(&["lock", "made", "--check"]);
    assert_eq!(lock_of(&checkout), lock);
    let json = checkout.ok(&["--json", "lock", "made"]);
    let json: serde_json::Value = serde_json::from_str(json.lines().last().unwrap()).unwrap();
    assert_eq!((&json["event"], &json["state"]), (&"locked".into(), &"unchanged".into()));
}

#[test]
fn wishes_that_cannot_be_satisfied_are_explained() {
    let checkout = checkout("broken");
    let fails = |expected: &[&str]| {
        let (code, text) = checkout.fails(&["lock", "made"]);
        assert_eq!(code, 4, "{text}");
        for part in expected {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!checkout.path("containers/made/root.lock").exists());
    };
    fails(&[
        "broken is wanted",
        "broken-1.0-1.noarch requires broken-too",
        "broken-too-1.0-1.noarch requires nobody-has-this >= 3",
        "no package provides nobody-has-this >= 3",
    ]);
    let urls = [format!("file://{}", checkout.path("dist/el7").display())];
    describe(&checkout, &urls, "hostile", true);
    fails(&["hostile", "library"]);
    for odd in ["", " ", "app >= 1", "lib*"] {
        describe(&checkout, &urls, odd, true);
        let (code, text) = checkout.fails(&["lock", "made"]);
        assert!(code == 3 && text.contains("without versions and patterns"), "{text}");
    }
}

#[test]
fn what_is_in_the_place_of_the_lock_is_named() {
    let checkout = checkout("app");
    checkout.write("containers/made/root.lock/file", "mine");
    let (code, text) = checkout.fails(&["lock", "made"]);
    assert!(code == 10 && text.contains("containers/made/root.lock cannot be written"), "{text}");
    assert!(checkout.path("containers/made/root.lock/file").exists());
}

#[test]
fn check_shows_the_changes_and_writes_nothing() {
    let checkout = checkout("app");
    checkout.ok(&["lock", "made"]);
    let before = lock_of(&checkout);
    let newer = PACKAGES.replace("version = \"1.0\"", "version = \"1.1\"");
    checkout.write("specs/made/package.toml", newer);
    checkout.ok(&["rpm"]);
    let output = support::run(&mut checkout.xtask(&["lock", "made", "--check"]));
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(9), "{text}");
    assert!(text.contains("  app 1.0-1.noarch (made) -> 1.1-1.noarch (made)"), "{text}");
    assert_eq!(lock_of(&checkout), before);
    checkout.ok(&["lock", "made"]);
    checkout.ok(&["lock", "made", "--check"]);
    checkout.write(LOCK, "format = 2\n");
    let (code, text) = checkout.fails(&["lock", "made", "--check"]);
    assert!(code == 4 && text.contains("root.lock cannot be used"), "{text}");
}

#[test]
fn keys_and_metadata_are_checked() {
    let checkout = checkout("app");
    let fails = |expected: &str| {
        let (code, text) = checkout.fails(&["lock", "made"]);
        assert!(code == 4 && text.contains(expected), "{code}: {text}");
    };
    // Another key under the same name.
    let description = fs_err::read_to_string(checkout.path("containers/made/image.toml")).unwrap();
    let other = description.replace(&fingerprint(), &"0".repeat(40));
    checkout.write("containers/made/image.toml", other);
    fails(&format!("its fingerprint is {}", fingerprint()));
    checkout.write("containers/made/image.toml", description);
    // Metadata that was changed after it was signed.
    let repomd = checkout.path("dist/el7/repodata/repomd.xml");
    let whole = fs_err::read_to_string(&repomd).unwrap();
    fs_err::write(&repomd, format!("{whole}\n")).unwrap();
    fails("the signature does not match the content");
    // Metadata that nobody signed, and that is hostile.
    let urls = [format!("file://{}", checkout.path("dist/el7").display())];
    describe(&checkout, &urls, "app", false);
    let bomb = "<!DOCTYPE x [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;&a;&a;'>]>";
    for (hostile, expected) in [
        (whole.replacen("<repomd", &format!("{bomb}<repomd"), 1), "document type"),
        (whole.replace("repodata/", "../"), "not inside the repository"),
        (whole.replace("sha256\">", "sha256\">../../"), "not 64 hex digits"),
        ("<html></html>".to_owned(), "it is not a repomd.xml"),
    ] {
        fs_err::write(&repomd, hostile).unwrap();
        fails(expected);
    }
    fs_err::write(&repomd, whole).unwrap();
    checkout.ok(&["lock", "made"]);
}

/// primary.xml does not list these paths, and the second is required by the package that has the first.
#[test]
fn paths_are_found_in_filelists() {
    let checkout = checkout("wants-path");
    let package = |name: &str, requires: &str, dest: &str| {
        format!(
            "[package.{name}]\nrequires = {{ {requires} }}\n\
             assets = [{{ source = 'text', dest = '{dest}' }}]\n"
        )
    };
    let more = [
        package("wants-path", "'/opt/a/file' = '*'", "/opt/wants-path"),
        package("has-a", "'/opt/b/file' = '*'", "/opt/a/file"),
        package("has-b", "", "/opt/b/file"),
    ];
    let packages = PACKAGES.replace("[[changelog]]", &format!("{}[[changelog]]", more.concat()));
    checkout.write("specs/made/package.toml", packages);
    checkout.ok(&["rpm"]);
    let text = checkout.ok(&["lock", "made"]);
    for name in ["wants-path", "has-a", "has-b"] {
        assert!(text.contains(&format!("+ {name} 1.0-1.noarch")), "{text}");
    }
}

/// The first mirror is not there, the second breaks off and goes on.
#[test]
fn mirrors_are_tried_before_the_addresses_of_the_description() {
    let checkout = checkout("app");
    let dist = checkout.path("dist/el7");
    let web = Web::serve(move |request, _| {
        match fs_err::read(dist.join(request.path.trim_start_matches('/'))) {
            // Only a file of known content is continued.
            Ok(content)
                if request.header("range").is_none() && !request.path.contains("repomd") =>
            {
                WebAnswer::file(&content, request).cut(content.len() / 2)
            }
            Ok(content) => WebAnswer::file(&content, request),
            Err(_) => WebAnswer::status(404),
        }
    });
    describe(&checkout, &["file:///nowhere".to_owned()], "app", true);
    let mirror = format!("made={}", web.url(""));
    let nowhere = ["--mirror", "made=file:///nowhere/else"];
    let lock = [&["lock", "made", "--timeout", "5"], &nowhere[..], &["--mirror", &mirror]].concat();
    checkout.ok(&lock);
    let (code, text) = checkout.fails(&["lock", "made", "--mirror", "x=file:///y"]);
    assert!(code == 2 && text.contains("repositories of made are: made"), "{text}");
    let (code, text) = checkout.fails(&["lock", "made", "--mirror", "made=ftp://y"]);
    assert!(code == 2 && text.contains("does not begin with https://"), "{text}");
    let (code, text) = checkout.fails(&["lock", "made", "--offline"]);
    assert!(code == 4 && text.contains("file:///nowhere/repodata/repomd.xml"), "{text}");
}

/// Its repositories cannot be asked here, but its description must be valid.
#[test]
fn the_description_of_el7_is_checked_first() {
    let checkout = Checkout::empty();
    checkout.copy(&repository().join("containers/el7"), "containers/el7");
    let (code, text) = checkout.fails(&["lock", "--offline"]);
    assert!(code == 4 && text.contains("the key `centos` cannot be fetched"), "{text}");
    for (from, to, expected) in [
        ("fingerprint = \"6341", "fingerprint = \"63411", "is not 40 hex digits"),
        ("key = \"epel\"", "key = \"nobody\"", "names the key `nobody`"),
        ("signed-metadata = false", "signed-metadata = false\nmore = 1", "unknown field `more`"),
        ("why = \"the compiler", "what = \"the compiler", "unknown field `what`"),
        ("\"https://archives", "\"ftp://archives", "does not begin with https://"),
    ] {
        let path = checkout.path("containers/el7/image.toml");
        let whole = fs_err::read_to_string(&path).unwrap();
        fs_err::write(&path, whole.replacen(from, to, 1)).unwrap();
        let (code, text) = checkout.fails(&["lock", "--offline"]);
        assert!(code == 3 && text.contains(expected), "{to}: {text}");
        fs_err::write(&path, whole).unwrap();
    }
    let (code, text) = checkout.fails(&["lock", "../el7"]);
    assert!(code == 2 && text.contains("there is no containers/../el7/image.toml"), "{text}");
}
