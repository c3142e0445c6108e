//! Measures how long commands take.

use std::time::{Duration, Instant};

use base::{
    failure::{Class, Failure, Result},
    process::Program,
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
