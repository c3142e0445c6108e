//! `root`: the root of a build system is made of the packages of its lock, and of nothing else.

use std::{
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Command, Stdio},
};

use crate::{
    checkout::Checkout,
    lock::{LOCK, checkout, describe, fingerprint, lock_of},
    sources::web::{Web, WebAnswer},
    support::{self, el7},
};

/// The key of the repository.
const KEY: &str = "dist/el7/RPM-GPG-KEY-mesos-calico";

fn tree_of(text: &str) -> PathBuf {
    PathBuf::from(text.lines().next().unwrap().rsplit_once(" in ").unwrap().1)
}

fn digest_of(text: &str) -> String {
    text.lines().find_map(|line| line.strip_prefix("digest of the tree: ")).unwrap().to_owned()
}

/// The folders of finished roots.
fn roots(checkout: &Checkout) -> usize {
    let roots = fs_err::read_dir(checkout.path("cache/roots")).into_iter().flatten();
    roots.filter(|entry| entry.as_ref().unwrap().path().is_dir()).count()
}

#[test]
fn a_root_is_made_once_and_is_the_same_each_time() {
    let checkout = checkout("app");
    let (code, text) = checkout.fails(&["root", "made"]);
    assert!(code == 4 && text.contains("`cargo xtask lock made` writes it"), "{text}");
    checkout.ok(&["lock", "made"]);
    let first = checkout.ok(&["root", "made"]);
    assert!(first.contains("the root of made was made: 3 packages, 2 files"), "{first}");
    // Through the link of `filesystem`, without the set-id bit, and removable.
    let tree = tree_of(&first);
    assert!(tree.join("opt/real/library/text").is_file());
    let mode =
        |path: &str| fs_err::metadata(tree.join(path)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("opt/app/program"), mode("opt/closed")), (0o755, 0o755));
    let again = checkout.ok(&["root", "made", "--offline"]);
    assert!(again.contains("is there already"), "{again}");
    assert_eq!(digest_of(&first), digest_of(&again));
    // From the store and the lock alone.
    fs_err::remove_dir_all(checkout.path("cache/roots")).unwrap();
    fs_err::remove_dir_all(checkout.path("dist")).unwrap();
    let json = checkout.ok(&["--json", "root", "made", "--offline"]);
    let json: serde_json::Value = serde_json::from_str(json.lines().last().unwrap()).unwrap();
    assert_eq!((&json["event"], &json["was_there"]), (&"root".into(), &false.into()));
    assert_eq!(json["digest"], digest_of(&first));
    // The lock belongs to one description.
    describe(&checkout, &["file:///nowhere".to_owned()], "other", true);
    let (code, text) = checkout.fails(&["root", "made"]);
    assert!(code == 4 && text.contains("was made from another image.toml"), "{text}");
}

