//! `fetch`: fetches sources into the store, and pins archives that have no pin yet.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::Duration,
};

use el7rpm::spec::{Origin, Source, Spec};

use crate::{
    cli::FetchArgs,
    output::{self, Output},
    terminal,
};
use base::{
    events::{Event, Outcome, Reporter},
    failure::{Class, Failure, Result, Trouble},
    process,
    step::{Kind, State},
    workspace::Workspace,
};
use pipeline::schedule::{self, Done, Ended, OnFailure, Task};
use sources::{Fetcher, Patience, Store};

/// How many sources are fetched at once: enough if hosts are slow, and not too many for one host.
const AT_ONCE: usize = 4;

pub(super) fn run(
    args: &FetchArgs,
    workspace: &Workspace,
    reporter: &dyn Reporter,
    json: bool,
) -> Result<()> {
    let specs = workspace.specs(&BTreeSet::new())?;
    let wanted = choose(&specs, &args.names)?;
    let supplied: BTreeMap<String, PathBuf> = args.sources.iter().cloned().collect();
    check_supplied(&supplied, &wanted)?;
    let store = Store::open(workspace)?;
    process::record_programs_in(workspace);
    let mut fetcher = Fetcher::new(&store, workspace, reporter);
    fetcher.offline = args.offline;
    fetcher.supplied = supplied;
    if let Some(seconds) = args.timeout {
        fetcher.patience = Patience::with_silence(Duration::from_secs(seconds));
    }
    let tasks = wanted.iter().map(|wanted| Task {
        name: wanted.step(),
        kind: Kind::Fetch,
        state: State::ToDo,
        earlier: None,
        needs: Vec::new(),
        needs_any: Vec::new(),
        resource: None,
        run: Box::new({
            let fetcher = &fetcher;
            move || wanted.fetch(fetcher, args)
        }),
    });
    // One at a time if package.toml is written, since two sources may be in the same file.
    let jobs = if args.pin { 1 } else { AT_ONCE };
    let ended = schedule::run(tasks.collect(), jobs, OnFailure::Stop, reporter)?;
    report(&wanted, &ended, json)
}

/// A source, and its description.
struct Wanted<'a> {
    spec: &'a Spec,
    source: &'a Source,
}

/// The sources of the packages, descriptions and sources that are named.
fn choose<'a>(specs: &'a [Spec], names: &[String]) -> Result<Vec<Wanted<'a>>> {
    let is = |spec: &Spec, source: &Source, name: &str| {
        spec.name == name
            || source.name == name
            || spec.packages.iter().any(|package| package.name == name)
    };
    let known = |name: &str| {
        let no_source = |s: &Spec| s.name == name || s.packages.iter().any(|p| p.name == name);
        specs.iter().any(|s| no_source(s) || s.sources.iter().any(|own| own.name == name))
    };
    if let Some(unknown) = names.iter().find(|name| !known(name)) {
        let message = format!("there is no package, description or source `{unknown}`");
        let sources = specs.iter().flat_map(|s| s.sources.iter().map(|o| o.name.as_str()));
        let sources: Vec<_> = sources.collect();
        return Err(Failure::new(Class::Usage, message)
            .help(format!("sources are: {}", sources.join(", "))));
    }
    let all = specs
        .iter()
        .flat_map(|spec| spec.sources.iter().map(move |source| Wanted { spec, source }));
    Ok(all
        .filter(|w| names.is_empty() || names.iter().any(|name| is(w.spec, w.source, name)))
        .collect())
}

