//! Measures how long commands take.

use std::{
    ffi::OsStr,
    path::Path,
    time::{Duration, Instant},
};

use base::{
    failure::{Class, Classify, Failure, Result},
    process::{Program, on_path},
};

/// The fastest of `runs`: other work of the machine only makes a run slower.
pub(super) fn fastest(runs: u16, mut one: impl FnMut() -> Result<Duration>) -> Result<f64> {
    let mut best = Duration::MAX;
    for _ in 0..runs {
        best = best.min(one()?);
    }
    Ok(best.as_secs_f64())
}

/// How long a command takes; it must succeed.
pub(super) fn time(command: &mut Program) -> Result<Duration> {
    let start = Instant::now();
    let failed = |e| Failure::new(Class::Tool, format!("{}: {e}", command.shown()));
    let output = command.output().map_err(failed)?;
    let took = start.elapsed();
    if output.status.success() {
        return Ok(took);
    }
    let message = format!("{} failed", command.path().display());
    let mut failure = Failure::new(Class::Tool, message);
    failure.command = Some(command.shown());
    failure.last_lines =
        String::from_utf8_lossy(&output.stderr).lines().map(str::to_owned).collect();
    Err(failure)
}

/// Runs a command under GNU time, if it is installed, for its peak memory.
pub(super) fn time_and_memory(report: &Path, command: Program) -> Result<(Duration, u64)> {
    let Some(gnu_time) = on_path("time") else {
        let mut command = command;
        return Ok((time(&mut command)?, 0));
    };
    let words = ["-f", "%M", "-o"].map(OsStr::new);
    let words: Vec<_> = words.into_iter().chain([report.as_os_str()]).collect();
    let took = time(&mut command.wrapped_by(gnu_time, &words))?;
    let text = fs_err::read_to_string(report).class(Class::Tool)?;
    let kilobytes: u64 = text.trim().parse().unwrap_or(0);
    Ok((took, kilobytes * 1024))
}
