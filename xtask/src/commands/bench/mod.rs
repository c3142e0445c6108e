//! `bench`: how fast this is, as ratios against peers found on this machine, all measured in one
//! run. Seconds differ from machine to machine; ratios hold.

mod main_job;
mod package;
mod plugin;

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use crate::{
    cli::{BenchArgs, BenchWriteArgs, Benchmark},
    output::{Measured as Row, Output},
    terminal,
};
use base::{
    events::Reporter,
    failure::{Class, Classify, Failure, Result},
    process::Program,
    workspace::Workspace,
};

pub(super) fn run(
    args: &BenchArgs,
    workspace: &Workspace,
    reporter: &dyn Reporter,
    json: bool,
) -> Result<()> {
    let rows = match args.what {
        Benchmark::Main => main_job::measure(workspace, args.runs.unwrap_or(5))?,
        Benchmark::Package => package::measure(workspace, reporter, args.runs.unwrap_or(2))?,
        Benchmark::Plugin => return plugin::measure(workspace, reporter, json),
    };
    if json {
        terminal::json(&Output::Bench { rows: Some(rows), lines: None });
        return Ok(());
    }
    terminal::text(&rows.iter().map(Row::text).collect::<String>());
    Ok(())
}

/// The hidden command behind `bench package`.
pub(super) fn write(args: &BenchWriteArgs) -> Result<()> {
    package::write(args)
}

impl Row {
    fn alone(what: &str, seconds: f64, note: String) -> Self {
        Self { what: what.into(), seconds, peer: None, note }
    }

    fn missing(what: &str, seconds: f64, peer: &str) -> Self {
        Self::alone(what, seconds, format!("no peer: {peer} is not installed"))
    }

    fn text(&self) -> String {
        let peer = match &self.peer {
            Some((name, seconds)) => {
                format!("{:>6.2} x  {name} ({seconds:.3} s)  ", self.seconds / seconds)
            }
            None => String::new(),
        };
        format!("{:<44}{:>8.3} s  {peer}{}\n", self.what, self.seconds, self.note)
    }
}

/// A folder of its own, gone at the end.
struct Scratch {
    dir: PathBuf,
}

impl Scratch {
    fn new(workspace: &Workspace) -> Result<Self> {
        let dir = workspace.state.join(format!("bench-{}", std::process::id()));
        fs_err::create_dir_all(&dir).class(Class::Output)?;
        Ok(Self { dir })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs_err::remove_dir_all(&self.dir);
    }
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
fn time(command: &mut Program) -> Result<Duration> {
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
