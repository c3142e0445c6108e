//! `cargo xtask`: from this checkout to a signed yum repository of Mesos with Calico networking.
//!
//! `plan` says what would be done, `rpm` does it, the other commands look after the result. Only
//! this layer and `terminal` print; everything below returns values and reports events.

mod cache;
mod cli;
mod commands;
mod container;
mod events;
mod failure;
mod host_builder;
mod interrupt;
mod key;
mod keys;
mod lock;
mod plan;
mod process;
mod publish;
mod rust;
mod schedule;
mod sources;
mod steps;
mod terminal;
mod tools;
mod workspace;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let json = cli.json;
    match commands::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            terminal::failure(&failure, json);
            ExitCode::from(failure.class.exit_code())
        }
    }
}
