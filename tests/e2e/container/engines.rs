//! Engines that are not there, that refuse, and that run for somebody else than root.

use std::{os::unix::fs::PermissionsExt, path::PathBuf, process::Command};

use super::yard::{MAKE, Yard, have};
use crate::{checkout::Checkout, sandbox::made, support, tools::compiled};

/// A folder that holds these programs, as scripts, and nothing else but the shell.
fn path_with(checkout: &Checkout, programs: &[(&str, &str)]) -> PathBuf {
    let dir = checkout.path("path");
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

/// A checkout with a package that is to be compiled.
fn checkout() -> Checkout {
    let checkout = Checkout::empty();
    compiled(&checkout, "tiny", "");
    checkout
}

/// The only package is held back, for this reason and with this remedy.
fn held_back(checkout: &Checkout, path: &std::path::Path, args: &[&str], parts: &[&str]) {
    let mut run = checkout.xtask(&[&["rpm"], args].concat());
    let (code, message) = checkout.code_and_text(&support::run(run.env("PATH", path)));
    assert_eq!(code, 11, "{message}");
    for part in parts {
        assert!(message.contains(part), "{part} is not in\n{message}");
    }
}

const DOCKER: [&str; 2] = ["--builder", "docker"];

#[test]
fn without_an_engine_nothing_is_compiled_and_the_remedy_is_named() {
    let checkout = checkout();
    let path = path_with(&checkout, &[]);
    let podman = ["podman is not on PATH", "apt-get install podman", "dnf install podman"];
    held_back(&checkout, &path, &["--builder", "podman"], &podman);
    held_back(&checkout, &path, &["--builder", "docker"], &["docker is not on PATH"]);
    // The machines of a farm are reached by a network, which the sandbox does not have.
    let neither = "there is neither podman nor docker to compile in";
    let mut run = checkout.xtask(&["rpm", "--distcc", "127.0.0.1/1"]);
    let output = support::run(run.env("PATH", &path));
    let (code, message) = checkout.code_and_text(&output);
    assert!(code == 11 && message.contains(neither), "{code}: {message}");
}

#[test]
fn an_engine_that_refuses_is_named_with_its_words() {
    let checkout = checkout();
    let version = "[ \"$1\" != --version ] || { echo Docker version 28; exit; }";
    let refuses = |said: &str| format!("{version}; echo '{said}' >&2; exit 1");
    let denied = "permission denied while trying to connect to the Docker daemon socket";
    let path = path_with(&checkout, &[("docker", &refuses(denied))]);
    held_back(
        &checkout,
        &path,
        &DOCKER,
        &["docker is installed, but cannot be used", denied, "group docker"],
    );
    let down = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock.";
    let path = path_with(&checkout, &[("docker", &refuses(down))]);
    held_back(&checkout, &path, &DOCKER, &[down, "systemctl start docker"]);
    // Some versions end well and know nothing.
    let path = path_with(&checkout, &[("docker", &format!("{version}; echo '0 0 []'"))]);
    held_back(&checkout, &path, &DOCKER, &["no answer from its service"]);
    let ids = "echo 'no subuid ranges found for user' >&2; exit 125";
    let path = path_with(&checkout, &[("podman", &format!("[ $1 = --version ] || {{ {ids}; }}"))]);
    held_back(
        &checkout,
        &path,
        &["--builder", "podman"],
        &["podman is installed, but cannot be used", "--add-subuids"],
    );
}

#[test]
fn an_engine_that_does_not_answer_gives_way_to_one_that_does() {
    if !have("second engine", &[]) {
        return;
    }
    let checkout = checkout();
    // The script that Debian and EL install as `docker`.
    let podman = support::on_path("podman").unwrap();
    let docker = format!("exec {} \"$@\"", podman.display());
    let path = path_with(&checkout, &[("podman", "exit 1"), ("docker", &docker)]);
    let rest = std::env::var_os("PATH").unwrap();
    let path = std::env::join_paths([path].into_iter().chain(std::env::split_paths(&rest)));
    let output = support::run(checkout.xtask(&["doctor"]).env("PATH", path.unwrap()));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("ok      container engine          podman ("), "{text}");
}

