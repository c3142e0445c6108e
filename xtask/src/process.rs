//! Runs a program: every line into a log file and to the reporter, and a failure that shows what
//! matters of it.

use std::{
    collections::VecDeque,
    ffi::OsString,
    io::{BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::ExitStatus,
};

use crate::failure::{Class, Classify, Failure, Result};

/// A program to run.
pub(crate) struct Process<'a> {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<OsString>,
    pub(crate) dir: &'a Path,
    /// Variables to set; all others are inherited, except those that `removed` names.
    pub(crate) set: Vec<(OsString, OsString)>,
    /// Says of a variable's name whether the program must not see it.
    pub(crate) removed: &'a dyn Fn(&str) -> bool,
    pub(crate) log: PathBuf,
    /// Class of the failure if the program fails.
    pub(crate) class: Class,
}

/// Lines kept for an error message.
const KEPT: usize = 8;

/// How a program ended.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) lines: Lines,
}

impl Process<'_> {
    /// Runs it to its end, handing each line to `line`.
    pub(crate) fn run(&self, line: impl FnMut(&str)) -> Result<()> {
        let mut log = self.open_log(fs_err::OpenOptions::new().write(true).truncate(true))?;
        let ended = self.stream(&mut log, self.expression(), |_| (), line)?;
        match ended.status.success() {
            true => Ok(()),
            false => Err(self.failure(&ended.status.to_string(), ended.lines)),
        }
    }

    /// As [`Process::run`], but in a process group of its own, which no Ctrl-C of a terminal
    /// reaches, and with the log going on where it is. `started` gets its id; what the end
    /// means is left to the caller.
    pub(crate) fn watch(&self, started: impl FnOnce(u32), line: impl FnMut(&str)) -> Result<Ended> {
        let mut log = self.open_log(fs_err::OpenOptions::new().append(true))?;
        let own_group = |command: &mut std::process::Command| {
            command.process_group(0);
            Ok(())
        };
        self.stream(&mut log, self.expression().before_spawn(own_group), started, line)
    }

    fn expression(&self) -> duct::Expression {
        let mut expression =
            duct::cmd(&self.program, &self.args).dir(self.dir).stdin_null().stderr_to_stdout();
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(self.removed) {
                expression = expression.env_remove(name);
            }
        }
        for (name, value) in &self.set {
            expression = expression.env(name, value);
        }
        expression.unchecked()
    }

    fn stream(
        &self,
        log: &mut fs_err::File,
        expression: duct::Expression,
        started: impl FnOnce(u32),
        mut line: impl FnMut(&str),
    ) -> Result<Ended> {
        let reader = expression.reader().map_err(|e| {
            let status = format!("could not be started: {e}");
            let _ = writeln!(log, "{status}");
            self.failure(&status, Lines::default())
        })?;
        reader.pids().first().copied().map(started);
        let mut lines = Lines::default();
        let mut input = BufReader::new(&reader);
        let mut buffer = Vec::new();
        while read_line(&mut input, &mut buffer).class(self.class)? > 0 {
            log.write_all(&buffer).class(Class::Output)?;
            let text = plain(&buffer);
            line(&text);
            lines.push(text);
            buffer.clear();
        }
        let status = reader.try_wait().class(self.class)?.map(|output| output.status);
        match status {
            Some(status) => Ok(Ended { status, lines }),
            None => Err(self.failure("its end could not be seen", lines)),
        }
    }

    fn open_log(&self, options: &mut fs_err::OpenOptions) -> Result<fs_err::File> {
        if let Some(dir) = self.log.parent() {
            fs_err::create_dir_all(dir).class(Class::Output)?;
        }
        let mut log = options.create(true).open(&self.log).class(Class::Output)?;
        writeln!(log, "$ {}", self.command()).class(Class::Output)?;
        Ok(log)
    }

    fn command(&self) -> String {
        let program = self.program.display().to_string();
        let args = self.args.iter().map(|a| a.to_string_lossy().into_owned());
        std::iter::once(program).chain(args).collect::<Vec<_>>().join(" ")
    }

    pub(crate) fn failure(&self, status: &str, lines: Lines) -> Failure {
        let name = self.program.file_name().unwrap_or_default().to_string_lossy();
        let mut failure = Failure::new(self.class, format!("{name} failed"));
        failure.command = Some(self.command());
        failure.status = Some(status.to_owned());
        failure.last_lines = lines.telling();
        failure.log = Some(self.log.clone());
        failure
    }
}

/// Reads up to the end of a line, or to where a line of progress is written over by the next.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<usize> {
    loop {
        let ready = input.fill_buf()?;
        let end = ready.iter().position(|b| matches!(b, b'\n' | b'\r')).map(|at| at + 1);
        line.extend_from_slice(&ready[..end.unwrap_or(ready.len())]);
        let read = end.unwrap_or(ready.len());
        input.consume(read);
        if end.is_some() || read == 0 {
            return Ok(line.len());
        }
    }
}

/// The lines that an error message may want: the first complaint and the last words.
#[derive(Default)]
pub(crate) struct Lines {
    first_error: Vec<String>,
    last: VecDeque<String>,
}

impl Lines {
    pub(crate) fn push(&mut self, line: String) {
        let begins = is_error(&line);
        let goes_on = !self.first_error.is_empty() && self.first_error.len() < KEPT;
        if goes_on || (self.first_error.is_empty() && begins) {
            self.first_error.push(line);
            return;
        }
        if !line.is_empty() {
            self.last.push_back(line);
        }
        if self.last.len() > KEPT {
            self.last.pop_front();
        }
    }

    pub(crate) fn telling(self) -> Vec<String> {
        let gap = (!self.first_error.is_empty() && !self.last.is_empty()).then(|| "...".to_owned());
        self.first_error.into_iter().chain(gap).chain(self.last).collect()
    }
}

/// Whether a compiler, a linker or a configure script complains here. What make says of it comes
/// later and says less.
pub(crate) fn is_error(line: &str) -> bool {
    let parts = [
        ": error:",
        ": fatal error:",
        ": Error:",
        ": undefined reference to ",
        ": cannot find -l",
        "internal compiler error: ",
    ];
    line.trim_start().starts_with("error") || parts.iter().any(|part| line.contains(part))
}

/// A line without its end and without anything that would steer the terminal.
fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.trim_end().chars().filter(|c| !c.is_control() || *c == '\t').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_error_is_not_drowned() {
        let mut lines = Lines::default();
        let noise = (0..50).map(|i| format!("make[{i}]: Leaving directory"));
        for line in ["gcc -c a.cpp".into(), "a.cpp:3:1: error: no".into()].into_iter().chain(noise)
        {
            lines.push(line);
        }
        let telling = lines.telling();
        assert_eq!(telling[0], "a.cpp:3:1: error: no");
        assert_eq!(telling.last().unwrap(), "make[49]: Leaving directory");
        assert!(telling.len() <= 2 * KEPT + 1);
    }

    #[test]
    fn progress_that_is_written_over_comes_line_by_line() {
        // Smaller than a line, as pipes may be.
        let mut input = BufReader::with_capacity(3, &b"one 1%\rone 100%\ntwo"[..]);
        let mut lines = Vec::new();
        let mut line = Vec::new();
        while read_line(&mut input, &mut line).unwrap() > 0 {
            lines.push(plain(&line));
            line.clear();
        }
        assert_eq!(lines, ["one 1%", "one 100%", "two"]);
    }
}
