//! Finds the reason why a phase failed, and what to do about it.

use std::path::{Path, PathBuf};

use super::failed_tests::Tests;
use base::{
    failure::{Class, Failure},
    process::Lines,
};

/// Whether a line is a compiler's warning.
pub fn is_warning(line: &str) -> bool {
    line.contains(": warning:") || line.starts_with("warning:") || line.contains(": WARNING:")
}

/// Signs in the output of a phase that explain a failure.
#[derive(Debug, Default)]
pub(super) struct Signs {
    pub(super) warnings: usize,
    out_of_memory: bool,
    disk_full: bool,
    wants_network: bool,
    wants_to_write: bool,
    tests: Tests,
}

impl Signs {
    pub(super) fn read_line(&mut self, line: &str) {
        let has = |parts: &[&str]| parts.iter().any(|part| line.contains(part));
        self.warnings += usize::from(is_warning(line));
        self.out_of_memory |= has(&[
            "virtual memory exhausted",
            "out of memory allocating",
            "Cannot allocate memory",
            "Killed (program ",
            "Killed signal terminated program",
            "ld terminated with signal 9",
        ]) || line.trim() == "Killed"
            || line.ends_with("] Killed");
        self.disk_full |= has(&["No space left on device", "Disk quota exceeded"]);
        self.wants_network |= has(&[
            "Could not resolve host",
            "Temporary failure in name resolution",
            "Network is unreachable",
            "unable to resolve host",
        ]);
        self.wants_to_write |= has(&["Read-only file system"]);
        self.tests.read_line(line);
    }
}

/// How a phase was run and ended.
pub(super) struct PhaseEnd<'a> {
    pub(super) phase: &'a str,
    /// The image, or the root folder.
    pub(super) system: &'a str,
    pub(super) builder: &'static str,
    pub(super) jobs: usize,
    /// The exit code, as a shell shows it; `None` if a signal ended the engine's client.
    pub(super) code: Option<i32>,
    pub(super) status: String,
    pub(super) log: PathBuf,
    /// Folders that the build writes to.
    pub(super) folders: &'a [&'a Path],
}

/// The exit code after signal 9, by which the kernel ends containers that run out of memory.
const KILLED: i32 = 137;
/// The exit code for an error of the engine itself.
const ENGINE: i32 = 125;

/// The failure of a phase.
pub(super) fn explain(end: &PhaseEnd<'_>, signs: &Signs, lines: Lines) -> Failure {
    let PhaseEnd { phase, jobs, .. } = end;
    let mut last_lines = lines.for_message();
    let own_words = |l: &String| l.starts_with("Error: ") || l.starts_with("docker: ");
    let (class, message, help) = if signs.disk_full {
        let message = format!("the disk is full in phase {phase}{}", full(end.folders));
        (
            Class::Output,
            message,
            "free some space and run again; ccache keeps what was compiled".into(),
        )
    } else if signs.out_of_memory || end.code == Some(KILLED) {
        let message = format!("phase {phase} was killed, as happens when memory runs out");
        let help = format!(
            "it ran {jobs} jobs at once: give fewer with --compile-jobs, or give the machine more \
             memory; ccache keeps what was compiled"
        );
        (Class::Compile, message, help)
    } else if end.code == Some(ENGINE) && last_lines.last().is_some_and(own_words) {
        cannot_run(end.builder, last_lines.last().map_or("", String::as_str))
    } else if let Some(failed) = signs.tests.failed() {
        let message = format!("phase {phase} failed: {failed}");
        (Class::Compile, message, AFTER_TESTS.into())
    } else {
        (Class::Compile, format!("phase {phase} failed"), advice(signs))
    };
    if let Some(first) = last_lines.iter().position(|l| base::process::is_error(l)) {
        last_lines.drain(..first);
    }
    let mut failure = Failure::new(class, message).help(help);
    failure.command =
        Some(format!("{} run ... {} /bin/sh -eu -c '...' {phase}", end.builder, end.system));
    failure.status = Some(end.status.clone());
    failure.last_lines = last_lines;
    failure.log = Some(end.log.clone());
    failure
}

