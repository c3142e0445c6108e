//! `sandbox`: a process of the builder `sandbox`. It is carried out before anything that starts a thread.

use std::process::ExitCode;

use crate::{cli::SandboxArgs, terminal};
use builders::sandbox::{self, REFUSED};

/// Ends with the exit code of the command that is run in the sandbox.
pub(crate) fn run(args: &SandboxArgs) -> ExitCode {
    let run = if args.first { sandbox::init } else { sandbox::enter };
    match run(&args.request, args.parent) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            terminal::sandbox_failure(&failure);
            ExitCode::from(REFUSED)
        }
    }
}
