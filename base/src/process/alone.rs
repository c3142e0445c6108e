//! Runs one program from a process that has nothing else to do: the processes of the sandbox. It starts no thread, and it
//! reaps every process that becomes a child of this one, as the first process of a pid namespace must.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "one of two places")]

use std::{ffi::OsString, io, path::Path, process::Command};

use rustix::process::{WaitOptions, wait};

/// Runs a program with these variables alone and the standard input and output of this process. Returns its exit code,
/// or 128 and the number of the signal that ended it, as shells do.
pub fn run(program: &Path, args: &[OsString], env: &[(String, String)]) -> io::Result<u8> {
    let mut command = Command::new(program);
    command.args(args).env_clear().envs(env.iter().map(|(name, value)| (name, value)));
    let pid = command.spawn()?.id().cast_signed();
    loop {
        let ended = match wait(WaitOptions::empty()) {
            Err(rustix::io::Errno::INTR) => continue,
            other => other?,
        };
        let Some((_, status)) = ended.filter(|(ended, _)| ended.as_raw_pid() == pid) else {
            continue;
        };
        let signal = status.terminating_signal().map(|signal| 128 + signal);
        let code = status.exit_status().or(signal);
        return Ok(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX));
    }
}
