//! `unpack`: packages become one new folder, or nothing is left.

use std::{os::unix::fs::PermissionsExt, process::Stdio, time::Duration};

use crate::checkout::Checkout;

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
  { dest = "/opt/link", link = "real" },
  { dest = "/opt/closed", dir = true, mode = "0555" },
]

[package.app]
assets = [
  { source = "text", dest = "/opt/link/app/text" },
  { source = "text", dest = "/opt/app/program", mode = "4755" },
]

[package.other]
assets = [{ source = "other", dest = "/opt/app/program", mode = "4755" }]

[[changelog]]
date = 2026-11-22
author = "A <a@localhost> - 1-1"
text = ["First"]
"#;

const KEY: &str = "dist/el7/RPM-GPG-KEY-mesos-calico";
const APP: &str = "dist/el7/app-1.0-1.noarch.rpm";
const FILESYSTEM: &str = "dist/el7/filesystem-1.0-1.noarch.rpm";
const LARGE: &str = "dist/el7/large-1.0-1.noarch.rpm";
const OTHER: &str = "dist/el7/other-1.0-1.noarch.rpm";

fn published() -> Checkout {
    let checkout = Checkout::empty();
    checkout.write("specs/made/package.toml", PACKAGES);
    checkout.write("specs/made/text", "text\n");
    checkout.write("specs/made/other", "other\n");
    checkout.ok(&["rpm"]);
    checkout
}

#[test]
fn packages_are_unpacked_in_the_order_of_their_dependencies() {
    let checkout = published();
    fs_err::create_dir(checkout.path("into")).unwrap();
    // `app` is named first. Its path goes through the link of `filesystem`.
    let text = checkout.ok(&["unpack", APP, FILESYSTEM, "--into", "into", "--public-key", KEY]);
    assert!(text.contains("unpacked 2 packages with 2 files"), "{text}");
    assert!(text.contains("set-id bits of 1 files"), "{text}");
    assert!(!text.contains("not checked"), "{text}");
    assert!(checkout.path("into/opt/real/app/text").is_file());
    let mode =
        |path: &str| fs_err::metadata(checkout.path(path)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("into/opt/app/program"), mode("into/opt/closed")), (0o755, 0o755));
    let text = checkout.ok(&["--json", "unpack", FILESYSTEM, APP, "--into", "new/again"]);
    let again: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&again["event"], &again["signed"]), (&"unpacked".into(), &false.into()));
    let other = checkout.ok(&["--json", "unpack", FILESYSTEM, APP, "--into", "new/third"]);
    let other: serde_json::Value = serde_json::from_str(&other).unwrap();
    assert_eq!(again["digest"], other["digest"]);
}

/// Somebody exchanges the file at some moment. What was not checked is never unpacked.
#[test]
fn a_package_that_is_replaced_meanwhile_is_not_unpacked() {
    let checkout = Checkout::empty();
    let large = "[package.large]\nassets = [{ source = \"large\", dest = \"/opt/large\" }]\n\n[[changelog]]";
    checkout.write("specs/made/package.toml", PACKAGES.replace("[[changelog]]", large));
    checkout.write("specs/made/text", "text\n");
    checkout.write("specs/made/other", "other\n");
    // Its digests take some time, after those of the other package.
    let random: Vec<u8> = (0..1_000_000_u64)
        .flat_map(|i| i.wrapping_mul(i).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes())
        .collect();
    checkout.write("specs/made/large", random);
    checkout.ok(&["rpm"]);
    let signed = fs_err::read(checkout.path(APP)).unwrap();
    let stranger = crate::support::key_file("b");
    checkout.ok(&["rpm", "other", "--key", stranger.to_str().unwrap(), "--out", "strange"]);
    let other = fs_err::read(checkout.path("strange/other-1.0-1.noarch.rpm")).unwrap();
    for moment in 0..8 {
        checkout.write("app.rpm", &signed);
        checkout.write("other.rpm", &other);
        let into = format!("into/{moment}");
        let args = ["unpack", "app.rpm", LARGE, "--into", &into, "--public-key", KEY];
        let mut run = checkout.xtask(&args);
        let mut run = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Not to wait for something: to meet it at another place each time.
        std::thread::sleep(Duration::from_millis(moment * 3));
        fs_err::rename(checkout.path("other.rpm"), checkout.path("app.rpm")).unwrap();
        let unpacked = run.wait().unwrap().success();
        let program = fs_err::read(checkout.path(&into).join("opt/app/program"));
        assert!(!unpacked || program.unwrap() == b"text\n", "{moment}");
    }
}

#[test]
fn a_folder_that_cannot_be_filled_is_left_as_it_was() {
    let checkout = published();
    let fails = |args: &[&str], code: i32, expected: &str| {
        let (found, text) = checkout.fails(args);
        assert!(found == code && text.contains(expected), "{found}: {text}");
    };
    checkout.write("full/file", "mine");
    fails(&["unpack", APP, "--into", "full"], 10, "full is not empty");
    fails(&["unpack", APP, "--into", "full/file"], 10, "full/file");
    fails(&["unpack", APP, OTHER, "--into", "new"], 9, "/opt/app/program of other-1.0-1.noarch");
    // Damaged in the payload: the signature shows it, and without a key the payload itself.
    let mut bytes = fs_err::read(checkout.path(APP)).unwrap();
    let last = bytes.len() - 20;
    bytes[last] ^= 1;
    checkout.write("damaged.rpm", &bytes);
    let damaged = ["unpack", "damaged.rpm", "--into", "new"];
    fails(&[&damaged[..], &["--public-key", KEY]].concat(), 9, "signature does not match");
    fails(&damaged, 9, "header and payload MD5");
    // Damaged in the header, which names the files.
    let mut bytes = fs_err::read(checkout.path(APP)).unwrap();
    let at = bytes.windows(8).position(|w| w == b"program\0").unwrap();
    bytes[at] ^= 1;
    checkout.write("damaged.rpm", &bytes);
    fails(&damaged, 9, "header SHA");
    fails(&["unpack", "specs/made/text", "--into", "new"], 9, "is truncated");
    let names = fs_err::read_dir(checkout.path(".")).unwrap().map(|e| e.unwrap().file_name());
    let names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    assert!(!names.iter().any(|name| name == "new" || name.starts_with(".unpack")), "{names:?}");
}
