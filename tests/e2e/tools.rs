//! A folder of programs for PATH that stand in for compilers, git and engines: scripts that note how they are called,
//! and that stand still when they are told to.

use std::{os::unix::fs::PermissionsExt, path::PathBuf, process::Command};

use crate::{checkout::Checkout, stand_in, support};

pub struct Tools {
    dir: tempfile::TempDir,
}

/// What all of them do first. The children of one that stands still are as many as those of a compiler; the last of
/// them says that all are up, since a process has no command line for a moment while it becomes another program.
const FIRST: &str = r#"
PATH=/usr/bin:/bin
{
    echo "$NAME $*"
    [ -z "${PASS+set}" ] || echo "$NAME sees the variable"
    for fd in /proc/$$/fd/*; do
        [ ! "$fd" -ef "$DIR/passphrase" ] || echo "$NAME holds the file"
    done
} >>"$DIR/calls"
if [ -e "$DIR/still" ]; then
    read -r who what <"$DIR/still"
    case "$NAME $*" in
    "$who "*"$what"*)
        sh -c "sh -c 'echo >$DIR/up; read -r _ <$DIR/never' & wait" &
        wait
        ;;
    esac
fi
"#;

const RUSTC: &str = r#"
case $* in
"--print sysroot") echo "$DIR/sysroot" ;;
*) echo "rustc 1.91.0 (a stand-in)" ;;
esac
"#;

/// Makes the program `tiny`, or fails as cargo does.
pub const ZIGBUILD: &str = r#"
while [ $# -gt 0 ]; do
    case $1 in
    --target-dir) out=$2 ;;
    --target) triple=$2 ;;
    esac
    shift
done
if [ -e "$DIR/broken" ]; then
    echo "error[E0308]: mismatched types"
    exit 101
fi
mkdir -p "$out/$triple/release"
printf '#!/bin/sh\n' >"$out/$triple/release/tiny"
chmod 755 "$out/$triple/release/tiny"
"#;

/// An engine that has every image and stages one file, or fails as the file `engine` says.
const PODMAN: &str = r#"
case $1 in
--version) echo podman version 4.3.1 ;;
info) echo 2 8000000000 false false ;;
image) [ ! -e "$DIR/no-image" ] && echo 0123456789 ;;
import) cat >/dev/null; echo 0123456789 ;;
run)
    case $* in */src/image/setup.sh*) exit ;; *"ccache --print-stats"*) exit 1 ;; esac
    for word in "$@"; do
        case $word in *:/stage:*) stage=${word%%:/stage:*} ;; esac
    done
    if [ -e "$DIR/engine" ]; then . "$DIR/engine"; fi
    name=${stage#"$stage"}
    for word in "$@"; do case $word in NAME=*) name=${word#NAME=} ;; esac; done
    mkdir -p "$stage/usr/share/$name"
    echo text >"$stage/usr/share/$name/file"
    ;;
esac
"#;

impl Tools {
    /// With a compiler for the host, an engine, and what else a run asks for; PATH holds nothing else.
    pub fn new() -> Self {
        let own = Self { dir: tempfile::tempdir().unwrap() };
        let library = "sysroot/lib/rustlib/x86_64-unknown-linux-musl/lib";
        fs_err::create_dir_all(own.path(library)).unwrap();
        own.add("rustc", RUSTC);
        own.add("cargo", "exit 0");
        own.add("cargo-zigbuild", ZIGBUILD);
        own.add("zig", "exit 0");
        own.add("podman", PODMAN);
        for name in ["git", "gpg", "python3", "sh", "unshare"] {
            if let Some(path) = support::on_path(name) {
                own.add(name, &format!("exec {} \"$@\"", path.display()));
            }
        }
        support::ok(Command::new("mkfifo").args([own.path("up"), own.path("never")]));
        own
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs_err::write(self.path(name), text).unwrap();
    }

    pub fn remove(&self, name: &str) {
        fs_err::remove_file(self.path(name)).unwrap();
    }

    /// A program; the script comes after what all do first.
    pub fn add(&self, name: &str, script: &str) {
        let bin = self.path("bin");
        fs_err::create_dir_all(&bin).unwrap();
        let dir = self.dir.path().display();
        let text = format!("#!/bin/sh\nNAME={name}\nDIR={dir}\n{FIRST}{script}\n");
        fs_err::write(bin.join(name), text).unwrap();
        fs_err::set_permissions(bin.join(name), PermissionsExt::from_mode(0o755)).unwrap();
    }

    /// All calls so far, each a line: a program and its arguments, or what it has seen.
    pub fn calls(&self) -> String {
        fs_err::read_to_string(self.path("calls")).unwrap_or_default()
    }

    /// Lets `program` stand still when it is called with arguments that hold `what`.
    pub fn make_hang(&self, program: &str, what: &str) {
        self.write("still", &format!("{program} {what}\n"));
    }

    /// Waits until a program stands still.
    pub fn wait(&self) {
        fs_err::read(self.path("up")).unwrap();
    }

    /// Programs of this folder, and what they have started, that have not ended.
    pub fn running(&self) -> Vec<String> {
        let own = self.dir.path().to_str().unwrap().to_owned();
        let processes = fs_err::read_dir("/proc").unwrap().map(|e| e.unwrap().path());
        let line = |p: PathBuf| fs_err::read_to_string(p.join("cmdline")).unwrap_or_default();
        processes.map(line).filter(|line| line.contains(&own)).collect()
    }

    /// A call of xtask with these programs.
    pub fn xtask(&self, checkout: &Checkout, args: &[&str]) -> Command {
        let mut command = checkout.xtask(args);
        // The sandbox is none of these programs.
        if args.contains(&"rpm") && !args.contains(&"--builder") {
            command.args(["--builder", "podman"]);
        }
        command.env("PATH", self.path("bin")).env_remove("DOCKER_HOST");
        command.env_remove("CONTAINER_HOST");
        command
    }
}

/// Adds the description NAME, compiled in a container from a folder of its own; `more` stands in its `[build]`.
pub fn compiled(checkout: &Checkout, name: &str, more: &str) {
    let package = format!(
        "[package.{name}]\nversion = \"1.0\"\nsummary = \"S\"\nlicense = \"MIT\"\narch = \"noarch\"\n\
         assets = [{{ staged = \"/usr/share/{name}\" }}]\n"
    );
    compiled_packages(checkout, name, more, &package);
}

/// As [`compiled`], with these tables of packages.
pub fn compiled_packages(checkout: &Checkout, name: &str, more: &str, packages: &str) {
    stand_in::pinned_image(checkout, "test");
    let text = format!(
        "[source.{name}]\npath = \"src\"\n[build]\nimage = \"test\"\n{more}\n\
         [[build.phase]]\nname = \"make\"\nrun = \"make\"\n{packages}\
         [[changelog]]\ndate = 2026-11-22\nauthor = \"A <a@localhost> - 1-1\"\ntext = [\"t\"]\n"
    );
    checkout.write(&format!("specs/{name}/package.toml"), text);
    checkout.write(&format!("specs/{name}/src/main.c"), "int main() { return 0; }\n");
}
