//! Prints everything: the progress, the table at the end, and the failure if there is one. Results go to standard
//! output, everything else to standard error.

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod bars;
mod lines;
pub(crate) mod report;

use std::{
    io::{Error, ErrorKind, IsTerminal, Write},
    sync::OnceLock,
};

use crate::output::Output;
use base::{
    events::{Event, Reporter},
    failure::{Class, Failure, Result},
};

/// The reporter for this run: JSON with `--json`, bars on a terminal, lines elsewhere.
pub(crate) fn reporter(json: bool) -> Box<dyn Reporter> {
    if json {
        Box::new(Json)
    } else if std::io::stderr().is_terminal()
        && std::env::var_os("TERM").is_some_and(|t| t != "dumb")
    {
        Box::new(bars::Bars::new())
    } else {
        Box::new(lines::PlainLines)
    }
}

/// Prints a text. It may contain text from other people's files, so control characters are replaced.
pub(crate) fn text(text: &str) {
    let text = plain(text);
    let mut stdout = std::io::stdout();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    // It is no error if the reader, such as `head`, has ended.
    if let Some(error) = written.err().filter(|e| e.kind() != ErrorKind::BrokenPipe) {
        let _ = LOST.set(error);
    }
}

/// The first error of writing to standard output. It is reported at the end, so that the work is not interrupted.
static LOST: OnceLock<Error> = OnceLock::new();

/// # Errors
/// [`Class::Output`] if a result was lost: an empty file must not look like one.
pub(crate) fn all_printed() -> Result<()> {
    let lost = |error: &Error| {
        let message = format!("standard output cannot be written to: {error}");
        Failure::new(Class::Output, message).help("the work is done, but the output is incomplete")
    };
    LOST.get().map_or(Ok(()), |error| Err(lost(error)))
}

fn plain(text: &str) -> String {
    let legal = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
    text.chars().map(|c| if legal(c) { c } else { '\u{fffd}' }).collect()
}

/// Prints a value as one line of JSON.
pub(crate) fn json(output: &Output) {
    text(&(output.line() + "\n"));
}

/// Prints a failure.
pub(crate) fn failure(failure: &Failure, as_json: bool) {
    if as_json && LOST.get().is_none() {
        json(&Output::Failed(failure.into()));
    } else {
        let _ = writeln!(std::io::stderr(), "{}", plain(&failure.to_string()));
    }
}

/// The failure of a process of the sandbox, in the form that container engines have for theirs.
pub(crate) fn sandbox_failure(failure: &Failure) {
    let help = failure.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
    let _ = writeln!(std::io::stderr(), "Error: {}{help}", plain(&failure.message));
}

/// Prints each event as a JSON object on a line.
struct Json;

impl Reporter for Json {
    fn event(&self, event: &Event<'_>) {
        json(&event.into());
    }
}