fn cannot_run(builder: &str, why: &str) -> (Class, String, String) {
    if builder == "sandbox" {
        let help = match why.contains("nothing can be mounted at") {
            true => {
                "the packages of image.toml do not give the root this place: `filesystem` and `setup` have /etc"
            }
            false => "`cargo xtask doctor` says whether this machine allows one",
        };
        return (Class::Tool, "the sandbox cannot be made ready".into(), help.into());
    }
    let message = format!("{builder} cannot run the builder's container");
    (Class::Tool, message, format!("`{builder} info` and the log say more"))
}

const AFTER_TESTS: &str = "what the tests said is in the log if they print it (`make check VERBOSE=1`, \
                           `ctest --output-on-failure`); --shell-on-failure opens a shell beside \
                           their own logs, test-suite.log for one";

fn advice(signs: &Signs) -> String {
    if signs.wants_network {
        return "builds have no network: make what it wants to fetch one of its sources".into();
    }
    if signs.wants_to_write {
        return "sources are read-only: copy what is written to, `cp -a $SRC $BUILD/source`".into();
    }
    "--shell-on-failure opens a shell where it failed, with all that is there".into()
}

/// The folder whose file system is full, if one is.
fn full(folders: &[&Path]) -> String {
    let least = |dir: &&&Path| {
        rustix::fs::statvfs(**dir).map(|s| s.f_bavail * s.f_frsize).unwrap_or(u64::MAX)
    };
    match folders.iter().min_by_key(least) {
        Some(dir) if least(&dir) < 64 << 20 => format!(": no room is left in {}", dir.display()),
        _ => ": no room is left in the container's /tmp, which is memory".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(code: i32, output: &[&str]) -> Failure {
        let (mut signs, mut lines) = (Signs::default(), Lines::default());
        for line in output {
            signs.read_line(line);
            lines.push((*line).to_owned());
        }
        let end = PhaseEnd {
            phase: "make",
            system: "i",
            builder: "podman",
            jobs: 4,
            code: Some(code),
            status: format!("exit status: {code}"),
            log: "log".into(),
            folders: &[],
        };
        explain(&end, &signs, lines)
    }

    #[test]
    fn a_compile_error_comes_before_the_last_words_of_make() {
        let failure =
            judged(2, &["g++ -Werror -c a.cpp", "a.cpp:1:1: error: no", "make: *** [a.o] Error 1"]);
        assert_eq!(failure.class, Class::Compile);
        assert_eq!(failure.last_lines[0], "a.cpp:1:1: error: no");
        assert!(failure.help.as_ref().unwrap().contains("--shell-on-failure"));
    }

    #[test]
    fn a_killed_compiler_ran_out_of_memory() {
        let line = "g++: internal compiler error: Killed (program cc1plus)";
        for failure in [judged(137, &[]), judged(2, &[line])] {
            assert!(failure.message.contains("memory"), "{failure}");
            assert!(failure.help.as_ref().unwrap().contains("4 jobs"), "{failure}");
        }
    }

    #[test]
    fn a_check_that_fails_names_its_tests() {
        let noise = (0..40).map(|n| format!("PASS: t{n}")).collect::<Vec<_>>();
        let mut output = vec!["FAIL: tests/lpm_test"];
        output.extend(noise.iter().map(String::as_str));
        output.push("make: *** [check] Error 2");
        let failure = judged(2, &output);
        assert_eq!(failure.message, "phase make failed: the test tests/lpm_test failed");
        assert!(failure.help.as_ref().unwrap().contains("VERBOSE=1"), "{failure}");
        // The compiler's own message is shown as well.
        let both = judged(2, &["a.cpp:1:1: error: no", "FAIL: a"]);
        assert_eq!(both.last_lines[0], "a.cpp:1:1: error: no");
    }

    #[test]
    fn other_usual_ends() {
        assert_eq!(judged(1, &["cc1: x.s: No space left on device"]).class, Class::Output);
        let help = |line: &str| judged(1, &[line]).help.clone().unwrap();
        assert!(help("curl: (6) Could not resolve host: x").contains("one of its sources"));
        assert!(help("mkdir: /src/x: Read-only file system").contains("cp -a"));
        let engine = judged(125, &["Error: no such image"]);
        assert_eq!(engine.class, Class::Tool);
        assert_eq!(judged(125, &["exit 125 of a script"]).class, Class::Compile);
    }
}
