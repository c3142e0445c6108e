//! What a file of defaults prints while the shell reads it: line by line, without secrets, and not for ever.

use std::cmp::Ordering;
use std::path::Path;

use crate::secret;

/// Turns what is heard into lines, and remembers the last ones.
#[derive(Default)]
pub(crate) struct Lines {
    /// The file's own name, which is no secret.
    file: String,
    secrets: secret::Words,
    unfinished: Vec<u8>,
    /// The last of them.
    pub(crate) last: Vec<String>,
    heard: usize,
}

impl Lines {
    /// Enough for a syntax error and the line that bash adds to it.
    const KEPT: usize = 3;
    const LONGEST: usize = 4096;
    /// More lines than this go to nobody's log.
    pub(crate) const HEARD: usize = 10_000;

    /// For what is printed while `file` is read, which has this content.
    pub(crate) fn of(file: &Path, content: &[u8]) -> Self {
        Self {
            file: file.display().to_string(),
            secrets: secret::Words::of(&String::from_utf8_lossy(content)),
            ..Self::default()
        }
    }

    /// Takes what was printed next.
    pub(crate) fn add(&mut self, bytes: &[u8], hear: &mut dyn FnMut(&str)) {
        for &byte in bytes {
            if byte == b'\n' || self.unfinished.len() == Self::LONGEST {
                self.finish(hear);
            }
            if byte != b'\n' {
                self.unfinished.push(byte);
            }
        }
    }

    /// Takes the end of a line, or of all.
    pub(crate) fn finish(&mut self, hear: &mut dyn FnMut(&str)) {
        let bytes = std::mem::take(&mut self.unfinished);
        let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
        if line.is_empty() {
            return;
        }
        // bash repeats the line that it does not understand: that may be a password.
        let other = if self.file.is_empty() { line.clone() } else { line.replace(&self.file, "") };
        let line = if secret::is_assignment(&line) || self.secrets.are_in(&other) {
            secret::LEFT_OUT.to_owned()
        } else {
            secret::without_userinfo(&line)
        };
        self.heard += 1;
        match self.heard.cmp(&Self::HEARD) {
            Ordering::Less => hear(&line),
            Ordering::Equal => hear("more than 10000 lines: the rest is left out"),
            Ordering::Greater => {}
        }
        if self.last.len() == Self::KEPT {
            self.last.remove(0);
        }
        self.last.push(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(chunks: &[&str]) -> (Vec<String>, Vec<String>) {
        let mut heard = Vec::new();
        let mut lines = Lines::default();
        for chunk in chunks {
            lines.add(chunk.as_bytes(), &mut |line| heard.push(line.to_owned()));
        }
        lines.finish(&mut |line| heard.push(line.to_owned()));
        (heard, lines.last)
    }

    #[test]
    fn lines_are_put_together_from_pieces() {
        let (heard, _) = lines_of(&["a", "b\n\nc", "\nd"]);
        assert_eq!(heard, ["ab", "c", "d"]);
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        let (heard, last) = lines_of(&["1\n2\n3\n4\n"]);
        assert_eq!(heard.len(), 4);
        assert_eq!(last, ["2", "3", "4"]);
    }

    #[test]
    fn a_line_without_end_does_not_fill_the_memory() {
        let (heard, _) = lines_of(&[&"x".repeat(10_000)]);
        assert_eq!(heard.len(), 3);
        assert_eq!(heard.concat().len(), 10_000);
    }

    #[test]
    fn a_line_that_may_hold_a_secret_is_left_out() {
        let (heard, last) = lines_of(&["MESOS_CREDENTIAL=hunter2 (\nzk://a:hunter2@h:1/m\n"]);
        assert!(!format!("{heard:?}{last:?}").contains("hunter2"));
        assert!(heard[1].contains("h:1/m"), "{heard:?}");
        let harmless = "cat: /etc/mesos/credential: No such file or directory";
        assert_eq!(lines_of(&[harmless]).0, [harmless]);
    }
}
