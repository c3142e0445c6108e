//! What a build needs is there.

use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Command, Stdio},
};

use serde_json::json;

use super::room::rooms;
use crate::support;

#[test]
fn the_surroundings_are_what_is_promised() {
    for room in rooms("the sandbox' surroundings") {
        let said = room.ok("pwd; id -u; id -g; hostname; umask; env | sort; cat /src/tiny/file; \
            ls -d /tmp/home; echo made > made; ls /dev /dev/fd/0; ls /; touch /tmp/x /dev/shm/x");
        let lines: Vec<_> = said.lines().collect();
        let first =
            ["/build/tiny", "1000", "1000", "builder", "0022", "HOME=/tmp/home", "PATH=/bin"];
        assert_eq!(lines[..7], first, "{said}");
        assert!(said.contains("source\n/tmp/home\n"), "{said}");
        for name in ["null", "pts", "random", "shm", "stdout", "tty", "zero", "bin", "stage", "etc"]
        {
            assert!(lines.contains(&name), "{name}: {said}");
        }
        assert_eq!(room.text("build/made"), "made\n");
    }
}

#[test]
fn exit_codes_are_those_of_the_command() {
    for room in rooms("the sandbox' exit codes") {
        assert_eq!(room.run("exit 7").status.code(), Some(7));
        // A shell that is killed, and a program that is.
        assert_eq!(room.run("kill -9 $$").status.code(), Some(137));
        assert_eq!(room.run("sh -c 'kill -TERM $$'").status.code(), Some(143));
    }
}

#[test]
fn a_build_can_talk_to_itself() {
    for room in rooms("the sandbox' loopback interface") {
        let said = room.ok("echo hello > /tmp/x; httpd -p 127.0.0.1:8000 -h /tmp; \
            wget -q -O - http://127.0.0.1:8000/x");
        assert_eq!(said, "hello\n");
    }
}

#[test]
fn the_last_step_of_making_a_root_may_write_to_it() {
    for mut room in rooms("a writable root") {
        room.request["user"] = json!("owner");
        room.request["mounts"] = json!([]);
        room.request["dir"] = json!("/");
        // Distributions have such folders.
        support::ok(Command::new("chmod").arg("555").arg(room.path("root/etc")));
        let said = room.ok("id -u; echo new > /etc/new; echo more >> /etc/passwd; \
            touch /other || echo refused; mount -t tmpfs x /tmp || echo refused; grep Cap /proc/self/status");
        assert_eq!(room.text("root/etc/new"), "new\n");
        assert!(room.text("root/etc/passwd").ends_with("more\n"));
        assert!(!room.path("root/other").exists());
        assert!(said.starts_with("0\nrefused\nrefused\n"), "{said}");
        // CAP_DAC_OVERRIDE and CAP_FOWNER, in a user namespace with one user.
        assert!(said.contains("CapEff:\t000000000000000a"), "{said}");
        assert!(said.contains("CapBnd:\t000000000000000a"), "{said}");
    }
}

#[test]
fn two_sandboxes_share_a_root_at_once() {
    for room in rooms("two sandboxes") {
        let start =
            || room.command("echo ready; read line; echo $line").stdin(Stdio::piped()).spawn();
        // The second is written over the first one's request, which has been read when it is ready.
        let all = [0, 1].map(|_| {
            let mut child = start().unwrap();
            let mut output = BufReader::new(child.stdout.take().unwrap());
            let mut line = String::new();
            output.read_line(&mut line).unwrap();
            assert_eq!(line, "ready\n");
            (child, output)
        });
        for (mut child, mut output) in all {
            child.stdin.take().unwrap().write_all(b"on\n").unwrap();
            let mut rest = String::new();
            output.read_to_string(&mut rest).unwrap();
            assert_eq!((rest.as_str(), child.wait().unwrap().code()), ("on\n", Some(0)));
        }
    }
}
