//! `cargo xtask`: from this checkout to a signed yum repository of Mesos with Calico networking.
//!
//! `plan` says what would be done, `rpm` does it, the other commands look after the result. Only
//! this layer and `terminal` print; everything below returns values and reports events.

mod cli;
mod commands;
mod limits;
mod output;
mod terminal;

use std::process::ExitCode;

fn main() -> ExitCode {
    let json = cli::wants_json();
    let read = cli::Cli::read(json);
    if let Ok(cli::Cli { command: cli::Command::Sandbox(args), .. }) = &read {
        return commands::sandbox::run(args);
    }
    let done = read.and_then(|cli| limits::check().and_then(|()| commands::run(cli)));
    match done.and_then(|()| terminal::all_printed()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            terminal::failure(&failure, json);
            ExitCode::from(failure.class.exit_code())
        }
    }
}
