//! Every way in which a compile ends badly says what happened, where, and what to do.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    stopped,
    yard::{MAKE, Yard, have, podman, units},
};
use crate::{
    checkout::{NOTES, walk},
    support,
};

/// All of these are in the message.
fn assert_contains(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in\n{message}");
    }
}

#[test]
fn a_compile_error_is_shown_and_not_only_the_last_words_of_make() {
    if !have("compile error in a container", &[]) {
        return;
    }
    let yard = Yard::new(&MAKE);
    units(&yard, 8);
    yard.checkout.write("specs/tiny/src/u3.cpp", "int f3() { return \"no\"; }\n");
    yard.checkout.write("specs/tiny/src/u5.cpp", "int f() { int unused; return 0; }\n");
    let noisy = "make -k -f $SRC/Makefile || { seq 100; exit 2; }";
    yard.spec("tiny", "", &[("make", noisy)]);
    let (code, message) = yard.fails(&["rpm"]);
    assert_eq!(code, 6, "{message}");
    assert_contains(
        &message,
        &[
            "ended  compile tiny: make",
            "1 warning)",
            "phase make failed",
            "step: compile tiny",
            "/bin/sh -eu -c '...' make",
            "ended: exit status: 2",
            "/src/tiny/u3.cpp:1:19: error: invalid conversion",
            "\n    100\n",
            "log: [ROOT]/target/xtask/logs/compile-tiny.log",
            "--shell-on-failure",
        ],
    );
    let log = yard.checkout.path("target/xtask/logs/compile-tiny.log");
    assert!(fs_err::read_to_string(log).unwrap().contains("\n57\n"));
    assert!(!yard.checkout.path("dist").exists());
}

#[test]
fn a_compile_that_fails_leaves_the_other_packages() {
    if !have("failed compile beside other packages", &[]) {
        return;
    }
    let yard = Yard::new(&[("make", "exit 3")]);
    yard.checkout.write("specs/notes/package.toml", NOTES);
    yard.checkout.write("specs/notes/README", "Notes\n");
    let output = support::run(&mut yard.xtask(&["rpm"]));
    let (code, message) = yard.checkout.code_and_text(&output);
    assert_eq!(code, 6, "{message}");
    assert_contains(&message, &["FAILED compile tiny", "phase make failed", "step: compile tiny"]);
    let table = String::from_utf8_lossy(&output.stdout);
    assert_contains(
        &table,
        &["tiny", "FAILED", "failed:     tiny: ", "xtask/logs/compile-tiny.log"],
    );
    assert!(yard.checkout.path("dist/el7/notes-1-1.el7.noarch.rpm").exists());
    assert!(!walk(&yard.checkout.path("dist/el7")).iter().any(|f| f.contains("tiny")));
    yard.ok(&["verify"]);
}

#[test]
fn configure_and_the_linker_complain_in_their_own_ways() {
    if !have("configure error in a container", &[]) {
        return;
    }
    let yard = Yard::new(&[(
        "configure",
        "echo checking for foo... no\necho 'configure: error: foo is missing'; seq 50; exit 1",
    )]);
    let (code, message) = yard.fails(&["rpm"]);
    assert_eq!(code, 6, "{message}");
    assert_contains(
        &message,
        &["phase configure failed", "    configure: error: foo is missing\n"],
    );
    let link =
        "echo 'int f(); int main() { return f(); }' > x.cpp; g++ x.cpp -lnowhere || g++ x.cpp";
    yard.spec("tiny", "", &[("make", link)]);
    assert_contains(&yard.fails(&["rpm"]).1, &["cannot find -lnowhere", "phase make failed"]);
    yard.spec("tiny", "", &[("fetch", "exec 2>&1; bash -c 'echo > /dev/tcp/1.1.1.1/80'")]);
    assert_contains(&yard.fails(&["rpm"]).1, &["phase fetch failed", "one of its sources"]);
    yard.spec("tiny", "", &[("bootstrap", "cd $SRC && autoreconf")]);
    yard.checkout.write("specs/tiny/src/configure.ac", "AC_INIT(a, 1)\nAC_OUTPUT\n");
    assert_contains(
        &yard.fails(&["rpm"]).1,
        &["phase bootstrap failed", "cp -a $SRC $BUILD/source"],
    );
}

