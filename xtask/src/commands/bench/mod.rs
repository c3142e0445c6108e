//! `bench`: how fast this is, as ratios against peers found on this machine, all measured in one
//! run. Seconds differ from machine to machine; ratios hold.

mod main_job;

use std::{
    process::Command,
    time::{Duration, Instant},
};

use serde::Serialize;

use crate::{
    cli::{BenchArgs, Benchmark},
    failure::{Class, Failure, Result},
    terminal,
    workspace::Workspace,
};

pub(super) fn run(args: &BenchArgs, workspace: &Workspace, json: bool) -> Result<()> {
    let rows = match args.what {
        Benchmark::Main => main_job::measure(workspace, args.runs)?,
    };
    if json {
        terminal::json(&rows);
        return Ok(());
    }
    let mut text = String::new();
    for row in rows {
        let peer = match row.peer {
            Some((name, seconds)) => {
                format!("{:>6.2} x  {name} ({seconds:.3} s)", row.seconds / seconds)
            }
            None => row.without_peer.unwrap_or_default(),
        };
        text += &format!("{:<44}{:>8.3} s  {peer}\n", row.what, row.seconds);
    }
    terminal::text(&text);
    Ok(())
}

/// One measurement, beside that of a peer that does the same.
#[derive(Debug, Serialize)]
struct Row {
    what: &'static str,
    seconds: f64,
    peer: Option<(&'static str, f64)>,
    /// Why there is no peer, or what else is to be said.
    without_peer: Option<String>,
}

/// The fastest of `runs`: everything else that happens on the machine only ever adds to it.
fn fastest(runs: u16, mut one: impl FnMut() -> Result<Duration>) -> Result<f64> {
    let mut best = Duration::MAX;
    for _ in 0..runs {
        best = best.min(one()?);
    }
    Ok(best.as_secs_f64())
}

/// How long a command takes that must succeed.
fn time(command: &mut Command) -> Result<Duration> {
    let start = Instant::now();
    let output =
        command.output().map_err(|e| Failure::new(Class::Tool, format!("{command:?}: {e}")))?;
    let took = start.elapsed();
    if output.status.success() {
        return Ok(took);
    }
    let mut failure = Failure::new(Class::Tool, format!("{:?} failed", command.get_program()));
    failure.command = Some(format!("{command:?}"));
    failure.last_lines =
        String::from_utf8_lossy(&output.stderr).lines().map(str::to_owned).collect();
    Err(failure)
}
