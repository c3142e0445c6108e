//! An author's scriptlet beside a generated one: neither can cut the other off, and rpm gets the
//! author's exit status.

use std::path::PathBuf;

use super::{
    build,
    case::{Case, text},
    on_all,
    scratch::{Scratch, TOOLS},
};
use crate::support;

/// Texts that end the shell, change it, or are no shell.
const TEXTS: &[&str] = &[
    "exit 0",
    "# done\nexit 0 # as guides teach",
    "exit 3",
    "exec true",
    "exec /nowhere",
    "set -e\nfalse",
    "set -eu\necho \"$NOBODY_SET_THIS\"",
    "false",
    "return 0",
    "trap 'exit 0' EXIT",
    "trap '' TERM HUP\nexit 0",
    "kill -9 $$",
    "kill $$",
    ": <<END\nwithout an end",
    "echo 'without an end",
    "echo \"without an end",
    "echo $(echo without an end",
    "if true; then",
    "case x in",
    "f() {",
    "fi",
    ")",
    "}",
    "true &&",
    "true |",
    "true \\",
    ": |&& ;;",
    "systemctl() { :; }\nldconfig() { :; }\ntest() { return 1; }",
    "alias systemctl=true test=false",
    "PATH=/nowhere",
    "unset PATH",
    "readonly PATH\nPATH=x",
    "IFS=sy",
    "set -- 9",
    "shift",
    "set -fn",
    "cd /tmp",
    "umask 777",
    "exec >/dev/null 2>&1 <&-",
    "( exit 0 ) &",
    "#!/usr/bin/python\nexit 0",
];

/// All that generates text.
fn daemon() -> Case {
    Case::new("daemon")
        .noarch()
        .file(text("/usr/lib/systemd/system/daemon.service", "[Service]\nExecStart=/bin/true\n"))
        .file(text("/usr/lib/firewalld/services/daemon.xml", "<service/>\n"))
        .toml(
            "units = [\"daemon.service\"]\nldconfig = true\nfirewalld = true\n\
             users = [{ name = \"svc\", home = \"/var/lib/svc\", comment = \"A service\" }]",
        )
}

/// A version later, with another service.
fn later(case: &Case) -> Case {
    let mut next = case.clone();
    next.version = "2.0".into();
    next.file(text("/usr/lib/firewalld/services/other.xml", "<service/>\n"))
}

/// Packages of both versions, in a folder of their own.
struct Versions {
    _dir: tempfile::TempDir,
    first: PathBuf,
    second: PathBuf,
}

impl Versions {
    fn of(case: &Case) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let [first, second] = [("1", case.clone()), ("2", later(case))].map(|(name, case)| {
            let dir = dir.path().join(name);
            fs_err::create_dir(&dir).unwrap();
            build::by_us(&case, &dir)
        });
        Self { _dir: dir, first, second }
    }
}

/// The programs that installing, upgrading and erasing call.
fn calls(case: &Case) -> [Vec<String>; 3] {
    let versions = Versions::of(case);
    let root = Scratch::new();
    [
        (&["-i", "--nodeps"][..], Some(versions.first.as_path())),
        (&["-U", "--nodeps"], Some(&versions.second)),
        (&["-e", "--nodeps", "daemon"], None),
    ]
    .map(|(arguments, file)| {
        root.change(arguments, file);
        root.calls()
    })
}

fn same_as_alone(cases: &[Case]) {
    let alone = calls(&daemon());
    assert!(alone[1].contains(&"systemctl try-restart daemon.service".into()), "{alone:?}");
    let differing: Vec<_> = on_all(cases, |case| {
        let found = calls(case);
        (found != alone).then(|| format!("{:?}: {found:#?}", case.scripts[0].body))
    })
    .into_iter()
    .map(|(_, outcome)| outcome.unwrap_or_else(|| Some("the test panicked".into())))
    .collect();
    let differing: Vec<_> = differing.into_iter().flatten().collect();
    assert!(differing.is_empty(), "alone: {alone:#?}\n{}", differing.join("\n"));
}

#[test]
fn generated_commands_run_before_any_author_text() {
    if !support::have_as_root("authors' scriptlets", TOOLS) {
        return;
    }
    let with = |text| daemon().script("post", text).script("postun", text);
    same_as_alone(&TEXTS.iter().map(|text| with(text)).collect::<Vec<_>>());
}

#[test]
fn author_scripts_that_exit_0_stop_nothing() {
    if !support::have_as_root("authors' scriptlets before install", TOOLS) {
        return;
    }
    let with = |text| daemon().script("pre", text).script("preun", text);
    let texts = ["exit 0", "exec true", "trap 'exit 0' EXIT\nexit 5", "systemctl() { :; }", "cd /"];
    same_as_alone(&texts.iter().map(|text| with(text)).collect::<Vec<_>>());
}

#[test]
fn an_author_gets_the_number_of_instances_and_the_account() {
    if !support::have_as_root("arguments of authors' scriptlets", TOOLS) {
        return;
    }
    let note = |section: &str| format!("echo \"{section} $# $1\" >> /calls");
    let sections = ["pre", "post", "preun", "postun"];
    let case = sections.iter().fold(daemon(), |case, s| case.script(s, &note(s)));
    let own = |calls: Vec<String>| -> Vec<String> {
        let is_own = |c: &String| sections.iter().any(|s| c.starts_with(&format!("{s} ")));
        calls.into_iter().filter(is_own).collect()
    };
    let found = calls(&case);
    let made = found[0].iter().position(|c| c.starts_with("useradd"));
    assert!(made < found[0].iter().position(|c| c == "pre 1 1"), "{found:?}");
    let expected: [&[&str]; 3] = [
        &["pre 1 1", "post 1 1"],
        &["pre 1 2", "post 1 2", "preun 1 1", "postun 1 1"],
        &["preun 1 0", "postun 1 0"],
    ];
    assert_eq!(found.map(own), expected);
}

#[test]
fn author_scripts_that_fail_stop_install_and_removal() {
    if !support::have_as_root("failing authors' scriptlets", TOOLS) {
        return;
    }
    for failing in ["exit 1", "set -e\nfalse", "if true; then", "false"] {
        let root = Scratch::new();
        let versions = Versions::of(&daemon().script("pre", failing));
        let said = root.refused(&["-i", "--nodeps"], Some(&versions.first));
        assert!(said.contains("scriptlet failed"), "{failing}: {said}");
        assert!(!root.path("/usr/lib/firewalld/services/daemon.xml").exists(), "{failing}");

        let versions = Versions::of(&daemon().script("preun", failing));
        root.change(&["-i", "--nodeps"], Some(&versions.first));
        let said = root.refused(&["-e", "--nodeps", "daemon"], None);
        assert!(said.contains("scriptlet failed"), "{failing}: {said}");
        assert!(root.path("/usr/lib/firewalld/services/daemon.xml").exists(), "{failing}");
    }
}
