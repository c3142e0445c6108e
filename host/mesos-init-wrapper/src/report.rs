//! What the wrapper has to say: problems that stop it, notes that do not, and
//! its exit status.
//!
//! Everything else returns these values; they are printed here, as single plain
//! lines on stderr, which systemd hands to the journal.

use std::fmt;
use std::io::Write;
use std::path::Path;

/// How the wrapper ends when it does not become the daemon.
///
/// The numbers are those of sysexits.h and, for the last two, of the shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// The command line of the wrapper itself is wrong (EX_USAGE).
    Usage = 64,
    /// The system refused something that should always work (EX_OSERR).
    System = 71,
    /// The configuration cannot be used (EX_CONFIG).
    Config = 78,
    /// The daemon is there but cannot be executed.
    NotExecutable = 126,
    /// The daemon is not installed.
    NotFound = 127,
}

/// One thing that is wrong, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    what: String,
    hint: Option<String>,
}

impl Problem {
    /// States what is wrong, and where.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), hint: None }
    }

    /// Adds what to do next.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

/// The end of a run: an exit status and all that led to it.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The status to exit with.
    pub exit: Exit,
    /// What was noted on the way, which may be the cause.
    pub notes: Vec<Note>,
    /// Never empty.
    pub problems: Vec<Problem>,
}

impl Failure {
    /// A failure with a single cause.
    pub(crate) fn new(exit: Exit, problem: Problem) -> Self {
        Self { exit, notes: Vec::new(), problems: vec![problem] }
    }

    /// Prints the notes, and every problem with its hint on a line of its own.
    pub(crate) fn print(&self) {
        for note in &self.notes {
            note.log();
        }
        for problem in &self.problems {
            say(&format!("error: {}", problem.what));
            if let Some(hint) = &problem.hint {
                say(&format!("hint: {hint}"));
            }
        }
    }
}

/// Something worth knowing that does not stop the start.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Note {
    /// Probably a mistake.
    Warning(String),
    /// Unusual, but legitimate.
    Notice(String),
    /// As it should be: told only by `--print`.
    Detail(String),
}

impl Note {
    /// Logs the note, unless it is only for `--print`.
    pub(crate) fn log(&self) {
        match self {
            Note::Warning(text) => say(&format!("warning: {text}")),
            Note::Notice(text) => say(&format!("notice: {text}")),
            Note::Detail(_) => {}
        }
    }
}

/// Passes on a line that a file printed while the shell read it.
pub(crate) fn overheard(file: &Path, line: &str) {
    say(&format!("{}: {line}", file.display()));
}

/// Writes one line to stderr.
///
/// Control characters are escaped: a file name with a newline in it must not
/// look like a second message. That nobody may be listening is no reason to stop.
pub(crate) fn say(text: &str) {
    let line = format!("mesos-init-wrapper: {}\n", one_line(text));
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
}

fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && c != '\t' {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_stays_on_one_line() {
        assert_eq!(one_line("a\nb\u{1b}[1m é"), "a\\nb\\u{1b}[1m é");
    }

    #[test]
    fn a_problem_shows_its_hint() {
        let problem = Problem::new("x is wrong").hint("do y");
        assert_eq!(problem.to_string(), "x is wrong (do y)");
    }
}
