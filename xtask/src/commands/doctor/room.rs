//! How much disk and time compiles take, as far as former runs tell.

use std::path::Path;

use el7rpm::spec::{Build, Spec};
use rustix::fs::statvfs;

use super::line::check;
use crate::{
    output::{CheckObject, CheckState as State},
    terminal::report::size,
};
use base::{events::Reporter, failure::Result, process::rough, step::Kind, workspace::Workspace};
use pipeline::{cache::Cache, durations::Durations};

/// The disk of results and of the shared cache: what is free, and what compiles and roots have taken. Then how long the last
/// compile of each description took.
pub(super) fn checks(
    workspace: &Workspace,
    specs: &[Spec],
    reporter: &dyn Reporter,
) -> Vec<CheckObject> {
    let compiled = compiled(workspace).unwrap_or_default();
    let shared = workspace.shared();
    let disk = |what: &str, place: &Path, used: u64| match free(place) {
        Some(free) => {
            let detail = format!("{} free; {} are taken", size(free), size(used));
            check(what, State::Ok, detail)
        }
        None => check(what, State::Note, "how much is free cannot be told"),
    };
    let mut checks = vec![
        disk("disk: results of compiles", &workspace.state, compiled),
        disk("disk: roots, sources", &shared, bytes_below(&shared)),
    ];
    let durations = Durations::open(workspace, reporter);
    let is_long = |spec: &&Spec| matches!(spec.build, Some(Build::Container(_)));
    let took = |spec: &Spec| {
        let step = format!("{} {}", Kind::Compile.name(), spec.name);
        let time = durations.of(std::iter::once(step.as_str()))?;
        Some(format!("{} {}", spec.name, rough(time)))
    };
    let times: Vec<_> = specs.iter().filter(is_long).filter_map(took).collect();
    if !times.is_empty() {
        checks.push(check("last compiles took", State::Ok, times.join(", ")));
    }
    checks
}

/// The bytes of all results of compiles.
fn compiled(workspace: &Workspace) -> Result<u64> {
    let results = Cache::peek(workspace).list()?;
    let compiles = results.iter().filter(|(kind, _, _)| kind == Kind::Compile.name());
    Ok(compiles.map(|(_, _, path)| bytes_below(path)).sum())
}

/// What is free for this user where a folder is, or will be.
fn free(place: &Path) -> Option<u64> {
    let there = place.ancestors().find(|path| path.is_dir())?;
    statvfs(there).ok().map(|disk| disk.f_bavail * disk.f_frsize)
}

fn bytes_below(folder: &Path) -> u64 {
    let files = walkdir::WalkDir::new(folder).into_iter().filter_map(Result::ok);
    files
        .filter_map(|entry| entry.metadata().ok())
        .filter(|meta| meta.is_file())
        .map(|m| m.len())
        .sum()
}
