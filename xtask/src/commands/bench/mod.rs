//! `bench`: compares the speed with other programs on this machine, all measured in one run. Seconds differ between
//! machines; ratios stay the same.

mod builder;
mod clock;
mod main_job;
mod package;
mod plugin;

use std::path::{Path, PathBuf};

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
use pipeline::keys;

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

/// Copies a folder with all files.
fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    for entry in walkdir::WalkDir::new(from) {
        let entry = entry.map_err(std::io::Error::from).class(Class::Source)?;
        let to = to.join(entry.path().strip_prefix(from).unwrap_or(entry.path()));
        match entry.file_type().is_dir() {
            true => fs_err::create_dir_all(to).class(Class::Output)?,
            false => drop(fs_err::copy(entry.path(), to).class(Class::Output)?),
        }
    }
    Ok(())
}

/// Copies the development key, if there is one, into another checkout: making one takes longer than what is measured.
fn copy_development_key(workspace: &Workspace, checkout: &Path) -> Result<()> {
    let key = keys::development_path(workspace);
    if key.exists() {
        let to = checkout.join("target/xtask/keys");
        fs_err::create_dir_all(&to).class(Class::Output)?;
        fs_err::copy(key, to.join("development.asc")).class(Class::Output)?;
    }
    Ok(())
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
