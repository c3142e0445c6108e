//! `clean`: removes results that the present plan does not use.

use std::collections::{BTreeSet, HashSet};

use crate::{cli::CleanArgs, output::Output, terminal};
use base::{disk::remove_folder, events::Reporter, failure::Result, workspace::Workspace};
use builders::container;
use pipeline::{cache::Cache, circumstances::Circumstances, keys, lock::Lock, plan::Plan};
use sources::{Fetcher, Store};

pub(super) fn run(
    args: &CleanArgs,
    workspace: &Workspace,
    reporter: &dyn Reporter,
    json: bool,
) -> Result<()> {
    let _lock = Lock::take(workspace, reporter)?;
    // Programs of a killed run could still write into the folders that are removed.
    container::sweep(workspace);
    let removed = if args.all { everything(workspace)? } else { unused(workspace, reporter)? };
    if json {
        terminal::json(&Output::Cleaned { removed });
    } else {
        terminal::text(&format!("removed {removed} old results\n"));
    }
    Ok(())
}

fn everything(workspace: &Workspace) -> Result<usize> {
    let count = Cache::peek(workspace).list()?.len();
    for dir in [
        "cache",
        "inputs",
        "tmp",
        "logs",
        "tools",
        "host",
        "zigbuild",
        "again",
        "published",
        "images",
        "ccache",
    ] {
        remove_folder(&workspace.state.join(dir))?;
    }
    Ok(count)
}

fn unused(workspace: &Workspace, reporter: &dyn Reporter) -> Result<usize> {
    let cache = Cache::open(workspace)?;
    let fingerprint = keys::development_fingerprint(workspace)?.unwrap_or_default();
    let specs = workspace.specs(&BTreeSet::new())?;
    let store = Store::open(workspace)?;
    let fetcher = Fetcher::new(&store, workspace, reporter);
    let plan = Plan::of(&specs, &Circumstances::plain(workspace, &[], &fingerprint, &fetcher)?)?;
    let used: HashSet<_> =
        plan.steps.iter().map(|s| (s.work.kind().name().to_owned(), s.key.to_string())).collect();
    let mut removed = 0;
    for (kind, key, dir) in cache.list()? {
        if !used.contains(&(kind, key)) {
            remove_folder(&dir)?;
            removed += 1;
        }
    }
    Ok(removed)
}
