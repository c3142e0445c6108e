//! Programs that are run, and how they end.

use std::process::{Child, Command, Stdio};

use crate::{
    checkout::Checkout,
    host_program::with_crate,
    support,
    tools::{Tools, compiled},
};

/// A checkout for which every kind of program is run: a crate, a container, a git repository.
fn of_all_kinds(tools: &Tools) -> Checkout {
    let checkout = with_crate("fn main() {}");
    compiled(&checkout, "boxed", "");
    let repository = checkout.path("repository");
    fs_err::create_dir(&repository).unwrap();
    let git = |args: &[&str]| {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=A", "-c", "user.email=a@localhost"]).args(args);
        support::ok(git.current_dir(&repository)).trim().to_owned()
    };
    git(&["init", "--quiet"]);
    fs_err::write(repository.join("file"), "text\n").unwrap();
    git(&["add", "file"]);
    git(&["commit", "--quiet", "--message", "A commit"]);
    let (url, commit) = (repository.display(), git(&["rev-parse", "HEAD"]));
    let text = fs_err::read_to_string(checkout.path("specs/boxed/package.toml")).unwrap();
    let fetched = format!("[source.more]\ngit = [\"file://{url}\"]\ncommit = \"{commit}\"\n");
    checkout.write("specs/boxed/package.toml", fetched + &text);
    assert!(tools.calls().is_empty());
    checkout
}

/// A run in which this program stands still.
fn standing_still(tools: &Tools, checkout: &Checkout, (program, what): (&str, &str)) -> Child {
    tools.make_hang(program, what);
    let mut run = tools.xtask(checkout, &["rpm"]);
    let run = run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    tools.wait();
    assert!(tools.running().len() > 2, "{program} has no family");
    run
}

/// The programs that a run may be waiting for when it is stopped.
const PROGRAMS: [(&str, &str); 11] = [
    ("rustc", "-vV"),
    ("cargo", "fetch"),
    ("cargo-zigbuild", "zigbuild"),
    ("git", "fetch"),
    // Their output is read while they run, and ends early.
    ("git", "ls-tree"),
    ("git", "cat-file"),
    ("podman", "--version"),
    ("podman", "info"),
    ("podman", "image inspect"),
    ("podman", "import"),
    ("podman", "run"),
];

#[test]
fn a_signal_to_the_run_alone_ends_every_program_with_all_that_it_has_started() {
    if !support::have("stopped programs", &["git", "kill", "mkfifo", "sh"]) {
        return;
    }
    let signals = [("-INT", 130), ("-TERM", 143), ("-HUP", 129)];
    for (program, (signal, code)) in PROGRAMS.iter().zip(signals.iter().cycle()) {
        let tools = Tools::new();
        let checkout = of_all_kinds(&tools);
        if program.1 == "import" {
            tools.write("no-image", "");
        }
        let run = standing_still(&tools, &checkout, *program);
        support::ok(Command::new("kill").arg(signal).arg(run.id().to_string()));
        let output = run.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(*code), "{program:?}: {output:?}");
        assert_eq!(tools.running(), [""; 0], "{program:?} {signal}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("error"), "{program:?}: {said}");
    }
}

/// A program cannot handle SIGKILL. Its children would keep the lock of cargo's target folder.
#[test]
fn the_next_run_ends_the_programs_of_a_killed_run() {
    if !support::have("kill -9 and programs", &["git", "mkfifo", "sh"]) {
        return;
    }
    for program in [("cargo-zigbuild", "zigbuild"), ("podman", "run"), ("podman", "/bin/sh -eu -c")]
    {
        let tools = Tools::new();
        let checkout = of_all_kinds(&tools);
        let mut run = standing_still(&tools, &checkout, program);
        run.kill().unwrap();
        run.wait().unwrap();
        assert!(!tools.running().is_empty(), "it goes on without the run");
        tools.remove("still");
        // Also by one that compiles nothing.
        support::ok(&mut tools.xtask(&checkout, &["rpm", "notes"]));
        assert_eq!(tools.running(), [""; 0], "{program:?}");
        let notes = checkout.path("target/xtask/running");
        assert_eq!(fs_err::read_dir(notes).unwrap().count(), 0);
    }
}

/// The stand-ins note what they find: the variable, and an open descriptor of the file.
#[test]
fn no_program_gets_the_variable_or_the_descriptor_with_the_passphrase() {
    if !support::have("passphrases and programs", &["git", "gpg", "sh", "mkfifo"]) {
        return;
    }
    for way in [["--passphrase-env", "PASS"], ["--passphrase-fd", "5"]] {
        let tools = Tools::new();
        let checkout = of_all_kinds(&tools);
        let key = crate::keys::protected_key(checkout.dir.path(), "geheim");
        tools.write("passphrase", "geheim\n");
        let run = tools.xtask(&checkout, &["rpm", "--key", key.to_str().unwrap(), way[0], way[1]]);
        // The shell opens the descriptor that is named, as a user's does.
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "exec 5<\"$0\"; exec \"$@\""]).arg(tools.path("passphrase"));
        shell.arg(run.get_program()).args(run.get_args()).current_dir(checkout.dir.path());
        for (name, value) in run.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        if way[0] == "--passphrase-env" {
            shell.env("PASS", "geheim");
        }
        support::ok(&mut shell);
        let calls = tools.calls();
        for program in ["rustc -vV", "cargo fetch", "cargo-zigbuild ", "git ", "podman run"] {
            assert!(calls.contains(program), "{program} was not run: {calls}");
        }
        let told = match way[0] {
            "--passphrase-env" => "sees the variable",
            _ => "holds the file",
        };
        let got: Vec<_> = calls.lines().filter(|line| line.contains(told)).collect();
        assert_eq!(got, [""; 0], "{way:?}");
    }
}
