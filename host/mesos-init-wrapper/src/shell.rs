//! Lets /bin/sh read a file of defaults and brings back the variables.
//!
//! The shell prints them NUL-separated into a pipe. While it reads the file, that
//! pipe is not its stdout: anything that the file prints goes to the log instead.
//! The shell is the same on every system in only a few ways, so the script that
//! it runs uses nothing that dash, bash and busybox do not share.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::environment::{self, Variables};
use crate::files;
use crate::lines::Lines;
use crate::no_effect;
use crate::report::{Exit, Failure, Note, Problem};

const SHELL: &str = "/bin/sh";

/// `-a` exports every variable that the file sets. `-e` stops at a command that
/// fails, `-u` at a variable that is not set and `pipefail`, where the shell has it,
/// at a pipe that fails, as in the script of 2015: neither `MASTER=$(...)` nor
/// `IP=$NAME` quietly ends up empty. With the
/// redirection the shell keeps the pipe on a descriptor that no command inherits.
/// The variable added at the end proves that the list is whole. All is one line,
/// understood before the file is read, so that no alias of the file can change it.
/// The limit on memory stops a command substitution that never ends; only what the file starts has it.
const SCRIPT: &str = r#"ulimit -Sv 4194304 2>/dev/null || :; set -aeu; if (set -o pipefail) 2>/dev/null; then set -o pipefail; fi; . "$1" >&2; exec /usr/bin/env -0 _mesos_init_wrapper_read=1"#;

const PROOF: &str = "_mesos_init_wrapper_read";

/// A pipe can hold this much at the most, unless root has raised the limit.
const PIPE: usize = 1 << 20;

/// Longer than this no file of settings takes, also if it asks a slow server for an address. systemd would wait for
/// ever: to it the daemon runs as soon as this program does.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long to wait before looking again whether the shell still runs. This
/// matters only if a file leaves a process behind that keeps the pipes open.
const LOOK_AGAIN_MS: u8 = 50;

/// Reads one file; `hear` gets every line that it prints.
///
/// Gives the variables and what looks odd; nothing if the file does not exist.
pub(crate) fn read(
    file: &Path,
    variables: &Variables,
    hear: &mut dyn FnMut(&Path, &str),
) -> Result<Option<(Variables, Vec<Note>)>, Failure> {
    read_with(SHELL, PATIENCE, file, variables, hear)
}

fn read_with(
    shell: &str,
    patience: Duration,
    file: &Path,
    variables: &Variables,
    hear: &mut dyn FnMut(&Path, &str),
) -> Result<Option<(Variables, Vec<Note>)>, Failure> {
    let config = |problem| Failure::new(Exit::Config, problem);
    let Some(content) = files::read_if_there(file).map_err(config)? else {
        return Ok(None);
    };
    check(file, &content).map_err(config)?;

    let mut lines = Lines::of(file, &content);
    let heard = source(shell, patience, file, variables, &mut |bytes| {
        lines.add(bytes, &mut |line| hear(file, line));
    });
    lines.finish(&mut |line| hear(file, line));

    let (status, printed) = heard.map_err(|error| {
        let what = format!("{shell} cannot read {}: {error}", file.display());
        Failure::new(Exit::System, Problem::new(what))
    })?;
    let Some(status) = status else {
        return Err(config(endless(file, patience, &lines.last)));
    };
    let mut found = environment::split(&printed);
    if found.remove(OsStr::new(PROOF)).is_none() {
        return Err(config(failed(file, status, &lines.last)));
    }
    Ok(Some((variables.updated(file, found), no_effect::notes(file, &content))))
}

/// Finds what the shell would not complain about, and the daemon not explain.
fn check(file: &Path, content: &[u8]) -> Result<(), Problem> {
    if content.windows(2).any(|pair| pair == b"\r\n") {
        let what = format!("{} has the line ends of Windows", file.display());
        return Err(Problem::new(what).hint(format!("sed -i 's/\\r$//' {}", file.display())));
    }
    Ok(())
}