#[test]
fn a_killed_compiler_is_reported_as_out_of_memory() {
    if !have("killed compilers", &[]) {
        return;
    }
    let memory = ["as happens when memory runs out", "it ran 2 jobs at once", "--compile-jobs"];
    let yard = Yard::new(&[("make", "kill -9 $$")]);
    let run = |yard: &Yard| {
        let (code, message) = yard.fails(&["rpm", "--compile-jobs", "2"]);
        assert_eq!(code, 6, "{message}");
        assert_contains(&message, &memory);
    };
    run(&yard);
    // A compiler of make's, and one that is refused the memory it asks for.
    yard.spec(
        "tiny",
        "",
        &[("make", "printf 'all:\\n\\tsh -c \"kill -9 $$$$\"\\n' > Makefile; make")],
    );
    run(&yard);
    yard.spec("tiny", "", &[("make", "ulimit -v 120000; g++ -O2 -c -o x.o $SRC/main.cpp")]);
    yard.checkout.write("specs/tiny/src/main.cpp", "#include <bits/stdc++.h>\n");
    run(&yard);
}

/// The kernel itself ends a program of a container that outgrows its control group.
#[test]
fn the_kernels_own_kill_is_recognised() {
    if !have("out of memory", &[]) {
        return;
    }
    let wait = "mkfifo go; echo ready; cat go; exec dd if=/dev/zero of=/dev/null bs=900M count=1";
    let yard = Yard::new(&[("make", wait)]);
    let run = stopped::started(&yard, &[], "ready");
    let fifo = stopped::build_folder(&yard, "go").unwrap();
    let name = yard.names().pop().unwrap();
    let mut inspect = podman(&["inspect", "--format", "{{.State.Pid}}", &name]);
    let pid = support::ok(&mut inspect).trim().to_owned();
    limit_memory(&pid, 100 << 20);
    fs_err::write(fifo, "").unwrap();
    assert_eq!(run.wait_with_output().unwrap().status.code(), Some(6));
    let log = fs_err::read_to_string(yard.checkout.path("target/xtask/logs/compile-tiny.log"));
    assert!(log.unwrap().contains("dd"), "it was dd that ended");
}

/// Bounds the control group of a process, of whichever version.
fn limit_memory(pid: &str, bytes: u64) {
    let groups = fs_err::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let group = |controllers: &str| {
        let line = groups.lines().find(|l| l.split(':').nth(1) == Some(controllers))?;
        line.splitn(3, ':').nth(2).map(str::to_owned)
    };
    let (memory, with_swap) = match group("memory") {
        // This one counts both together.
        Some(group) => {
            let file = |name: &str| format!("/sys/fs/cgroup/memory{group}/memory.{name}");
            (file("limit_in_bytes"), (file("memsw.limit_in_bytes"), bytes))
        }
        None => {
            let file = |name: &str| format!("/sys/fs/cgroup{}/memory.{name}", group("").unwrap());
            (file("max"), (file("swap.max"), 0))
        }
    };
    fs_err::write(memory, bytes.to_string()).unwrap();
    // Without this, memory would be swapped out. Kernels that do not count swap have no such file.
    let (file, bytes) = with_swap;
    if Path::new(&file).exists() {
        fs_err::write(file, bytes.to_string()).unwrap();
    }
}

/// A small disk, unmounted with the value, so also when a test fails.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: PathBuf) -> Self {
        let mut mount = Command::new("mount");
        support::ok(mount.args(["-t", "tmpfs", "-o", "size=30M", "none"]).arg(&at));
        Self(at)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_is_named() {
    if !have("full disk", &["mount", "umount"]) {
        return;
    }
    let fill = "dd if=/dev/zero of=big bs=1M count=64";
    let yard = Yard::new(&[("make", fill)]);
    // The key is in there already.
    let key = yard.checkout.path("target/xtask/keys/development.asc");
    let text = fs_err::read(&key).unwrap();
    let disk = SmallDisk::mount(yard.checkout.path("target"));
    yard.checkout.write("target/xtask/keys/development.asc", text);
    let (code, message) = yard.fails(&["rpm"]);
    drop(disk);
    assert_eq!(code, 10, "{message}");
    assert_contains(
        &message,
        &["the disk is full in phase make", "no room is left in [ROOT]/target/xtask/tmp/"],
    );
    let memory = "df /tmp; dd if=/dev/zero of=/tmp/big bs=1M count=1 && printf 'x: No space left on device\\n'; exit 1";
    yard.spec("tiny", "", &[("make", memory)]);
    assert_contains(&yard.fails(&["rpm"]).1, &["no room is left in the container's /tmp"]);
}