#[test]
fn two_runs_at_once_make_one_root() {
    let checkout = checkout("app");
    checkout.ok(&["lock", "made"]);
    let runs = [(); 2].map(|()| {
        checkout.xtask(&["root", "made"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
    });
    let texts = runs.map(|run| {
        let output = run.unwrap().wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    });
    assert_eq!(digest_of(&texts[0]), digest_of(&texts[1]));
    let made = texts.iter().filter(|text| text.contains("was made")).count();
    assert_eq!((made, roots(&checkout)), (1, 1));
}

#[test]
fn what_killed_runs_left_is_removed() {
    let checkout = checkout("app");
    checkout.ok(&["lock", "made"]);
    checkout.write("cache/roots/abc.tmp/tree/file", "half");
    checkout.ok(&["root", "made"]);
    assert!(!checkout.path("cache/roots/abc.tmp").exists());
    assert_eq!(roots(&checkout), 1);
}

#[test]
fn a_lock_that_lies_is_found_out() {
    let checkout = checkout("app");
    checkout.ok(&["lock", "made"]);
    let lock = lock_of(&checkout);
    let fails = |lie: String, code: i32, expected: &str| {
        assert_ne!(lie, lock);
        checkout.write(LOCK, lie);
        let (found, text) = checkout.fails(&["root", "made"]);
        assert!(found == code && text.contains(expected), "{found}: {text}");
        assert_eq!(roots(&checkout), 0);
    };
    let version = lock.replace("evr = \"1.0-1\"", "evr = \"1.0-2\"");
    fails(version, 9, "it is app-1.0-1.noarch, not app-1.0-2.noarch");
    // Of the size: of a package in the store, and of one that is fetched.
    let line = lock.lines().filter(|line| line.starts_with("size = ")).nth(1).unwrap();
    fails(lock.replacen(line, &format!("{line}1"), 1), 9, "bytes, and the lock says");
    fs_err::remove_dir_all(checkout.path("cache/sources")).unwrap();
    fails(lock.replacen(line, &format!("{line}1"), 1), 4, "its repository or lock gives");
    let package = lock.find("[[package]]").unwrap();
    let digest = lock[package..].find("sha256 = \"").unwrap() + package + 10;
    let other = format!("{}{}{}", &lock[..digest], "0".repeat(64), &lock[digest + 64..]);
    fails(other, 4, "no address has the right content");
    fails(lock.replace("path = \"", "path = \"../"), 4, "not inside the repository");
    fails(lock.replace("sha256 = \"", "sha256 = \"../"), 4, "is not a SHA-256");
    fails(lock.replace("\"made\"", "\"gone\""), 4, "from `gone`, which is missing");
}

/// The metadata is not signed here, and names packages that another key has signed.
#[test]
fn packages_must_be_signed_by_the_key_of_their_repository() {
    let checkout = checkout("app");
    let urls = [format!("file://{}", checkout.path("dist/el7").display())];
    describe(&checkout, &urls, "app", false);
    checkout.ok(&["lock", "made"]);
    checkout.ok(&["root", "made"]);
    assert_eq!(roots(&checkout), 1);
    let description = fs_err::read_to_string(checkout.path("containers/made/image.toml")).unwrap();
    let own = checkout.path(KEY).display().to_string();
    let other = support::public_key_file("b").display().to_string();
    let theirs = {
        use el7rpm::openpgp::Signer;
        support::key("b").certificate().fingerprint()
    };
    let description = description.replace(&own, &other).replace(&fingerprint(), &theirs);
    checkout.write("containers/made/image.toml", description);
    checkout.ok(&["lock", "made"]);
    // The root of the same packages, which another key has signed, does not count.
    let (code, text) = checkout.fails(&["root", "made"]);
    assert!(code == 9 && text.contains("failed verification"), "{code}: {text}");
    assert!(text.contains("signature"), "{text}");
    assert_eq!(roots(&checkout), 1);
}

/// The first mirror has another package under the same name, the second breaks off, and the third does not exist.
#[test]
fn packages_come_from_any_mirror_that_has_them() {
    let checkout = checkout("app");
    let dist = checkout.path("elsewhere/el7");
    let other = fs_err::read(checkout.path("dist/el7").join("other-1.0-1.noarch.rpm")).unwrap();
    let first = Web::serve(move |_, _| WebAnswer::all(&other));
    let second = Web::serve(move |request, _| {
        match fs_err::read(dist.join(request.path.trim_start_matches('/'))) {
            Ok(content) if request.header("range").is_none() => {
                WebAnswer::file(&content, request).cut(content.len() / 2)
            }
            Ok(content) => WebAnswer::file(&content, request),
            Err(_) => WebAnswer::status(404),
        }
    });
    checkout.ok(&["lock", "made"]);
    // Only the key is left, beside the repository.
    let key = fs_err::read(checkout.path(KEY)).unwrap();
    fs_err::rename(checkout.path("dist"), checkout.path("elsewhere")).unwrap();
    checkout.write(KEY, key);
    let mirrors = [first.url(""), second.url("")].map(|url| format!("made={url}"));
    let [first, second] = mirrors.each_ref().map(String::as_str);
    let (code, text) = checkout.fails(&["root", "made", "--mirror", first, "--timeout", "5"]);
    assert!(code == 4 && text.contains("no address has the right content"), "{code}: {text}");
    let (code, text) = checkout.fails(&["root", "made", "--mirror", first, "--offline"]);
    assert!(code == 4 && text.contains("--offline forbids"), "{code}: {text}");
    let root = ["root", "made", "--mirror", first, "--mirror", second, "--timeout", "5"];
    assert!(checkout.ok(&root).contains("3 packages"));
}

/// CentOS' own packages: signatures of OpenPGP version 3, without a SHA-256 of the header.
#[test]
fn genuine_packages_become_a_root() {
    let test = "a root of genuine packages";
    let Some(folder) = el7::packages(test) else { return };
    if !support::have(test, &["createrepo_c"]) {
        return;
    }
    let checkout = Checkout::empty();
    let release = el7::package(&folder, "centos-release");
    checkout.ok(&["unpack", release.to_str().unwrap(), "--into", "release"]);
    let key = checkout.path("release/etc/pki/rpm-gpg/RPM-GPG-KEY-CentOS-7");
    let repository = checkout.path("repository");
    fs_err::create_dir(&repository).unwrap();
    for entry in fs_err::read_dir(&folder).unwrap() {
        let from = entry.unwrap().path();
        fs_err::copy(&from, repository.join(from.file_name().unwrap())).unwrap();
    }
    support::ok(Command::new("createrepo_c").arg("--quiet").arg(&repository));
    let text = format!(
        "[key.centos]\nfingerprint = '6341AB2753D78A78A7C27BB124C6A8A7F4A80EB5'\n\
         urls = ['file://{}']\n[repository.base]\nurls = ['file://{}']\nkey = 'centos'\n\
         signed-metadata = false\n[[want]]\npackages = ['tzdata', 'centos-release', '/etc/mime.types']\nwhy = 'a test'\n",
        key.display(),
        repository.display(),
    );
    checkout.write("containers/el7/image.toml", text);
    checkout.ok(&["lock"]);
    let made = checkout.ok(&["root"]);
    let tree = tree_of(&made);
    for path in ["usr/share/zoneinfo/UTC", "etc/centos-release", "etc/mime.types"] {
        assert!(tree.join(path).is_file(), "{path}: {made}");
    }
}