#[test]
fn no_engine_sees_the_passphrase() {
    let checkout = checkout();
    let tell = "[ -z \"$PASS\" ] || echo \"it is $PASS\" >&2; exit 1";
    let path = path_with(&checkout, &[("podman", tell), ("docker", tell)]);
    let key = crate::keys::protected_key(checkout.dir.path(), "geheim");
    for builder in ["podman", "docker"] {
        let key = key.to_str().unwrap();
        let rpm = ["rpm", "--builder", builder, "--key", key, "--passphrase-env", "PASS"];
        let mut run = checkout.xtask(&rpm);
        let run = run.env("PATH", &path).env("PASS", "geheim");
        let (code, message) = checkout.code_and_text(&support::run(run));
        assert_eq!(code, 11, "{message}");
        assert!(!message.contains("geheim"), "{message}");
    }
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
    let path = path_with(&yard.checkout, &[]);
    let text = said(yard.xtask(&["doctor"]).env("PATH", path));
    // The sandbox compiles, so no engine is needed.
    let state = if text.contains("ok      sandbox") { "note    " } else { "MISSING " };
    let engine = format!("{state}container engine          there is neither");
    assert!(text.contains(&engine), "{text}");
}

/// An ordinary user that exists in a mount namespace only, with ids of its own to give away.
const AS_USER: &str = r#"
set -eu
cd "$1"
shift
for file in passwd group; do cp /etc/$file .; done
echo 'ordinary:x:64321:64321::/:/bin/sh' >>passwd
echo 'ordinary:x:64321:' >>group
echo 'ordinary:700000:65536' >subid
mount --bind passwd /etc/passwd
mount --bind group /etc/group
touch /etc/subuid /etc/subgid
mount --bind subid /etc/subuid
mount --bind subid /etc/subgid
chown -R 64321:64321 .
chmod 700 run
exec setpriv --reuid 64321 --regid 64321 --clear-groups "$@"
"#;

#[test]
fn an_ordinary_user_compiles_with_a_rootless_podman() {
    use std::os::unix::fs::MetadataExt;
    if !have("rootless podman", &["unshare", "mount", "setpriv", "newuidmap", "busybox"]) {
        return;
    }
    let yard = made::Yard::new(false);
    yard.spec(
        "mkdir -p $STAGE/usr/share/tiny; id -un > $STAGE/usr/share/tiny/name\n\
         touch /src/tiny/new || echo refused > $STAGE/usr/share/tiny/refused\n\
         mkdir closed; chmod 555 closed",
    );
    yard.ok(&["lock", "made"]);
    let dir = yard.checkout.dir.path();
    let settings =
        "[engine]\nruntime = \"runc\"\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"none\"\n";
    yard.checkout.write("home/.config/containers/containers.conf", settings);
    fs_err::create_dir_all(dir.join("run")).unwrap();
    let program = dir.join("xtask");
    support::copy_program(env!("CARGO_BIN_EXE_xtask"), &program);
    let mut run = Command::new("unshare");
    // The process that podman leaves to hold its namespace goes with this one.
    run.args(["--mount", "--propagation", "private", "--pid", "--fork", "--mount-proc"]);
    run.args(["sh", "-c", AS_USER, "sh"]).arg(dir);
    run.arg(program).arg("--root").arg(dir).args(["rpm", "--builder", "podman"]);
    run.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("HOME", dir.join("home"));
    support::ok(run.env("XDG_RUNTIME_DIR", dir.join("run")).env("USER", "ordinary"));

    let result = |path: &str| {
        let compiles = fs_err::read_dir(dir.join("target/xtask/cache/compile")).unwrap();
        compiles.map(|entry| entry.unwrap().path().join(path)).find(|path| path.exists()).unwrap()
    };
    let text = |path: &str| fs_err::read_to_string(result(path)).unwrap();
    assert_eq!(text("stage/usr/share/tiny/name"), "builder\n");
    assert_eq!(text("stage/usr/share/tiny/refused"), "refused\n");
    for path in ["stage/usr/share/tiny/name", "build/closed"] {
        let meta = fs_err::metadata(result(path)).unwrap();
        assert_eq!((meta.uid(), meta.gid()), (64321, 64321), "{path}");
    }
    // Folders that a build has made inaccessible can be removed.
    assert_eq!(fs_err::metadata(result("build/closed")).unwrap().mode() & 0o777, 0o755);
}
