//! One file a command.

mod bench;
mod clean;
mod doctor;
mod fetch;
mod index;
mod inputs;
mod plan;
mod rpm;
mod verify;

use crate::{
    cli::{Cli, Command},
    failure::Result,
    terminal,
    workspace::Workspace,
};

/// Runs the command that was asked for.
pub(crate) fn run(cli: Cli) -> Result<()> {
    let checkout = || Workspace::find(&cli.checkout);
    let json = cli.json;
    let reporter = terminal::reporter(json);
    match cli.command {
        Command::Plan(args) => plan::run(&args, &checkout()?, reporter.as_ref(), json),
        Command::Fetch(args) => fetch::run(&args, &checkout()?, reporter.as_ref(), json),
        Command::Rpm(args) => rpm::run(&args, &checkout()?, reporter.as_ref(), json),
        Command::Verify(args) => verify::run(&args, checkout, json),
        Command::Index(args) => index::run(&args, checkout, reporter.as_ref(), json),
        Command::Doctor => doctor::run(&checkout()?, json),
        Command::Bench(args) => bench::run(&args, &checkout()?, reporter.as_ref(), json),
        Command::BenchWrite(args) => bench::write(&args),
        Command::Clean(args) => clean::run(&args, &checkout()?, reporter.as_ref(), json),
    }
}
