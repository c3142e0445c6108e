//! `bench`: compares the speed with other programs on this machine, all measured in one run. Seconds differ between
//! machines; ratios stay the same.

mod builder;
mod clock;
mod copies;
mod main_job;
mod package;
mod plugin;

use std::path::PathBuf;

use crate::{
    cli::{BenchArgs, BenchWriteArgs, Benchmark},
    output::{Measured as Row, Output},
    terminal,
};
use base::{
    events::Reporter,
    failure::{Class, Classify, Result},
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
        Benchmark::Builder => builder::measure(workspace, &args.image, args.runs.unwrap_or(3))?,
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

/// A temporary folder.
struct BenchFolder {
    dir: PathBuf,
}

impl BenchFolder {
    fn new(workspace: &Workspace) -> Result<Self> {
        // Beside xtask's own folder, which cannot be published to.
        let dir = workspace.state.with_file_name(format!("bench-{}", std::process::id()));
        fs_err::create_dir_all(&dir).class(Class::Output)?;
        Ok(Self { dir })
    }
}

impl Drop for BenchFolder {
    fn drop(&mut self) {
        let _ = fs_err::remove_dir_all(&self.dir);
    }
}
