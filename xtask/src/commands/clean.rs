//! `clean`: removes results that the present plan has no use for.

use std::{
    collections::{BTreeSet, HashSet},
    path::Path,
};

use crate::{
    cache::Cache,
    cli::CleanArgs,
    events::Reporter,
    failure::{Class, Classify, Result},
    keys,
    lock::Lock,
    plan::{Circumstances, Plan},
    sources::{Fetcher, Store},
    terminal,
    workspace::Workspace,
};

pub(super) fn run(
    args: &CleanArgs,
    workspace: &Workspace,
    reporter: &dyn Reporter,
    json: bool,
) -> Result<()> {
    let _lock = Lock::take(workspace, reporter)?;
    let removed = if args.all { everything(workspace)? } else { unused(workspace, reporter)? };
    if json {
        terminal::json(&serde_json::json!({ "event": "cleaned", "removed": removed }));
    } else {
        terminal::text(&format!("removed {removed} old results\n"));
    }
    Ok(())
}

fn everything(workspace: &Workspace) -> Result<usize> {
    let count = Cache::peek(workspace).list()?.len();
    for dir in [
        "cache",
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
        remove(&workspace.state.join(dir))?;
    }
    Ok(count)
}

fn unused(workspace: &Workspace, reporter: &dyn Reporter) -> Result<usize> {
    let cache = Cache::open(workspace)?;
    let fingerprint = keys::development_fingerprint(workspace).unwrap_or_default();
    let specs = workspace.specs(&BTreeSet::new())?;
    let store = Store::open(workspace)?;
    let fetcher = Fetcher::new(&store, workspace, reporter);
    let plan = Plan::of(
        &specs,
        &Circumstances {
            workspace,
            wanted: &[],
            signing_key: &fingerprint,
            release: false,
            farm: false,
            image_args: &[],
            fetcher: &fetcher,
        },
    )?;
    let used: HashSet<_> =
        plan.steps.iter().map(|s| (s.work.kind().to_owned(), s.key.to_string())).collect();
    let mut removed = 0;
    for (kind, key, dir) in cache.list()? {
        if !used.contains(&(kind, key)) {
            remove(&dir)?;
            removed += 1;
        }
    }
    Ok(removed)
}

fn remove(dir: &Path) -> Result<()> {
    match fs_err::remove_dir_all(dir) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e).class(Class::Output),
        _ => Ok(()),
    }
}
