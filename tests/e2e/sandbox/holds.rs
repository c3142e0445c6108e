//! Nothing of this machine is within reach of a build.

use std::{
    net::{TcpListener, TcpStream},
    os::unix::fs::symlink,
    process::{Command, Stdio},
};

use serde_json::json;

use super::room::{Room, Who, mounts_below, rooms};
use crate::{container::terminal::conversation, support};

#[test]
fn there_is_no_network() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    for room in rooms("the sandbox' network") {
        let script = format!(
            "echo x | nc -w 1 127.0.0.1 {port} && echo connected; ls /proc/net/dev | wc -l; \
             grep -c : /proc/net/dev; ip route"
        );
        // Only the loopback interface, and no route.
        assert_eq!(room.ok(&script), "1\n1\n");
        // The test can tell the difference.
        TcpStream::connect(("127.0.0.1", port)).unwrap();
    }
}

#[test]
fn only_the_writable_folders_can_be_written_to() {
    for room in rooms("the sandbox' file system") {
        let said = room.ok(
            "for path in /new /bin/new /etc/passwd /src/new /src/tiny/file /build/new /stage/new /dev/new /sys/new \
                /proc/sys/kernel/hostname /proc/sysrq-trigger /build/tiny/new /tmp/new; do \
                ( echo x >> $path ) 2> /dev/null && echo wrote $path; done; \
             mount -t tmpfs none /tmp && echo mounted; umount /proc && echo unmounted; \
             mount -o remount,rw / && echo remounted; mknod /tmp/sda b 8 0 && echo made; \
             chroot / true && echo chroot; unshare -U true && echo unshared; hostname x && echo named; \
             chown 0 /tmp/new && echo given; :",
        );
        assert_eq!(said, "wrote /build/tiny/new\nwrote /tmp/new\n");
        assert_eq!(fs_err::read_to_string(room.path("src/file")).unwrap(), "source\n");
        assert_eq!(mounts_below(room.dir.path()), Vec::<String>::new());
    }
}

#[test]
fn devices_keep_their_modes_and_times() {
    for mut room in rooms("the sandbox' devices") {
        for user in ["builder", "owner"] {
            room.request["user"] = json!(user);
            let said = room.ok(
                "for device in full null zero; do chmod 667 /dev/$device 2> /tmp/why && echo changed; \
                 touch -d 2001-01-01 /dev/$device 2> /tmp/why && echo touched; done; \
                 echo x > /dev/null && echo written",
            );
            assert_eq!(said, "written\n");
        }
    }
}

#[test]
fn a_build_does_not_reach_the_terminal_of_its_run() {
    let all = rooms("the sandbox' terminal");
    let Some(mut room) = all.into_iter().next() else { return };
    if !support::have("the sandbox' terminal", &["python3", "sh"]) {
        return;
    }
    for (terminal, said) in [(false, "none"), (true, "typed on it")] {
        room.request["terminal"] = json!(terminal);
        let script = "(echo typed on it > /dev/tty) 2> /dev/null || echo none";
        let inner = room.command(script);
        let file = inner.get_args().last().unwrap();
        // Its parent is a shell on the terminal.
        let mut run = Command::new("sh");
        run.args(["-c", "\"$0\" sandbox --parent $$ \"$1\"; exit $?"]);
        run.arg(inner.get_program()).arg(file);
        let seen = conversation(&run, room.dir.path(), &[]);
        assert_eq!(seen.replace('\r', ""), format!("{said}\n\n0"));
    }
}

#[test]
fn there_are_no_rights() {
    for room in rooms("the sandbox' rights") {
        let status = room.ok("cat /proc/self/status");
        let capabilities = status.lines().filter(|line| line.starts_with("Cap"));
        assert!(capabilities.clone().all(|l| l.ends_with("0000000000000000")), "{status}");
        assert_eq!(capabilities.count(), 5);
        assert!(status.contains("NoNewPrivs:\t1\n"), "{status}");
        assert!(status.contains("Seccomp:\t2\n"), "{status}");
        // One user and one group.
        let map = room.ok("cat /proc/self/uid_map /proc/self/gid_map");
        let map: Vec<Vec<_>> = map.lines().map(|l| l.split_whitespace().collect()).collect();
        assert!(map.iter().all(|line| line[0] == "1000" && line[2] == "1"), "{map:?}");
        // Not even root outside is root for the kernel.
        assert!(map.iter().all(|line| line[1] != "0"), "{map:?}");
    }
}

