//! Links that lead out of a source: refused, unless package.toml names them, and never followed.

use std::process::Command;

use fs_err::os::unix::fs::symlink;

use super::{PACKAGE, fetch_fails, fetch_ok, sha256, with};
use crate::{checkout::Checkout, support};

/// A checkout with a source of this kind, in whose tree two links lead out: `etc` and `sub/up`. The key is added to the
/// source's table.
fn checkout(kind: &str, key: &str) -> Checkout {
    let checkout = with("");
    let outside = checkout.path("outside");
    fs_err::create_dir(&outside).unwrap();
    fs_err::write(outside.join("secret"), "secret\n").unwrap();
    let tree = checkout.path("specs/p/tree");
    fs_err::create_dir_all(tree.join("sub")).unwrap();
    fs_err::write(tree.join("file"), "text\n").unwrap();
    symlink(&outside, tree.join("etc")).unwrap();
    symlink("../../../../outside/secret", tree.join("sub/up")).unwrap();
    let run = |program: &str, args: &[&str]| {
        let mut command = Command::new(program);
        command.args(args).current_dir(&tree).env("GIT_CONFIG_GLOBAL", "/dev/null");
        support::ok(command.env("GIT_CONFIG_NOSYSTEM", "1"))
    };
    let source = match kind {
        "path" => "path = \"tree\"".to_owned(),
        "url" => {
            run("tar", &["-cf", "../x.tar", "."]);
            let tar = checkout.path("specs/p/x.tar");
            let sha256 = sha256(&fs_err::read(&tar).unwrap());
            format!("url = \"file://{}\"\nsha256 = \"{sha256}\"", tar.display())
        }
        _ => {
            run("git", &["init", "-q"]);
            run("git", &["add", "."]);
            let author = ["-c", "user.name=a", "-c", "user.email=a@localhost"];
            run("git", &[&author[..], &["commit", "-q", "-m", "x"]].concat());
            let commit = run("git", &["rev-parse", "HEAD"]);
            format!("git = \"file://{}\"\ncommit = \"{}\"", tree.display(), commit.trim())
        }
    };
    checkout.write("specs/p/package.toml", format!("[source.tree]\n{source}\n{key}\n{PACKAGE}"));
    checkout
}

#[test]
fn a_link_that_leads_out_must_be_named_and_is_not_followed() {
    if !support::have("links out of sources", &["git", "tar"]) {
        return;
    }
    for kind in ["path", "url", "git"] {
        for (key, refused) in
            [("", "etc"), ("links-out = [\"etc\"]", "sub/up"), ("links-out = [\"sub\"]", "etc")]
        {
            let checkout = checkout(kind, key);
            let (code, text) = fetch_fails(&checkout, &["--unpack", "out"], &[]);
            assert_eq!(code, 4, "{kind}: {text}");
            assert!(text.contains(refused) && text.contains("leads out of it, to"), "{text}");
            assert!(text.contains("`links-out` of the source in package.toml"), "{text}");
            assert!(!checkout.path("out/p/tree/file").exists(), "{kind}");
        }
        let checkout = checkout(kind, "links-out = [\"etc\", \"./sub/up\"]");
        fetch_ok(&checkout, &["--unpack", "out"]);
        let tree = checkout.path("out/p/tree");
        assert_eq!(fs_err::read_to_string(tree.join("file")).unwrap(), "text\n");
        let target = |link: &str| fs_err::read_link(tree.join(link)).unwrap();
        assert_eq!(target("etc"), checkout.path("outside"), "{kind}");
        assert_eq!(target("sub/up").to_str(), Some("../../../../outside/secret"), "{kind}");
        let secret = checkout.path("outside/secret");
        assert_eq!(fs_err::read_to_string(secret).unwrap(), "secret\n");
        // What one description allows is not allowed to others, though the source is kept for both.
        let path = checkout.path("specs/p/package.toml");
        let text = fs_err::read_to_string(path).unwrap().replace("links-out", "#");
        checkout.write("specs/p/package.toml", text);
        let (code, text) = fetch_fails(&checkout, &["--unpack", "again"], &[]);
        assert!(code == 4 && text.contains("leads out of it"), "{kind}: {text}");
    }
}

/// A patch that writes through the link, and one that replaces what is behind it.
#[test]
fn a_patch_does_not_write_through_a_link_that_may_lead_out() {
    if !support::have("patches and links out", &["git", "tar"]) {
        return;
    }
    let key = "links-out = [\"etc\", \"sub/up\"]\npatches = [\"x.patch\"]";
    let new = "diff --git a/etc/new b/etc/new\nnew file mode 100644\n--- /dev/null\n+++ b/etc/new\n@@ -0,0 +1 @@\n+x\n";
    let change = "--- a/etc/secret\n+++ b/etc/secret\n@@ -1 +1 @@\n-secret\n+mine\n";
    for patch in [new, change] {
        let checkout = checkout("url", "");
        checkout.write("specs/p/x.patch", patch);
        let path = checkout.path("specs/p/package.toml");
        let text = fs_err::read_to_string(path).unwrap();
        checkout
            .write("specs/p/package.toml", text.replace("\nsha256", &format!("\n{key}\nsha256")));
        let (code, text) = fetch_fails(&checkout, &["--unpack", "out"], &[]);
        assert!(code == 4 && text.contains("x.patch"), "{text}");
        let outside = checkout.path("outside");
        assert_eq!(fs_err::read_to_string(outside.join("secret")).unwrap(), "secret\n");
        assert!(!outside.join("new").exists());
    }
}
