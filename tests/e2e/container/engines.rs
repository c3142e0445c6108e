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
    let (code, message) =
        yard.checkout.code_and_text(&support::run(run.args(args).env("PATH", path)));
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
    // The script that Debian and EL install as `docker`.
    let podman = support::on_path("podman").unwrap();
    let docker = format!("exec {} \"$@\"", podman.display());
    let path = path_with(&yard, &[("podman", "exit 1"), ("docker", &docker)]);
    let rest = std::env::var_os("PATH").unwrap();
    let path = std::env::join_paths([path].into_iter().chain(std::env::split_paths(&rest)));
    support::ok(yard.xtask(&["rpm"]).env("PATH", path.unwrap()));
}

/// Where packets vanish, each try takes most of a minute. Without an end after the first one this
/// test does not end either.
#[test]
fn a_registry_that_does_not_answer_is_tried_once() {
    let yard = Yard::new(&MAKE);
    let tries = "case $1 in\n\
        --version) echo podman ;;\n\
        info) echo 1 1000 false false ;;\n\
        build) echo 'Failed, retrying in 2s ... (1/3). Error: lookup r: i/o timeout'\n\
               while :; do read forever <&3; done 3<> $0.fifo ;;\n\
        *) exit 1 ;;\n\
        esac";
    let path = path_with(&yard, &[("podman", tries)]);
    support::ok(Command::new("mkfifo").arg(path.join("podman.fifo")));
    held_back(&yard, &path, &[], &["cannot be reached: Failed, retrying", "lookup r: i/o timeout"]);
}

#[test]
fn no_engine_sees_the_passphrase() {
    let yard = Yard::new(&MAKE);
    let tell = "[ -z \"$PASS\" ] || echo \"it is $PASS\" >&2; exit 1";
    let path = path_with(&yard, &[("podman", tell), ("docker", tell)]);
    let key = crate::keys::protected_key(yard.checkout.dir.path(), "geheim");
    let mut run = yard.xtask(&["rpm", "--key", key.to_str().unwrap(), "--passphrase-env", "PASS"]);
    let run = run.env("PATH", path).env("PASS", "geheim");
    let (code, message) = yard.checkout.code_and_text(&support::run(run));
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

/// Enough of a system to run a phase, without a network to make it with.
const BUSYBOX: &str = "FROM scratch\nCOPY root/ /\n";

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
    let look = "mkdir -p $STAGE/usr/share/tiny; id -un > $STAGE/usr/share/tiny/name\n\
                touch /src/tiny/new || echo refused > $STAGE/usr/share/tiny/refused\n\
                mkdir closed; chmod 555 closed";
    let yard = Yard::new(&[("look", look)]);
    let root = "containers/test/root";
    let busybox = support::on_path("busybox").unwrap();
    yard.checkout.write("containers/test/Containerfile", BUSYBOX);
    yard.checkout.write(&format!("{root}/tmp/none"), "");
    yard.checkout.write(&format!("{root}/etc/none"), "");
    fs_err::create_dir_all(yard.checkout.path(&format!("{root}/bin"))).unwrap();
    fs_err::copy(busybox, yard.checkout.path(&format!("{root}/bin/busybox"))).unwrap();
    for name in ["sh", "env", "mkdir", "id", "touch", "chmod", "cat"] {
        let link = yard.checkout.path(&format!("{root}/bin/{name}"));
        fs_err::os::unix::fs::symlink("busybox", link).unwrap();
    }
    let packages = format!("{root}/usr/libexec/builder/packages");
    yard.checkout.write(&packages, "#!/bin/sh\necho busybox\n");
    let executable = PermissionsExt::from_mode(0o755);
    fs_err::set_permissions(yard.checkout.path(&packages), executable).unwrap();

    let dir = yard.checkout.dir.path();
    let settings =
        "[engine]\nruntime = \"runc\"\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"none\"\n";
    yard.checkout.write("home/.config/containers/containers.conf", settings);
    fs_err::create_dir_all(dir.join("run")).unwrap();
    let program = dir.join("xtask");
    fs_err::copy(env!("CARGO_BIN_EXE_xtask"), &program).unwrap();
    let mut run = Command::new("unshare");
    // The process that podman leaves to hold its namespace goes with this one.
    run.args(["--mount", "--propagation", "private", "--pid", "--fork", "--mount-proc"]);
    run.args(["sh", "-c", AS_USER, "sh"]).arg(dir);
    run.arg(program).arg("--root").arg(dir).args(["rpm", "--builder", "podman"]);
    run.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("HOME", dir.join("home"));
    support::ok(run.env("XDG_RUNTIME_DIR", dir.join("run")).env("USER", "ordinary"));

    assert_eq!(yard.text("stage/usr/share/tiny/name"), "builder\n");
    assert_eq!(yard.text("stage/usr/share/tiny/refused"), "refused\n");
    for path in ["stage/usr/share/tiny/name", "build/closed"] {
        let meta = fs_err::metadata(yard.result(path)).unwrap();
        assert_eq!((meta.uid(), meta.gid()), (64321, 64321), "{path}");
    }
    // Folders that a build has made inaccessible can be removed.
    assert_eq!(fs_err::metadata(yard.result("build/closed")).unwrap().mode() & 0o777, 0o755);
}
