//! On a terminal: bars, a shell where a build failed, and Ctrl-C as it is typed.

use std::{path::Path, process::Command};

use super::yard::{MAKE, Yard, have, units};
use crate::support;

/// Runs xtask on a terminal of its own and talks to it: waits for the first text of each pair,
/// then types the second. Returns what was on the terminal; the exit code is its last line.
pub fn conversation(run: &Command, dir: &Path, talk: &[(&str, &str)]) -> String {
    const SCRIPT: &str = r#"
import json, os, pty, sys
talk, program = json.loads(sys.argv[1]), sys.argv[2:]
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(program[0], program)
seen, start = b"", 0
while True:
    try:
        more = os.read(terminal, 4096)
    except OSError:
        more = b""
    if not more:
        break
    seen += more
    while talk and talk[0][0].encode() in seen[start:]:
        start = seen.index(talk[0][0].encode(), start) + len(talk[0][0])
        os.write(terminal, talk.pop(0)[1].encode())
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
sys.stdout.write(seen.decode(errors="replace") + f"\n{code}")
"#;
    let mut python = Command::new("python3");
    python.args(["-c", SCRIPT, &serde_json::to_string(talk).unwrap()]);
    python.arg(run.get_program()).args(run.get_args()).env("TERM", "xterm");
    python.envs(run.get_envs().filter_map(|(k, v)| Some((k, v?))));
    support::ok(python.current_dir(dir))
}

#[test]
fn a_shell_opens_where_the_build_failed() {
    if !have("--shell-on-failure", &["python3"]) {
        return;
    }
    let make = "echo half > half; echo 'x.cpp:1:1: error: no such luck'; exit 3";
    let yard = Yard::new(&[("configure", "echo done > configured"), ("make", make)]);
    let look = "echo == $NAME $(cat configured half) $(id -un) $(hostname) $JOBS ==\r";
    let talk = [
        ("a shell in the builder", ""),
        ("$ ", look),
        ("== tiny done half builder builder 3 ==", "sh -eu -c \"$PHASE\"\r"),
        ("no such luck", "exit\r"),
    ];
    let seen = conversation(
        &yard.xtask(&["rpm", "--compile-jobs", "3", "--shell-on-failure"]),
        yard.checkout.dir.path(),
        &talk,
    );
    assert!(seen.contains("== tiny done half builder builder 3 =="), "{seen}");
    // Shown before the shell, printed again in it, and at the end.
    assert!(seen.matches("error: no such luck").count() >= 3, "{seen}");
    assert!(seen.contains("phase make failed"), "{seen}");
    assert!(seen.ends_with("\n6"), "{seen}");
    assert_eq!(yard.containers().len(), 0);
    // A build that works opens none, and where there is no terminal it is said.
    yard.spec("tiny", "", &[("make", "mkdir -p $STAGE/usr/share/tiny")]);
    let seen =
        conversation(&yard.xtask(&["rpm", "--shell-on-failure"]), yard.checkout.dir.path(), &[]);
    assert!(seen.ends_with("\n0"), "{seen}");
    yard.spec("tiny", "", &[("make", "false")]);
    let (code, message) = yard.fails(&["rpm", "--shell-on-failure"]);
    assert_eq!(code, 6, "{message}");
    assert!(message.contains("needs a terminal; there is none"), "{message}");
}

#[test]
fn bars_show_the_phase_its_warnings_and_its_last_line_and_ctrl_c_leaves_them_in_order() {
    if !have("bars", &["python3"]) {
        return;
    }
    let make = "echo 'x.cpp:1:1: warning: dubious'; echo 'x.cpp:2:1: warning: odd'\n\
                echo standing; mkfifo still; cat still";
    let yard = Yard::new(&[("make", make)]);
    let seen =
        conversation(&yard.xtask(&["rpm"]), yard.checkout.dir.path(), &[("standing", "\u{3}")]);
    assert!(seen.contains("compile tiny: make"), "{seen}");
    assert!(seen.contains("(2 warnings) standing"), "{seen}");
    let end = seen.split("SIGINT: stopping; what is done is kept").nth(1).unwrap();
    // The bars were wiped, and nothing was drawn after that: the prompt comes next.
    let wipe = "\u{1b}[2K";
    assert!(end.matches(wipe).count() >= 2, "{end:?}");
    let drawn = end.rsplit(wipe).next().unwrap();
    assert!(!drawn.contains("steps") && !drawn.contains("tiny"), "{end:?}");
    assert!(seen.ends_with("\n130"), "{seen}");
    assert_eq!((yard.names().len(), yard.containers().len()), (0, 0));
    yard.spec("tiny", "", &MAKE);
    units(&yard, 1);
    yard.ok(&["rpm"]);
}