fn check_supplied(supplied: &BTreeMap<String, PathBuf>, wanted: &[Wanted<'_>]) -> Result<()> {
    let known = |name: &String| wanted.iter().any(|w| w.source.name == *name);
    match supplied.keys().find(|name| !known(name)) {
        None => Ok(()),
        Some(name) => {
            let names: Vec<_> = wanted.iter().map(|w| w.source.name.as_str()).collect();
            Err(Failure::new(Class::Usage, format!("--source {name}=…: there is no such source"))
                .help(format!("sources are: {}", names.join(", "))))
        }
    }
}

impl Wanted<'_> {
    fn step(&self) -> String {
        format!("fetch {}/{}", self.spec.name, self.source.name)
    }

    fn fetch(&self, fetcher: &Fetcher<'_>, args: &FetchArgs) -> Result<Done, Trouble> {
        let step = self.step();
        self.carry_out(fetcher, args, &step).map_err(|trouble| trouble.in_step(&step, None))
    }

    fn carry_out(
        &self,
        fetcher: &Fetcher<'_>,
        args: &FetchArgs,
        step: &str,
    ) -> Result<Done, Trouble> {
        let was_there = fetcher.is_there(self.source);
        let pinned = if args.pin { self.pin(fetcher, step)? } else { None };
        let fetched = fetcher.fetch(pinned.as_ref().unwrap_or(self.source), step)?;
        if let Some(dir) = &args.unpack {
            let into = dir.join(&self.spec.name).join(&self.source.name);
            fetched.unpack(&into, fetcher.reporter)?;
        }
        Ok(if was_there { Done::Cached } else { Done::Built })
    }

    /// The source with its new pin, if it had none.
    fn pin(&self, fetcher: &Fetcher<'_>, step: &str) -> Result<Option<Source>, Trouble> {
        let Some(pinned) = fetcher.pin(self.source, step)? else { return Ok(None) };
        sources::write_pin(&self.spec.path, &self.source.name, &pinned.sha256)?;
        let name = &self.source.name;
        let message = match &pinned.signed_by {
            Some(by) => format!("`{name}` is pinned to {}, signed by {by}", pinned.sha256),
            None => format!(
                "`{name}` is pinned to {}, which is what was served: no signature vouches for it",
                pinned.sha256
            ),
        };
        fetcher.reporter.event(&Event::Note { message: &message });
        Ok(Some(pinned.source))
    }

    fn pin_text(&self) -> String {
        match &self.source.origin {
            Origin::Git { commit, .. } => format!("commit {commit}"),
            Origin::Archive { sha256: Some(sha256), .. } => format!("sha256 {sha256}"),
            Origin::Archive { sha256: None, .. } => "now pinned".into(),
            Origin::Folder(_) => "a folder of the checkout".into(),
        }
    }
}

fn report(wanted: &[Wanted<'_>], ended: &[Ended], json: bool) -> Result<()> {
    let rows = wanted.iter().zip(ended).map(|(w, e)| output::SourceObject {
        spec: w.spec.name.clone(),
        source: w.source.name.clone(),
        outcome: e.outcome.into(),
        reason: e.reason.as_ref().map(Into::into),
    });
    if json {
        terminal::json(&Output::Fetched { sources: rows.collect() });
    } else {
        terminal::text(&table(wanted, ended));
    }
    let missing: Vec<_> = ended.iter().filter_map(|e| e.reason.as_ref()).collect();
    let Some(first) = missing.first() else { return Ok(()) };
    let message = format!("{} of {} sources cannot be fetched", missing.len(), wanted.len());
    let mut failure = Failure::new(first.class, message);
    failure.last_lines = missing.iter().map(|f| f.message.clone()).collect();
    failure.log = first.log.clone();
    failure.help = first.help.clone();
    Err(failure)
}

fn table(wanted: &[Wanted<'_>], ended: &[Ended]) -> String {
    if wanted.is_empty() {
        return "there is nothing to fetch: everything is made from files of the checkout\n".into();
    }
    let names: Vec<_> =
        wanted.iter().map(|w| format!("{}/{}", w.spec.name, w.source.name)).collect();
    let width = names.iter().map(String::len).max().unwrap_or(0);
    let state = |ended: &Ended| match ended.outcome {
        Outcome::Cached | Outcome::NotNeeded => "was there",
        Outcome::Built => "fetched",
        Outcome::HeldBack | Outcome::Failed => "MISSING",
    };
    let row = |((name, wanted), ended): ((&String, &Wanted<'_>), &Ended)| {
        format!("  {name:<width$}  {:<9}  {}\n", state(ended), wanted.pin_text())
    };
    names.iter().zip(wanted).zip(ended).map(row).collect()
}
