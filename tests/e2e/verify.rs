//! `verify` refuses repositories that somebody has changed.

use std::{os::unix::fs::FileExt, path::Path, process::Command};

use crate::{
    checkout::{Checkout, walk},
    support,
};

const DIST: &str = "dist/el7";

fn published() -> Checkout {
    let checkout = Checkout::new();
    checkout.ok(&["rpm"]);
    checkout
}

/// The exit code and the message of `verify` with the key that is trusted. What hangs is ended.
fn verify(checkout: &Checkout, args: &[&str]) -> (i32, String) {
    let public = support::public_key_file("a");
    let xtask = checkout.xtask(&["verify", "--public-key", public.to_str().unwrap()]);
    let mut command = Command::new("timeout");
    command.arg("60").arg(xtask.get_program()).args(xtask.get_args()).args(args);
    checkout.code_and_text(&support::run(command.current_dir(checkout.dir.path())))
}

/// A copy of what was published, changed by `change`.
fn changed(checkout: &Checkout, change: impl FnOnce(&Path)) -> String {
    let copy = tempfile::tempdir().unwrap();
    let dir = copy.path().join("el7");
    support::ok(Command::new("cp").arg("-a").arg(checkout.path(DIST)).arg(&dir));
    change(&dir);
    let (code, message) = verify(checkout, &[dir.to_str().unwrap()]);
    assert_eq!(code, 9, "{message}");
    message
}

#[test]
fn a_published_repository_must_be_whole() {
    let checkout = published();
    assert_eq!(verify(&checkout, &[]).0, 0);
    for file in walk(&checkout.path(DIST)) {
        let gone = changed(&checkout, |dir| fs_err::remove_file(dir.join(&file)).unwrap());
        assert!(gone.contains(&format!("{file}: is ")), "{file}: {gone}");
        changed(&checkout, |dir| {
            let mut bytes = fs_err::read(dir.join(&file)).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs_err::write(dir.join(&file), bytes).unwrap();
        });
    }
}

#[test]
fn a_stripped_repository_is_refused() {
    let message = changed(&published(), |dir| {
        fs_err::remove_file(dir.join("SHA256SUMS")).unwrap();
        fs_err::remove_file(dir.join("SHA256SUMS.asc")).unwrap();
        let repo = dir.join("mesos-calico.repo");
        let text = fs_err::read_to_string(&repo).unwrap().replace("gpgcheck=1", "gpgcheck=0");
        fs_err::write(repo, text.replace("/srv/", "/tmp/")).unwrap();
        let other = fs_err::read(support::public_key_file("b")).unwrap();
        fs_err::write(dir.join("RPM-GPG-KEY-mesos-calico"), other).unwrap();
        fs_err::write(dir.join("junk"), "").unwrap();
    });
    assert!(message.contains("SHA256SUMS: is missing"), "{message}");
    assert!(message.contains("say so with --indexed"), "{message}");
}

#[test]
fn verify_refuses_files_that_no_signature_covers() {
    let checkout = published();
    let add = |name: &str| {
        changed(&checkout, |dir| {
            let path = dir.join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, "junk").unwrap();
        })
    };
    for name in ["junk", ".hidden", "repodata/junk", "folder/junk"] {
        let message = add(name);
        assert!(message.contains(&format!("{name}: is not listed in SHA256SUMS")), "{message}");
    }
    let message = changed(&checkout, |dir| fs_err::create_dir(dir.join("empty")).unwrap());
    assert!(message.contains("empty: is not listed"), "{message}");
    let message = changed(&checkout, |dir| {
        let rpm = dir.join("notes-1-1.el7.noarch.rpm");
        fs_err::copy(&rpm, dir.join("notes-2-1.el7.noarch.rpm")).unwrap();
    });
    assert!(
        message.contains("notes-2-1.el7.noarch.rpm: is not listed in the signed metadata"),
        "{message}"
    );
}

/// No checksum covers the signature of the list itself.
#[test]
fn verify_refuses_text_beside_the_signature_of_sha256sums() {
    let checkout = published();
    let with = |change: &dyn Fn(&str) -> String| {
        changed(&checkout, |dir| {
            let path = dir.join("SHA256SUMS.asc");
            let text = fs_err::read_to_string(&path).unwrap();
            fs_err::write(path, change(&text)).unwrap();
        })
    };
    let header = "-----BEGIN PGP SIGNATURE-----\n";
    for message in [
        with(&|text| format!("{text}more\n")),
        with(&|text| format!("more\n{text}")),
        with(&|text| text.repeat(2)),
        with(&|text| text.replace(header, &format!("{header}Comment: more\n"))),
    ] {
        assert!(message.contains("SHA256SUMS.asc: "), "{message}");
    }
}

