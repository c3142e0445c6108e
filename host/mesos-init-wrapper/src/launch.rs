//! Becomes the daemon.
//!
//! This is done with execve() and not with `Command::exec` of the standard
//! library, which would reset SIGPIPE to its default. systemd starts its services
//! with SIGPIPE ignored, so that a restart of the journal does not kill them; Rust
//! ignores it in its own programs too, and execve() leaves it so.

use std::convert::Infallible;
use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;

use nix::errno::Errno;
use nix::unistd::execve;

use crate::plan::Plan;
use crate::report::{Exit, Failure, Problem};

/// Sets the limits and executes the daemon; returns only if that fails.
pub(crate) fn launch(plan: &Plan) -> Result<Infallible, Failure> {
    let strings = prepare(plan).map_err(|problem| Failure::new(Exit::Config, problem))?;
    for limit in &plan.limits {
        limit.apply().map_err(|why| {
            let problem = Problem::new(format!("ULIMIT: {why}"));
            Failure::new(Exit::Config, problem)
        })?;
    }
    let Err(errno) = execve(&strings.program, &strings.arguments, &strings.environment);
    Err(failure(plan, errno))
}

/// What execve() would get: the program and its flags, an empty string, the environment, each
/// ended by a NUL byte, as in /proc/PID/cmdline and /proc/PID/environ.
pub(crate) fn raw(plan: &Plan) -> Result<Vec<u8>, Failure> {
    let strings = prepare(plan).map_err(|problem| Failure::new(Exit::Config, problem))?;
    let end = CString::default();
    let all = strings.arguments.iter().chain([&end]).chain(&strings.environment);
    Ok(all.flat_map(|string| string.as_bytes_with_nul()).copied().collect())
}

/// What execve() takes.
struct Strings {
    program: CString,
    arguments: Vec<CString>,
    environment: Vec<CString>,
}

fn prepare(plan: &Plan) -> Result<Strings, Problem> {
    let program = c_string(plan.program.as_os_str().as_bytes())?;
    let mut arguments = vec![program.clone()];
    for flag in &plan.flags {
        arguments.push(c_string(flag.argument().as_bytes())?);
    }
    let pair = |name: &OsStr, value: &OsStr| [name.as_bytes(), value.as_bytes()].join(&b'=');
    let environment = plan
        .variables
        .iter()
        .map(|(name, variable)| c_string(&pair(name, &variable.value)))
        .collect::<Result<_, _>>()?;
    Ok(Strings { program, arguments, environment })
}

fn c_string(bytes: &[u8]) -> Result<CString, Problem> {
    // Files with NUL bytes are refused long before this, and variables have none.
    CString::new(bytes).map_err(|_| Problem::new("there is a NUL byte in the command"))
}

fn failure(plan: &Plan, errno: Errno) -> Failure {
    let program = plan.program.display();
    let daemon = plan.role.daemon();
    let problem = |why: &str| Problem::new(format!("cannot start {program}: {why}"));
    match errno {
        Errno::ENOENT if plan.program.exists() => Failure::new(
            Exit::NotFound,
            problem("it is there, but the interpreter that it needs is not")
                .hint(format!("reinstall the package mesos; file {program} tells more")),
        ),
        Errno::ENOENT | Errno::ENOTDIR => Failure::new(
            Exit::NotFound,
            problem("it is not there")
                .hint(format!("install the package mesos, which has {daemon}: yum install mesos")),
        ),
        Errno::E2BIG => Failure::new(
            Exit::Config,
            problem("the flags and variables are too long for a command line").hint(
                "the kernel takes 128 KiB for one of them, and 2 MiB or less for all; \
                 write a long value into a file, and file:///path/of/it as the value",
            ),
        ),
        errno => Failure::new(
            Exit::NotExecutable,
            problem(errno.desc())
                .hint(format!("it must be an executable file (ls -lZ {program}; rpm -V mesos)")),
        ),
    }
}
