//! `calico_mesos`: see the library part of this crate for everything that is not a command line.

use std::process::ExitCode;

use calico_plugin::{check, cli, supervisor};

fn main() -> ExitCode {
    match cli::parse(std::env::args_os()) {
        cli::Action::Serve => supervisor::serve(),
        cli::Action::Check { json } => check::run(json),
        cli::Action::Print(text) => cli::print(&text, ExitCode::SUCCESS),
        cli::Action::Wrong(text) => {
            eprintln!("calico_mesos: {text}\nTry: calico_mesos --help");
            ExitCode::from(2)
        }
    }
}
