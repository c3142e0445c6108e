//! The wrapper's own command line.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::prelude::*;

use crate::report::{Exit, Failure, Problem};
use crate::role::Role;

/// All of the help; it is also the reference for the configuration.
pub(crate) const HELP: &str = include_str!("help.txt");

/// How the command is shown instead of executing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// For people, without secrets.
    Text,
    /// For programs that need what the daemon gets: all of it, each string ended by a NUL byte.
    Raw,
}

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Show the help.
    Help,
    /// Show the version.
    Version,
    /// Become the daemon, or with `print` only show what it would become.
    Start {
        /// Which daemon.
        role: Role,
        /// Where /etc and /usr/sbin lie.
        root: PathBuf,
        /// Show the command instead of executing it.
        print: Option<Form>,
    },
}

/// Reads the arguments; the first is the program's own name.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, Failure> {
    parse_all(lexopt::Parser::from_iter(arguments)).map_err(|error| {
        let problem = Problem::new(error.to_string()).hint(
            "usage: mesos-init-wrapper [--print] master|slave; \
             mesos-init-wrapper -h explains the whole configuration",
        );
        Failure::new(Exit::Usage, problem)
    })
}

fn parse_all(mut parser: lexopt::Parser) -> Result<Command, lexopt::Error> {
    let mut role = None;
    let mut root = PathBuf::from("/");
    let mut print = None;
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(Command::Help),
            Short('V') | Long("version") => return Ok(Command::Version),
            Long("print" | "dry-run") => print = Some(Form::Text),
            Long("print0") => print = Some(Form::Raw),
            // Absolute, because the shell looks up a name without a slash in PATH.
            Long("root") => root = std::path::absolute(parser.value()?).map_err(custom)?,
            Value(word) if role.is_none() => role = Some(word.parse_with(role_of)?),
            other => return Err(other.unexpected()),
        }
    }
    match role {
        Some(role) => Ok(Command::Start { role, root, print }),
        None => Err("say which daemon to start: master or slave".into()),
    }
}

fn role_of(word: &str) -> Result<Role, &'static str> {
    match word {
        "master" => Ok(Role::Master),
        "slave" => Ok(Role::Slave),
        "agent" => Err("in this version of Mesos an agent is called slave"),
        _ => Err("there are two daemons: master and slave"),
    }
}

fn custom(error: std::io::Error) -> lexopt::Error {
    lexopt::Error::Custom(Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<Command, String> {
        let words = ["mesos-init-wrapper"].iter().chain(words);
        parse(words.map(OsString::from)).map_err(|failure| {
            assert_eq!(failure.exit, Exit::Usage);
            failure.problems[0].to_string()
        })
    }

    fn start(role: Role, root: &str, print: Option<Form>) -> Result<Command, String> {
        let root = PathBuf::from(root);
        Ok(Command::Start { role, root, print })
    }

    #[test]
    fn both_daemons_can_be_started() {
        assert_eq!(parsed(&["master"]), start(Role::Master, "/", None));
        assert_eq!(parsed(&["slave"]), start(Role::Slave, "/", None));
    }

    #[test]
    fn options_may_stand_before_and_after_the_daemon() {
        let expected = || start(Role::Slave, "/mnt/host", Some(Form::Text));
        assert_eq!(parsed(&["--print", "--root=/mnt/host", "slave"]), expected());
        assert_eq!(parsed(&["slave", "--root", "/mnt/host", "--dry-run"]), expected());
        let raw = start(Role::Slave, "/", Some(Form::Raw));
        assert_eq!(parsed(&["slave", "--print0"]), raw);
    }

    #[test]
    fn help_and_version_need_no_daemon() {
        for word in ["-h", "--help"] {
            assert_eq!(parsed(&[word]), Ok(Command::Help));
            assert_eq!(parsed(&["slave", word]), Ok(Command::Help));
        }
        for word in ["-V", "--version"] {
            assert_eq!(parsed(&[word]), Ok(Command::Version));
        }
    }

    #[test]
    fn mistakes_are_told_with_the_usage() {
        for (words, expected) in [
            (&[][..], "say which daemon"),
            (&["agent"], "agent is called slave"),
            (&["marathon"], "two daemons"),
            (&["master", "slave"], "slave"),
            (&["master", "--port=5050"], "--port"),
            (&["master", "--root"], "--root"),
            (&["master", "--print=yes"], "--print"),
        ] {
            let text = parsed(words).expect_err("a mistake");
            assert!(text.contains(expected), "{words:?}: {text}");
            assert!(text.contains("mesos-init-wrapper -h"), "{words:?}: {text}");
        }
    }
}
