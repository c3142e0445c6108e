//! Commands in files of defaults that changed the daemon in 2015, when the shell that read the files
//! became it, and change nothing now.

use std::path::Path;

use crate::report::Note;

/// A warning for each such command in a file of defaults.
pub(crate) fn notes(file: &Path, content: &[u8]) -> Vec<Note> {
    let content = String::from_utf8_lossy(content);
    let found = content.lines().zip(1..).flat_map(|(line, number)| {
        commands(line).filter_map(move |command| Some((number, command, remedy(command)?)))
    });
    let note = |(number, command, remedy)| {
        let file = file.display();
        Note::Warning(format!(
            "{file}, line {number}: {command} has no effect on the daemon, variables alone are taken \
             over; {remedy}"
        ))
    };
    found.map(note).collect()
}

fn remedy(command: &str) -> Option<&'static str> {
    match command {
        "ulimit" => Some("write ULIMIT=\"-n 8192\" here, or LimitNOFILE= and the like in the unit"),
        "umask" => Some("write UMask= in the unit (systemctl edit mesos-master or mesos-slave)"),
        _ => None,
    }
}

/// The names of the commands in a line of shell, as far as they can be told without a shell.
fn commands(line: &str) -> impl Iterator<Item = &str> {
    const BEFORE: &[&str] =
        &["then", "else", "elif", "do", "if", "while", "until", "!", "command", "builtin"];
    let line = line.trim_start();
    let code = if line.starts_with('#') { "" } else { line.split(" #").next().unwrap_or(line) };
    code.split([';', '&', '|', '(', ')', '{', '}', '`'])
        .filter_map(|part| part.split_whitespace().find(|word| !BEFORE.contains(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_without_effect_are_found() {
        let notes = |content: &str| super::notes(Path::new("/f"), content.as_bytes()).len();
        for content in [
            "ulimit -n 8192",
            "  ulimit -n 8192 # files",
            "A=1; umask 027",
            "[ -n \"$A\" ] && umask 027",
            "if true; then ulimit -c 0; fi",
            "f() { umask 027; }",
            "A=1\n(umask 027)",
            "command umask 027",
        ] {
            assert_eq!(notes(content), 1, "{content}");
        }
        assert_eq!(notes("ulimit -n 1; umask 0\numask 1"), 3);
        for content in ["# ulimit -n 1", "ULIMIT='-n 8192'", "A=1 # umask 1", "A=ulimit", "umasks"]
        {
            assert_eq!(notes(content), 0, "{content}");
        }
    }
}