#[test]
fn no_process_and_no_file_of_the_machine_is_seen() {
    for room in rooms("the sandbox' processes") {
        let secret = room.path("secret");
        let own = std::process::id();
        let script = format!(
            "ls -d /proc/[0-9]* | wc -l; kill -0 {own} && echo seen; cat {} && echo read; \
             find / -name secret 2> /dev/null; cat /proc/1/environ; ls -l /proc/1/root /proc/1/cwd /proc/1/exe \
             /proc/1/fd/; ls /proc/self/fd; cat /proc/self/fd/9/hostname; cat /proc/mounts; :",
            secret.display()
        );
        // A folder that the run inherited.
        let sandbox = room.command(&script);
        let mut shell = Command::new("sh");
        shell.args(["-c", "exec 9< /etc; exec \"$@\"", "sh"]).arg(sandbox.get_program());
        shell.args(sandbox.get_args()).env("SECRET", "geheim").stdin(Stdio::null());
        let output = support::run(&mut shell);
        let said = String::from_utf8_lossy(&output.stdout);
        let complaints = String::from_utf8_lossy(&output.stderr);
        // Process 1, the shell, and `ls` and `wc`.
        assert!(said.starts_with("4\n") || said.starts_with("3\n"), "{said}");
        for word in ["seen", "read\n", "geheim", "\n9\n", "secret\n"] {
            assert!(!said.contains(word), "{word}: {said}");
        }
        for refused in ["/proc/1/environ", "/proc/1/root", "/proc/1/exe", "/proc/1/fd"] {
            let line = complaints.lines().find(|line| line.contains(refused));
            assert!(line.is_some_and(|l| l.contains("denied")), "{refused}: {complaints}");
        }
        assert!(complaints.contains("/proc/self/fd/9"), "{complaints}");
    }
}

#[test]
fn parts_of_proc_are_masked() {
    for room in rooms("the sandbox' /proc") {
        let said = room.ok(
            "for part in kcore keys timer_list interrupts kallsyms sched_debug; do \
                [ ! -e /proc/$part ] || head -c 1 /proc/$part | wc -c; done; \
             for part in acpi asound scsi; do [ ! -d /proc/$part ] || ls /proc/$part | wc -l; done",
        );
        assert!(!said.is_empty());
        assert!(said.lines().all(|line| line == "0"), "{said}");
    }
}

#[test]
fn limits_are_kept() {
    for room in rooms("the sandbox' limits") {
        assert_eq!(room.ok("ulimit -n; ulimit -c; cat /proc/self/oom_score_adj"), "1000\n0\n800\n");
        // A process that takes all memory gets no more.
        let hog =
            room.run("tail -c 2000000000 /dev/zero | wc -c; exec tail -c 2000000000 /dev/zero");
        assert!(!hog.status.success() && hog.status.code() != Some(125), "{hog:?}");
        assert!(String::from_utf8_lossy(&hog.stderr).contains("memory"), "{hog:?}");
    }
}

#[test]
fn a_fork_bomb_ends_with_its_phase() {
    for room in rooms("a fork bomb") {
        let bomb =
            room.run("i=0; while [ $i -lt 2000 ]; do sleep 1000 & i=$((i + 1)); done; echo all");
        let said = String::from_utf8_lossy(&bomb.stderr);
        assert!(!bomb.status.success() && said.contains("fork"), "{bomb:?}");
        assert!(bomb.stdout.is_empty(), "{bomb:?}");
        // Its processes are gone: there is room for others.
        room.ok("true");
    }
}

#[test]
fn a_request_cannot_lead_out_of_the_root() {
    for mut room in rooms("links in a root") {
        let outside = room.path("outside");
        fs_err::create_dir(&outside).unwrap();
        symlink(&outside, room.path("root/link")).unwrap();
        room.request["mounts"][0]["inside"] = json!("/link/new");
        let said = room.refused(&room.run("true"));
        assert!(said.contains("nothing can be mounted at /link/new: there is a link"), "{said}");
        assert_eq!(fs_err::read_dir(&outside).unwrap().count(), 0);
        room.request["mounts"][0]["inside"] = json!("/etc/group");
        room.request["mounts"][0]["outside"] = json!(room.path("src/file"));
        let said = room.refused(&room.run("true"));
        assert!(said.contains("/etc/group: the builder's root has nothing there"), "{said}");
        room.request["mounts"][0]["inside"] = json!("/src/../etc");
        let said = room.refused(&room.run("true"));
        assert!(said.contains("is not a plain path"), "{said}");
    }
}

#[test]
fn root_may_compile_in_a_folder_that_is_closed_to_others() {
    if !support::have_as_root("closed folders", &["busybox", "chown"]) {
        return;
    }
    let room = Room::new(Who::Same);
    for (mode, owner) in [("700", "0"), ("700", "65533")] {
        support::ok(Command::new("chmod").arg(mode).arg(room.dir.path()));
        support::ok(Command::new("chown").arg(owner).arg(room.dir.path()));
        assert_eq!(room.ok("cat /src/tiny/file"), "source\n");
    }
}
