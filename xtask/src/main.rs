//! `cargo xtask`: from this checkout to a signed yum repository of Mesos with Calico networking.
//!
//! `plan` says what would be done, `rpm` does it, the other commands look after the result. Only
//! this layer and `terminal` print; everything below returns values and reports events.

mod cache;
mod cli;
mod commands;
mod container;
mod disk;
mod durations;
mod events;
mod failure;
mod host_builder;
mod interrupt;
mod key;
mod keys;
mod limits;
mod lock;
mod odd_paths;
mod pinned_rust;
mod plan;
mod process;
mod publish;
mod report;
mod rust;
mod schedule;
mod site;
mod sources;
mod step;
mod steps;
mod stopping;
mod target;
mod terminal;
mod toolchain;
mod tools;
mod workspace;

use std::process::ExitCode;

fn main() -> ExitCode {
    let json = cli::wants_json();
    let read = cli::Cli::read(json);
    match read.and_then(|cli| limits::check().and_then(|()| commands::run(cli))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            terminal::failure(&failure, json);
            ExitCode::from(failure.class.exit_code())
        }
    }
}