/// Signed by the right key, and yet not this repository: an older list, another address.
#[test]
fn signed_files_that_do_not_belong_together_are_refused() {
    let checkout = published();
    let before = checkout.path("before");
    support::ok(Command::new("cp").arg("-a").arg(checkout.path(DIST)).arg(&before));
    checkout.write("specs/notes/README", "Other notes\n");
    checkout.ok(&["rpm", "--base-url", "https://repo.example.org/el7"]);
    assert_eq!(verify(&checkout, &[]).0, 0);
    for file in walk(&checkout.path(DIST)).iter().filter(|f| before.join(f).exists()) {
        let (old, new) =
            (fs_err::read(before.join(file)), fs_err::read(checkout.path(DIST).join(file)));
        if old.unwrap() == new.unwrap() {
            continue;
        }
        changed(&checkout, |dir| {
            fs_err::copy(before.join(file), dir.join(file)).unwrap();
        });
    }
    changed(&checkout, |dir| {
        for file in ["SHA256SUMS", "SHA256SUMS.asc"] {
            fs_err::copy(before.join(file), dir.join(file)).unwrap();
        }
    });
}

#[test]
fn neither_fifos_nor_endless_files_keep_verify_busy() {
    let checkout = published();
    for file in walk(&checkout.path(DIST)) {
        let replaced = |make: &dyn Fn(&Path)| {
            let message = changed(&checkout, |dir| {
                fs_err::remove_file(dir.join(&file)).unwrap();
                make(&dir.join(&file));
            });
            assert!(!message.contains("timed out"), "{message}");
        };
        replaced(&|path| {
            support::ok(Command::new("mkfifo").arg(path));
        });
        replaced(&|path| fs_err::os::unix::fs::symlink("/dev/zero", path).unwrap());
        // A sparse file: what would be read of it fills no disk, but any memory.
        replaced(&|path| fs_err::File::create(path).unwrap().set_len(1 << 42).unwrap());
        replaced(&|path| {
            let file = fs_err::File::create(path).unwrap();
            file.file().write_all_at(b"x", 1 << 33).unwrap();
        });
    }
    let key = checkout.path("key");
    for make in ["mkfifo \"$1\"", "ln -s /dev/zero \"$1\"", "truncate -s 1T \"$1\"", "mkdir \"$1\""]
    {
        support::ok(Command::new("sh").args(["-c", make, "sh"]).arg(&key));
        let mut command = checkout.xtask(&["verify", "--public-key", "key"]);
        let (code, message) = checkout.code_and_text(&support::run(&mut command));
        assert_eq!(code, 8, "{message}");
        support::ok(Command::new("rm").arg("-r").arg(&key));
    }
}

#[test]
fn a_link_to_a_good_repository_is_good() {
    let checkout = published();
    fs_err::os::unix::fs::symlink(DIST, checkout.path("link")).unwrap();
    for path in ["link", "link/", "dist/../link"] {
        assert_eq!(verify(&checkout, &[path]).0, 0, "{path}");
    }
}

#[test]
fn an_indexed_folder_is_verified_as_such() {
    let checkout = published();
    let folder = checkout.path("folder");
    fs_err::create_dir(&folder).unwrap();
    for file in walk(&checkout.path(DIST)).iter().filter(|f| f.ends_with(".rpm")) {
        fs_err::copy(checkout.path(DIST).join(file), folder.join(file)).unwrap();
    }
    checkout.write("folder/README", "not ours");
    checkout.ok(&["index", "folder"]);
    assert_eq!(verify(&checkout, &["folder"]).0, 9, "nothing says that it was only indexed");
    assert_eq!(verify(&checkout, &["--indexed", "folder"]).0, 0);
    let public = support::public_key_file("a");
    let said =
        checkout.ok(&["verify", "--indexed", "folder", "--public-key", public.to_str().unwrap()]);
    assert!(said.contains("no signature covers these files: README"), "{said}");

    let rpm = folder.join("notes-1-1.el7.noarch.rpm");
    fs_err::copy(&rpm, folder.join("extra.rpm")).unwrap();
    let (code, message) = verify(&checkout, &["--indexed", "folder"]);
    assert_eq!(code, 9, "{message}");
    assert!(message.contains("extra.rpm: is not listed in the signed metadata"), "{message}");
    fs_err::remove_file(folder.join("extra.rpm")).unwrap();
    fs_err::remove_file(folder.join("repodata/repomd.xml.asc")).unwrap();
    assert_eq!(verify(&checkout, &["--indexed", "folder"]).0, 9);
}

/// A result that was not written anywhere is none: an empty file would look like one.
#[test]
fn a_result_that_cannot_be_printed_is_a_failure() {
    let checkout = published();
    let public = support::public_key_file("a");
    let verify = ["verify", "--public-key", public.to_str().unwrap()];
    for args in [&verify[..], &["plan"], &["plan", "--json"], &["schema"], &["doctor", "--json"]] {
        let full = fs_err::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = checkout.xtask(args);
        command.stdout(full.into_parts().0);
        let (code, message) = checkout.code_and_text(&support::run(&mut command));
        let is_told = message.contains("standard output cannot be written to");
        assert!(code != 0 && is_told, "{args:?}: {code} {message}");
    }
    // Who reads no further has what he wants.
    let script = "\"$@\" | head -n 0";
    let mut sh = Command::new("bash");
    let plan = checkout.xtask(&["plan"]);
    sh.args(["-o", "pipefail", "-c", script, "bash"]).arg(plan.get_program()).args(plan.get_args());
    support::ok(&mut sh);
}
