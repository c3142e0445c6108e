//! A file that is there and cannot be read is an error; it is never treated as a missing file.

use std::{os::unix::fs::PermissionsExt, path::Path, process::Command};

use crate::{
    checkout::{Checkout, walk},
    support,
};

/// Ways to put something into the place of a file that nobody can read as one.
const UNREADABLE: [&str; 6] = [
    "mkfifo \"$1\"",
    "ln -s nowhere \"$1\"",
    "ln -s \"$1\" \"$1\"",
    "ln -s /dev/zero \"$1\"",
    "mkdir \"$1\"",
    "truncate -s 1T \"$1\"",
];

fn put(make: &str, path: &Path) {
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    support::ok(Command::new("sh").args(["-c", make, "sh"]).arg(path));
}

/// The exit code and message of a run that has to end.
fn fails(checkout: &Checkout, args: &[&str]) -> (i32, String) {
    let xtask = checkout.xtask(args);
    let mut command = Command::new("timeout");
    command.arg("60").arg(xtask.get_program()).args(xtask.get_args());
    checkout.code_and_text(&support::run(command.current_dir(checkout.dir.path())))
}

#[test]
fn a_description_that_cannot_be_read_fails_every_run() {
    let key = support::key_file("b");
    let release = ["rpm", "--release", "--key", key.to_str().unwrap()];
    for make in UNREADABLE {
        let checkout = Checkout::new();
        put(make, &checkout.path("specs/other/package.toml"));
        for args in [&["rpm"][..], &["rpm", "notes"], &release, &["plan"], &["fetch"], &["clean"]] {
            let (code, message) = fails(&checkout, args);
            assert_eq!(code, 3, "{make} {args:?}: {message}");
            assert!(message.contains("[ROOT]/specs/other/package.toml"), "{make}: {message}");
        }
        assert!(!checkout.path("dist").exists());
    }
    let checkout = Checkout::new();
    fs_err::os::unix::fs::symlink("nowhere", checkout.path("specs/other")).unwrap();
    let (code, message) = fails(&checkout, &["rpm"]);
    assert_eq!(code, 3);
    assert!(message.contains("specs/other is a link that leads nowhere"), "{message}");
}

#[test]
fn a_folder_of_specs_that_a_user_may_not_look_into_fails_the_run() {
    if !support::have_as_root("unreadable folders", &["setpriv", "chown"]) {
        return;
    }
    let checkout = Checkout::new();
    checkout.write("specs/secret/package.toml", crate::checkout::NOTES.replace("notes", "secret"));
    checkout.write("specs/secret/README", "Notes\n");
    checkout.for_everybody();
    let secret = checkout.path("specs/secret");
    for (path, mode) in [
        (secret.clone(), 0o700),
        (secret.join("package.toml"), 0o600),
        (checkout.path("specs"), 0o700),
    ] {
        support::ok(Command::new("chown").arg("0:0").arg(&path));
        let before = fs_err::metadata(&path).unwrap().permissions();
        fs_err::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let (code, message) =
            checkout.code_and_text(&support::run(&mut checkout.as_user(&["rpm"])));
        assert_eq!(code, 3, "{message}");
        assert!(message.contains("Permission denied"), "{message}");
        fs_err::set_permissions(&path, before).unwrap();
    }
    support::ok(&mut checkout.as_user(&["rpm"]));
}

#[test]
fn a_script_that_cannot_be_read_is_not_taken_for_the_script_itself() {
    for make in UNREADABLE {
        let checkout = Checkout::new();
        let toml =
            crate::checkout::NOTES.replace("summary", "post_install_script = \"post.sh\"\nsummary");
        checkout.write("specs/notes/package.toml", toml);
        put(make, &checkout.path("specs/notes/post.sh"));
        let (code, message) = fails(&checkout, &["rpm"]);
        assert_eq!(code, 3, "{make}: {message}");
        assert!(message.contains("post.sh"), "{message}");
    }
}

#[test]
fn index_refuses_a_path_that_is_not_a_folder() {
    for make in UNREADABLE.iter().filter(|make| !make.starts_with("mkdir")) {
        let checkout = Checkout::new();
        put(make, &checkout.path("folder"));
        let (code, message) = fails(&checkout, &["index", "folder"]);
        assert_eq!(code, 2, "{make}: {message}");
    }
}

#[test]
fn a_development_key_that_cannot_be_read_is_neither_replaced_nor_left_out() {
    for make in UNREADABLE {
        let checkout = Checkout::new();
        checkout.ok(&["rpm"]);
        let key = checkout.path("target/xtask/keys/development.asc");
        fs_err::remove_file(&key).unwrap();
        put(make, &key);
        let cache = walk(&checkout.path("target/xtask/cache"));
        for command in ["rpm", "plan", "clean"] {
            let (code, message) = fails(&checkout, &[command]);
            assert_eq!(code, 8, "{make} {command}: {message}");
        }
        assert_eq!(walk(&checkout.path("target/xtask/cache")), cache, "{make}");
        put("test -e \"$1\" || test -L \"$1\"", &key);
    }
}
