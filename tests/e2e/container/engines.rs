//! Engines that are not there, that refuse, and that run for somebody else than root.

use std::{os::unix::fs::PermissionsExt, path::PathBuf, process::Command};

use super::yard::{MAKE, Yard, have, units};
use crate::support;

/// A folder that holds these programs, as scripts, and nothing else but the shell.
fn path_with(yard: &Yard, programs: &[(&str, &str)]) -> PathBuf {
    let dir = yard.checkout.path("path");
    fs_err::create_dir_all(&dir).unwrap();
    let shell = support::on_path("sh").unwrap();
    let _ = fs_err::os::unix::fs::symlink(shell, dir.join("sh"));
    for (name, script) in programs {
        let path = dir.join(name);
        fs_err::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs_err::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    }
    dir
}

/// The only package is held back, for this reason and with this remedy.
fn held_back(yard: &Yard, path: &std::path::Path, args: &[&str], parts: &[&str]) {
    let mut run = yard.xtask(&["rpm"]);
    let (code, message) = yard.checkout.judge(&support::run(run.args(args).env("PATH", path)));
    assert_eq!(code, 11, "{message}");
    for part in parts {
        assert!(message.contains(part), "{part} is not in\n{message}");
    }
}

#[test]
fn without_an_engine_nothing_is_compiled_and_the_remedy_is_named() {
    let yard = Yard::new(&MAKE);
    let path = path_with(&yard, &[]);
    let missing = "there is neither podman nor docker to compile in";
    held_back(&yard, &path, &[], &[missing, "apt-get install podman", "dnf install podman"]);
    held_back(&yard, &path, &["--builder", "docker"], &["docker is not on PATH"]);
}

#[test]
fn an_engine_that_refuses_is_named_with_its_words() {
    let yard = Yard::new(&MAKE);
    let version = "[ \"$1\" != --version ] || { echo Docker version 28; exit; }";
    let refuses = |said: &str| format!("{version}; echo '{said}' >&2; exit 1");
    let denied = "permission denied while trying to connect to the Docker daemon socket";
    let path = path_with(&yard, &[("docker", &refuses(denied))]);
    held_back(
        &yard,
        &path,
        &[],
        &["docker is installed, but cannot be used", denied, "group docker"],
    );
    let down = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock.";
    let path = path_with(&yard, &[("docker", &refuses(down))]);
    held_back(&yard, &path, &[], &[down, "systemctl start docker"]);
    // Some versions end well and know nothing.
    let path = path_with(&yard, &[("docker", &format!("{version}; echo '0 0 []'"))]);
    held_back(&yard, &path, &[], &["no answer from its service"]);
    // podman comes first, and its own trouble is told.
    let ids = "echo 'no subuid ranges found for user' >&2; exit 125";
    let path = path_with(&yard, &[("podman", &format!("[ $1 = --version ] || {{ {ids}; }}"))]);
    held_back(&yard, &path, &[], &["podman is installed, but cannot be used", "--add-subuids"]);
}

#[test]
fn an_engine_that_does_not_answer_gives_way_to_one_that_does() {
    if !have("second engine", &[]) {
        return;
    }
    let yard = Yard::new(&MAKE);
    units(&yard, 1);
    // What Debian and EL install as docker.
    let podman = support::on_path("podman").unwrap();
    let docker = format!("exec {} \"$@\"", podman.display());
    let path = path_with(&yard, &[("podman", "exit 1"), ("docker", &docker)]);
    let rest = std::env::var_os("PATH").unwrap();
    let path = std::env::join_paths([path].into_iter().chain(std::env::split_paths(&rest)));
    support::ok(yard.xtask(&["rpm"]).env("PATH", path.unwrap()));
}

#[test]
fn no_engine_sees_the_passphrase() {
    let yard = Yard::new(&MAKE);
    let tell = "[ -z \"$PASS\" ] || echo \"it is $PASS\" >&2; exit 1";
    let path = path_with(&yard, &[("podman", tell), ("docker", tell)]);
    let key = crate::keys::protected_key(yard.checkout.dir.path(), "geheim");
    let mut run = yard.xtask(&["rpm", "--key", key.to_str().unwrap(), "--passphrase-env", "PASS"]);
    let run = run.env("PATH", path).env("PASS", "geheim");
    let (code, message) = yard.checkout.judge(&support::run(run));
    assert_eq!(code, 11, "{message}");
    assert!(!message.contains("geheim"), "{message}");
}

#[test]
fn doctor_says_what_is_there() {
    if !have("doctor", &[]) {
        return;
    }
    let yard = Yard::new(&MAKE);
    let said = |run: &mut Command| {
        let output = support::run(run);
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let text = said(&mut yard.xtask(&["doctor"]));
    assert!(text.contains("ok      container engine          podman"), "{text}");
    assert!(text.contains("builder image test"), "{text}");
    let path = path_with(&yard, &[]);
    let text = said(yard.xtask(&["doctor"]).env("PATH", path));
    assert!(text.contains("MISSING container engine          there is neither"), "{text}");
}
