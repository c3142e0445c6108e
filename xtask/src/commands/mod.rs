//! The commands, one file each.

mod bench;
mod clean;
mod doctor;
mod fetch;
mod index;
mod inputs;
mod lock;
mod plan;
mod root;
mod rpm;
pub(crate) mod sandbox;
mod unpack;
mod verify;

use crate::{
    cli::{CheckoutArgs, Cli, Command, KeyArgs},
    output, terminal,
};
use base::{events::Reporter, failure::Result, interrupt, workspace::Workspace};
use pipeline::keys::Passphrase;

/// Runs the command that was asked for.
pub(crate) fn run(cli: Cli) -> Result<()> {
    // Before any program is run, which would inherit the variable or the descriptor.
    let passphrase = cli.command.key().map_or(Passphrase::Terminal, KeyArgs::passphrase);
    let json = cli.json;
    let reporter = terminal::reporter(json);
    // Every command runs programs, which must end if a signal ends the command.
    interrupt::guarded(reporter.as_ref(), || carry_out(cli, &passphrase, reporter.as_ref()))
}

fn carry_out(cli: Cli, passphrase: &Passphrase, reporter: &dyn Reporter) -> Result<()> {
    let checkout = || {
        let CheckoutArgs { root, manifest_path } = &cli.checkout;
        Workspace::find(root.as_deref(), manifest_path.as_deref())
    };
    let json = cli.json;
    match cli.command {
        Command::Plan(args) => plan::run(&args, &checkout()?, reporter, json),
        Command::Fetch(args) => fetch::run(&args, &checkout()?, reporter, json),
        Command::Rpm(args) => rpm::run(&args, passphrase, &checkout()?, reporter, json),
        Command::Verify(args) => verify::run(&args, checkout, json),
        Command::Lock(args) => lock::run(&args, &checkout()?, reporter, json),
        Command::Root(args) => root::run(&args, &checkout()?, reporter, json),
        Command::Unpack(args) => unpack::run(&args, json),
        Command::Index(args) => index::run(&args, passphrase, checkout, reporter, json),
        Command::Schema => {
            terminal::text(&format!("{:#}\n", output::schema()));
            Ok(())
        }
        Command::Doctor => doctor::run(&checkout()?, reporter, json),
        Command::Bench(args) => bench::run(&args, &checkout()?, reporter, json),
        Command::BenchWrite(args) => bench::write(&args),
        // main has carried it out.
        Command::Sandbox(_) => Ok(()),
        Command::Clean(args) => clean::run(&args, &checkout()?, reporter, json),
    }
}
