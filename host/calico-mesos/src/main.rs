//! `calico_mesos`: see the library part of this crate for everything that is not a command line.

use std::process::ExitCode;

use calico_plugin::{check, cli, standin};

/// For the few milliseconds of a request. musl's own asks the kernel for memory piece by piece, which made a
/// tenth of the time.
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> ExitCode {
    match cli::parse(std::env::args_os()) {
        cli::Action::Serve => standin::serve(),
        cli::Action::Check { json } => check::run(json),
        cli::Action::Repair => check::repair::run(),
        cli::Action::Print(text) => cli::print(&text, ExitCode::SUCCESS),
        cli::Action::Wrong(text) => {
            eprintln!("calico_mesos: {text}\nTry: calico_mesos --help");
            ExitCode::from(2)
        }
    }
}
