//! `lock`: chooses the packages of an image and writes them to its root.lock.

use std::time::Duration;

use crate::{
    cli::{ImageArgs, LockArgs},
    output::{LockState, LockedChange, Output},
    terminal,
};
use base::{
    events::Reporter,
    failure::{Class, Failure, Result, Trouble},
    process,
    workspace::Workspace,
};
use builders::root::{self, Change, Description, LOCK, Lock};
use sources::{Fetcher, Patience, Store};

pub(super) fn run(
    args: &LockArgs,
    workspace: &Workspace,
    reporter: &dyn Reporter,
    json: bool,
) -> Result<()> {
    let description = Description::load(workspace, &args.of.image, &args.of.mirrors)?;
    let before = Lock::load(&description.dir);
    // An old lock that is not valid can be replaced.
    let before = if args.check { before? } else { before.unwrap_or_default() };
    let store = Store::open(workspace)?;
    let fetcher = fetcher(&args.of, workspace, &store, reporter);
    let step = format!("lock {}", description.name);
    let lock = root::lock(&description, &fetcher, &step).map_err(failure)?;
    let changes = lock.changes(before.as_ref());
    let state = match (before.as_ref() == Some(&lock), args.check) {
        (true, _) => LockState::Unchanged,
        (false, true) => LockState::Differs,
        (false, false) => {
            lock.write(&description.dir)?;
            LockState::Written
        }
    };
    show(&description, &lock, &changes, state, json);
    match state {
        LockState::Differs => {
            let message = format!(
                "containers/{}/{LOCK} differs from what the repositories give now",
                description.name
            );
            Err(Failure::new(Class::Verify, message)
                .help(format!("`cargo xtask lock {}` writes it", description.name)))
        }
        _ => Ok(()),
    }
}

/// A fetcher for the repositories of an image.
pub(super) fn fetcher<'a>(
    args: &ImageArgs,
    workspace: &'a Workspace,
    store: &'a Store,
    reporter: &'a dyn Reporter,
) -> Fetcher<'a> {
    process::record_programs_in(workspace);
    let mut fetcher = Fetcher::new(store, workspace, reporter);
    fetcher.offline = args.offline;
    if let Some(seconds) = args.timeout {
        fetcher.patience = Patience::with_silence(Duration::from_secs(seconds));
    }
    fetcher
}

/// The failure of a trouble: a command that makes one thing has nothing to hold back.
pub(super) fn failure(trouble: Trouble) -> Failure {
    let (Trouble::Unavailable(failure) | Trouble::Failed(failure)) = trouble;
    failure
}

fn show(description: &Description, lock: &Lock, changes: &[Change], state: LockState, json: bool) {
    if json {
        let change = |c: &Change| LockedChange {
            name: c.name.clone(),
            before: c.before.clone(),
            now: c.now.clone(),
        };
        terminal::json(&Output::Locked {
            image: description.name.clone(),
            packages: lock.packages.len(),
            state,
            changes: changes.iter().map(change).collect(),
        });
        return;
    }
    let line = |change: &Change| match (&change.before, &change.now) {
        (None, Some(now)) => format!("+ {} {now}\n", change.name),
        (Some(before), None) => format!("- {} {before}\n", change.name),
        (before, now) => {
            let text = |side: &Option<String>| side.clone().unwrap_or_default();
            format!("  {} {} -> {}\n", change.name, text(before), text(now))
        }
    };
    let mut text: String = changes.iter().map(line).collect();
    let (name, count) = (&description.name, lock.packages.len());
    text += &match state {
        LockState::Unchanged => {
            format!("containers/{name}/{LOCK} is up to date: {count} packages\n")
        }
        LockState::Written => {
            format!("containers/{name}/{LOCK} is written: {count} packages; commit it\n")
        }
        LockState::Differs => format!("containers/{name}/{LOCK} would change: {count} packages\n"),
    };
    terminal::text(&text);
}
