//! The output of a program, line by line.

use std::{collections::VecDeque, io::BufRead};

/// Number of lines that are kept for an error message, at each end.
const KEPT: usize = 8;

/// Reads up to the end of a line, or up to a carriage return, with which a program overwrites a line of progress.
pub(super) fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<usize> {
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

/// The lines of a program's output that are kept for an error message: those around the first error, and the last ones.
#[derive(Default)]
pub struct Lines {
    first_error: Vec<String>,
    last: VecDeque<String>,
}

impl Lines {
    /// Adds the next line.
    pub fn push(&mut self, line: String) {
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

    /// The lines for an error message: at most twice [`KEPT`], and a line for the gap.
    pub fn for_message(self) -> Vec<String> {
        let gap = (!self.first_error.is_empty() && !self.last.is_empty()).then(|| "...".to_owned());
        self.first_error.into_iter().chain(gap).chain(self.last).collect()
    }
}

/// Whether a compiler, a linker or a configure script complains here. What make says of it comes
/// later and says less.
pub fn is_error(line: &str) -> bool {
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
pub(super) fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.trim_end().chars().filter(|c| !c.is_control() || *c == '\t').collect()
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    #[test]
    fn the_first_error_line_is_kept_in_long_output() {
        let mut lines = Lines::default();
        let noise = (0..50).map(|i| format!("make[{i}]: Leaving directory"));
        for line in ["gcc -c a.cpp".into(), "a.cpp:3:1: error: no".into()].into_iter().chain(noise)
        {
            lines.push(line);
        }
        let lines = lines.for_message();
        assert_eq!(lines[0], "a.cpp:3:1: error: no");
        assert_eq!(lines.last().unwrap(), "make[49]: Leaving directory");
        assert!(lines.len() <= 2 * KEPT + 1);
    }

    #[test]
    fn carriage_returns_end_lines_of_progress() {
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