/// How the shell ended, or nothing if it had to be ended; and what it printed.
fn source(
    shell: &str,
    patience: Duration,
    file: &Path,
    variables: &Variables,
    hear: &mut dyn FnMut(&[u8]),
) -> io::Result<(Option<ExitStatus>, Vec<u8>)> {
    let child = Command::new(shell)
        .arg0("sh") // a shell of many talents looks at this to know that it is sh
        .args(["-c", SCRIPT, "sh"])
        .arg(file)
        .env_clear()
        .envs(variables.iter().map(|(name, it)| (name, &it.value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    converse(child, patience, hear)
}

/// Collects stdout and passes on stderr until the shell has ended.
///
/// Its end counts, not that of the pipes: a process that the file has left in
/// the background may keep those open for ever.
fn converse(
    mut child: Child,
    patience: Duration,
    hear: &mut dyn FnMut(&[u8]),
) -> io::Result<(Option<ExitStatus>, Vec<u8>)> {
    let start = Instant::now();
    let mut printed = Vec::new();
    let mut stdout = child.stdout.take();
    let mut stderr = child.stderr.take();
    let mut buffer = vec![0; PIPE];
    loop {
        // Asked before reading: what it wrote before it ended is in the pipes now.
        let ended = child.try_wait()?;
        let again = if ended.is_some() { 0 } else { LOOK_AGAIN_MS };
        let (first, second) = wait_for(stdout.as_ref(), stderr.as_ref(), again)?;
        if first {
            printed.extend_from_slice(take(&mut stdout, &mut buffer)?);
        }
        if second {
            hear(take(&mut stderr, &mut buffer)?);
        }
        if ended.is_some() {
            return Ok((ended, printed));
        }
        if start.elapsed() >= patience {
            child.kill()?;
            child.wait()?;
            return Ok((None, printed));
        }
    }
}

/// Says which of two pipes can be read without waiting.
fn wait_for(
    first: Option<&impl AsFd>,
    second: Option<&impl AsFd>,
    milliseconds: u8,
) -> io::Result<(bool, bool)> {
    let watch = |fd| PollFd::new(fd, PollFlags::POLLIN);
    let mut watched: Vec<PollFd> = Vec::with_capacity(2);
    watched.extend(first.map(|pipe| watch(pipe.as_fd())));
    watched.extend(second.map(|pipe| watch(pipe.as_fd())));
    match poll(&mut watched, PollTimeout::from(milliseconds)) {
        Ok(_) | Err(Errno::EINTR) => {}
        Err(errno) => return Err(errno.into()),
    }
    let mut ready = watched.iter().map(|it| it.any().unwrap_or(false));
    let mut next = |watched: bool| watched && ready.next().unwrap_or(false);
    Ok((next(first.is_some()), next(second.is_some())))
}

/// Reads once from a pipe, and forgets it at its end.
fn take<'a>(pipe: &mut Option<impl Read>, buffer: &'a mut [u8]) -> io::Result<&'a [u8]> {
    let Some(open) = pipe else { return Ok(&[]) };
    let count = open.read(buffer)?;
    if count == 0 {
        *pipe = None;
    }
    Ok(&buffer[..count])
}

fn endless(file: &Path, patience: Duration, last_lines: &[String]) -> Problem {
    let said = match last_lines {
        [] => String::new(),
        lines => format!("; it said: {}", lines.join(" / ")),
    };
    let (file, seconds) = (file.display(), patience.as_secs());
    Problem::new(format!(
        "{file} cannot be used: the shell was still reading it after {seconds} s{said}"
    ))
    .hint(format!(
        "find what it waits for, or the loop that does not end, with: sh -aeuxc '. {file}'"
    ))
}

fn failed(file: &Path, status: ExitStatus, last_lines: &[String]) -> Problem {
    let how = if status.success() {
        "it ended the shell before its own end".to_owned()
    } else {
        format!("the shell stopped with {status}")
    };
    let said = match last_lines {
        [] => "it printed nothing".to_owned(),
        lines => format!("it said: {}", lines.join(" / ")),
    };
    let file = file.display();
    Problem::new(format!("{file} cannot be used: {how}; {said}")).hint(format!(
        "try it with: sh -aeuxc '. {file}'; a command that fails stops the reading, \
         so a test that may fail belongs into an if, or ends with || true; so does a variable \
         that is not set, unless it is written ${{NAME:-}}",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CentOS has bash as sh, Debian dash, small images busybox. What is installed is tried.
    fn shells() -> impl Iterator<Item = &'static str> {
        [SHELL, "/bin/bash", "/bin/dash", "/bin/busybox"]
            .into_iter()
            .filter(|shell| Path::new(shell).exists())
    }

    /// What a file sets, as `NAME=VALUE`, and what it prints; or how it fails.
    fn outcome(shell: &str, content: &str) -> Result<(Vec<String>, Vec<String>), String> {
        outcome_within(PATIENCE, shell, content)
    }

    fn outcome_within(
        patience: Duration,
        shell: &str,
        content: &str,
    ) -> Result<(Vec<String>, Vec<String>), String> {
        let folder = tempfile::tempdir().expect("temporary folder");
        let file = folder.path().join("defaults");
        fs_err::write(&file, content).expect("file");
        let path = ("PATH".into(), "/usr/bin:/bin".into());
        let before: Variables = [path, ("GIVEN".into(), "1".into())].into_iter().collect();
        let mut heard = Vec::new();
        let after =
            read_with(shell, patience, &file, &before, &mut |_, line| heard.push(line.to_owned()));
        let after =
            after.map_err(|failure| failure.problems[0].to_string())?.expect("the file exists").0;
        let set_here = after
            .iter()
            .filter(|(_, variable)| variable.set_in.is_some())
            .map(|(name, variable)| format!("{}={}", name.display(), variable.value.display()));
        Ok((set_here.collect(), heard))
    }

    #[test]
    fn every_shell_brings_the_same_variables() {
        let rows: &[(&str, &[&str], &[&str])] = &[
            ("", &[], &[]),
            ("A=1\nB=\"$A 2\"\nC='$A'\nD=`echo 4`\n", &["A=1", "B=1 2", "C=$A", "D=4"], &[]),
            ("A='x\ny'\n# B=2\nexport C=é", &["A=x\ny", "C=é"], &[]),
            ("echo A=1; echo B=2 >&2\nprintf 'C=3\\0D=4\\0'", &[], &["A=1", "B=2", "C=3\0D=4\0"]),
            ("f() { A=1; }\nf\nset -- x y\ncd /\n", &["A=1"], &[]),
            ("A=1\nreturn 0\nA=2\n", &["A=1"], &[]),
            ("env() { :; }\nalias exec=false\nA=1\ntrap 'echo no' EXIT\n", &["A=1"], &[]),
            ("exec >/dev/null 2>&1\nA=1\necho no\n", &["A=1"], &[]),
            ("if test -e /none; then A=1; fi\ntest -e /none || true\n", &[], &[]),
            ("GIVEN=2\nNEW=${GIVEN}3\n", &["GIVEN=2", "NEW=23"], &[]),
            ("set +a\nA=1\n", &[], &[]),
            (
                "A=${NOPE:-1}\nB=${NOPE-}\nif [ -n \"${NOPE:+x}\" ]; then C=1; fi\n",
                &["A=1", "B="],
                &[],
            ),
            ("set +u\nA=$NOPE\n", &["A="], &[]),
        ];
        for shell in shells() {
            for (content, variables, lines) in rows {
                let (set, heard) = outcome(shell, content).expect(content);
                assert_eq!(set, *variables, "{shell}: {content}");
                assert_eq!(heard, *lines, "{shell}: {content}");
            }
        }
    }

    #[test]
    fn every_shell_tells_what_is_wrong() {
        for shell in shells() {
            for (content, expected) in [
                ("A='1\n", "unterminated|unexpected eof"),
                ("if true\nA=1\n", "syntax error"),
                ("A=(1 2\n", "syntax error|unexpected"),
                ("A=$(cat /does/not/exist)\nB=2\n", "/does/not/exist"),
                ("false\n", "exit status: 1"),
                ("IP=$NOPE\n", "nope"),
                ("IP=${NOPE}\nNOPE=1\n", "nope"),
                ("A=\"x-$NOPE-y\"\n", "nope"),
                ("exit 0\n", "before its own end"),
                ("exit 3\n", "exit status: 3"),
                ("kill -9 $$\n", "signal: 9"),
                ("no-such-command\n", "no-such-command"),
                (". /does/not/exist\n", "/does/not/exist"),
            ] {
                let problem = outcome(shell, content).expect_err(content);
                let found = problem.to_lowercase();
                assert!(found.contains("/defaults cannot be used"), "{problem}");
                let any = expected.split('|').any(|text| found.contains(text));
                assert!(any, "{shell}: {content}: {problem}");
            }
        }
    }

    #[test]
    fn no_shell_tells_a_secret_that_it_does_not_understand() {
        for shell in shells() {
            for content in [
                "MESOS_CREDENTIAL= hunter2\n",
                "MASTER=zk://u:pass;hunter2@h:1/m\n",
                "MASTER=zk://u:$hunter2@h:1/m\n",
                "MASTER=zk://u:p ass/hunter2@h:1/m\n",
                "MASTER=zk://u:p`hunter2`@h:1/m\n",
                "MASTER=zk://u:(hunter2)@h:1/m\n",
                "MESOS_SECRET=(hunter2\n",
                "ETCD_AUTHORITY=root:x;hunter2@h:4001\n",
                "ETCD_AUTHORITY=root:(hunter2@h:4001\n",
            ] {
                let problem = outcome(shell, content).expect_err(content);
                assert!(!problem.contains("hunter2"), "{shell}: {content}: {problem}");
            }
        }
    }

    #[test]
    fn a_pipe_that_fails_stops_where_the_shell_can_tell() {
        let content = "A=$(cat /does/not/exist | cat)\n";
        let problem = outcome("/bin/bash", content).expect_err("a problem");
        assert!(problem.contains("/does/not/exist"), "{problem}");
    }

    #[test]
    fn a_long_list_and_long_output_do_not_block_each_other() {
        let content = "i=0\nwhile [ $i -lt 3000 ]; do i=$((i + 1)); eval \"V$i=$i$X\"; \
                       echo 0123456789012345678901234567890123456789 >&2; done\n";
        let content = format!("X={}\n{content}", "x".repeat(100));
        for shell in shells() {
            let (set, heard) = outcome(shell, &content).expect("variables");
            assert_eq!((set.len(), heard.len()), (3002, 3000), "{shell}");
        }
    }

    #[test]
    fn a_process_in_the_background_is_not_waited_for() {
        // It ends when the test's fifo is opened for writing: after the reading.
        for shell in shells() {
            let folder = tempfile::tempdir().expect("temporary folder");
            let fifo = folder.path().join("fifo");
            let made = Command::new("mkfifo").arg(&fifo).status();
            assert!(made.expect("mkfifo").success());
            let content = format!("( read x < {} ) &\nA=1\n", fifo.display());
            let (set, _) = outcome(shell, &content).expect("variables");
            assert_eq!(set, ["A=1"], "{shell}");
            fs_err::write(&fifo, "go\n").expect("fifo");
        }
    }

    #[test]
    fn a_file_that_does_not_end_is_told() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let fifo = folder.path().join("fifo");
        let made = Command::new("mkfifo").arg(&fifo).status();
        assert!(made.expect("mkfifo").success());
        let read = format!("A=1\nread B < {}\n", fifo.display());
        for shell in shells() {
            for content in [
                "echo on\nwhile :; do :; done\n",
                "while :; do echo on; done\n",
                "exec >/dev/null 2>&1; while :; do :; done\n",
                &read,
            ] {
                let patience = Duration::from_millis(300);
                let problem = outcome_within(patience, shell, content).expect_err(content);
                assert!(
                    problem.contains("/defaults cannot be used: the shell was still reading it")
                );
                assert!(problem.contains("with: sh -aeuxc '. /"), "{problem}");
            }
        }
    }

    #[test]
    fn the_memory_that_a_file_takes_has_a_limit() {
        for shell in shells() {
            let (set, _) = outcome(shell, "A=$(ulimit -Sv)\n").expect("variables");
            let limit = set[0].strip_prefix("A=").and_then(|limit| limit.parse::<u64>().ok());
            assert!(limit.is_some_and(|limit| limit <= 4 << 20), "{shell}: {set:?}");
        }
    }

    #[test]
    fn the_log_is_not_filled() {
        let content = "i=0\nwhile [ $i -lt 12000 ]; do i=$((i + 1)); echo $i; done\n";
        let (_, heard) = outcome(SHELL, content).expect("variables");
        assert_eq!(heard.len(), Lines::HEARD);
        assert!(heard[Lines::HEARD - 1].contains("the rest is left out"));
    }

    #[test]
    fn line_ends_of_windows_are_found() {
        let problem = check(Path::new("/f"), b"A=1\r\n").expect_err("a problem");
        assert!(problem.to_string().contains("Windows"));
        assert_eq!(check(Path::new("/f"), b"A=1\nB='\r'\n"), Ok(()));
    }
}
