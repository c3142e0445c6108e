//! The command line. net-modules starts the program with `argv[0]` alone (facts 1.8): that is the
//! plugin. Everything else is for people.

use std::{ffi::OsString, io::Write, process::ExitCode};

use lexopt::prelude::*;

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Answer the one request on stdin.
    Serve,
    /// Look at this host and its etcd.
    Check {
        /// Print a JSON object instead of text.
        json: bool,
    },
    /// Mend what the check finds in etcd, as far as that can be done without asking.
    Repair,
    /// Print this text and succeed.
    Print(String),
    /// The command line is wrong, for this reason.
    Wrong(String),
}

const HELP: &str = "\
calico_mesos - the Calico network plugin of Mesos' net-modules

Usage:
  calico_mesos                   answer one request: JSON on stdin, JSON on stdout
  calico_mesos check [--json]    is this host ready? agent, modules, etcd, pools, names, kernel
  calico_mesos repair            mend what check finds in etcd; agents may go on meanwhile
  calico_mesos --version
  calico_mesos --help

Exit status:
  without arguments  0 the request succeeded, 1 it failed (the answer says why, in \"error\")
  check              0 ready (there may be warnings), 1 something fails or cannot be asked
  repair             0 nothing is left to be done, 1 something is
  any                2 the command line is wrong

Settings come from the environment; the agent hands them on:
  ETCD_AUTHORITY           HOST:PORT of etcd; calicoctl takes one     (127.0.0.1:4001)
  ETCD_SCHEME              http or https                              (http)
  ETCD_ENDPOINTS           URLs with commas, for this program alone; wins over the two above
  ETCD_CA_CERT_FILE, ETCD_CERT_FILE, ETCD_KEY_FILE   PEM files for https
  CALICO_MESOS_GATEWAY     host or link-local                         (host)
  CALICO_MESOS_STRICT_CLEANUP   1: cleanup of an unknown container fails, as in 2015  (0)
  CALICO_MESOS_CALL_TIMEOUT     seconds for one etcd call             (5)
  CALICO_MESOS_TOTAL_TIMEOUT    seconds for one request               (20)
  CALICO_MESOS_LOG         off, error, warn, info or debug            (info)
  CALICO_MESOS_LOG_FILE    (/var/log/calico/isolator.log)

More: calico_mesos(8).
";

/// Reads the command line, its first word being the program's name.
pub fn parse<I: IntoIterator<Item = OsString>>(args: I) -> Action {
    try_parse(lexopt::Parser::from_iter(args)).unwrap_or_else(|e| Action::Wrong(e.to_string()))
}

fn try_parse(mut parser: lexopt::Parser) -> Result<Action, lexopt::Error> {
    let mut check = false;
    let mut repair = false;
    let mut json = false;
    while let Some(arg) = parser.next()? {
        match arg {
            Short('h') | Long("help") => return Ok(Action::Print(HELP.to_owned())),
            Short('V') | Long("version") => {
                return Ok(Action::Print(format!("calico_mesos {}\n", env!("CARGO_PKG_VERSION"))));
            }
            Value(word) if word == "check" && !check && !repair => check = true,
            Value(word) if word == "repair" && !check && !repair => repair = true,
            Long("json") if check => json = true,
            other => return Err(other.unexpected()),
        }
    }
    Ok(match (check, repair) {
        (true, _) => Action::Check { json },
        (_, true) => Action::Repair,
        _ => Action::Serve,
    })
}

/// Prints `text`; a closed stdout is a failure, not a panic.
pub fn print(text: &str, success: ExitCode) -> ExitCode {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => success,
        Err(_) => ExitCode::FAILURE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(args: &[&str]) -> Action {
        parse(std::iter::once("calico_mesos").chain(args.iter().copied()).map(OsString::from))
    }

    #[test]
    fn no_argument_is_the_plugin() {
        assert_eq!(parsed(&[]), Action::Serve);
    }

    #[test]
    fn check_and_its_option() {
        assert_eq!(parsed(&["check"]), Action::Check { json: false });
        assert_eq!(parsed(&["check", "--json"]), Action::Check { json: true });
    }

    #[test]
    fn repair_has_no_options() {
        assert_eq!(parsed(&["repair"]), Action::Repair);
    }

    #[test]
    fn wrong_words_are_named() {
        for args in [
            &["chekc"][..],
            &["--json"],
            &["check", "check"],
            &["check", "repair"],
            &["repair", "--json"],
            &["-x"],
        ] {
            let Action::Wrong(text) = parsed(args) else { panic!("{args:?} was accepted") };
            assert!(text.contains(args[args.len() - 1].trim_start_matches('-')), "{text}");
        }
    }

    #[test]
    fn help_names_every_setting() {
        let Action::Print(text) = parsed(&["--help"]) else { panic!("no help") };
        for name in crate::settings::NAMES {
            assert!(text.contains(name), "{name} is missing in --help");
        }
    }
}
