//! `rpm`: carries out the plan and publishes the repository.

use std::{thread::available_parallelism, time::Instant};

use super::reproducible;
use crate::{
    cache::Cache,
    cli::RpmArgs,
    events::{Event, Outcome, Reporter},
    failure::{Class, Failure, Result},
    keys::{self, Keys, Secrets},
    lock::Lock,
    plan::{Circumstances, Plan, Work},
    publish::{self, DEFAULT_BASE_URL, Place, Publication},
    schedule::{self, Ended, Task},
    steps::{Budget, Context},
    terminal::{
        self,
        report::{Report, Row},
    },
    workspace::Workspace,
};

pub(super) fn run(
    args: &RpmArgs,
    workspace: &Workspace,
    reporter: &dyn Reporter,
    json: bool,
) -> Result<()> {
    let start = Instant::now();
    if args.release && args.key.key.is_none() && args.key.gpg_key.is_none() {
        return Err(no_release_key());
    }
    let _lock = Lock::take(workspace, reporter)?;
    let specs = workspace.specs()?;
    // Before the work, not after it.
    let place = Place::prepare(args.out.as_deref().unwrap_or(&workspace.default_out()), workspace)?;
    let keys = keys::load(&args.key, workspace, reporter)?;
    if args.release && keys.is_for_development() {
        return Err(no_release_key());
    }
    let cache = Cache::open(workspace)?;
    let fingerprint = keys.signer.certificate().fingerprint();
    let circumstances = Circumstances {
        workspace,
        wanted: &args.packages,
        signing_key: &fingerprint,
        release: args.release,
    };
    let plan = Plan::of(&specs, &circumstances)?;

    let ended = carry_out(args, workspace, reporter, &plan, &cache, &keys)?;
    let held_back = held_back(&plan, &ended, reporter);
    if args.release && !held_back.is_empty() {
        return Err(refuse(&held_back));
    }
    let rpms = signed_rpms(&plan, &ended, &cache, &fingerprint)?;
    if rpms.is_empty() {
        let mut failure = refuse(&held_back);
        failure.message = "every package was held back; there is nothing to publish".into();
        return Err(failure);
    }
    let reproducible = match args.check_reproducible {
        true => Some(check_reproducible(args, workspace, &plan, &ended, &cache, reporter)?),
        false => None,
    };
    let base_url = args.base_url.as_deref().unwrap_or(DEFAULT_BASE_URL);
    let publication = Publication { workspace, place: &place, base_url, keys: &keys, rpms: &rpms };
    let current = publication.current();
    let written = current.is_none();
    let release = current.map_or_else(|| publication.write(), Ok)?;
    let report = Report {
        packages: rows(&plan, &ended, &release.packages),
        repository: workspace.relative(&place.out).to_owned(),
        written,
        signed_by: fingerprint,
        development: keys.development,
        reproducible,
        millis: start.elapsed().as_millis(),
    };
    reporter.event(&Event::Finished(&report));
    if !json {
        terminal::text(&report.text());
    }
    Ok(())
}

fn no_release_key() -> Failure {
    Failure::new(Class::Key, "a release cannot be signed with the development key")
        .help("give the release's key with --key FILE or --gpg-key ID")
}

fn carry_out(
    args: &RpmArgs,
    workspace: &Workspace,
    reporter: &dyn Reporter,
    plan: &Plan,
    cache: &Cache,
    keys: &Keys,
) -> Result<Vec<Ended>> {
    let cores = available_parallelism().map_or(1, usize::from);
    let jobs = args.jobs.map_or(cores, usize::from);
    let context = Context {
        workspace,
        cache,
        plan,
        signer: keys.signer.as_ref(),
        reporter,
        offline: args.offline,
        secrets: Secrets::of(&args.key),
        release: args.release,
        budget: Budget::new(jobs as u32),
    };
    let tasks = plan.steps.iter().enumerate().map(|(index, step)| Task {
        name: step.name.clone(),
        cached: step.cached,
        needs: step.needs.clone(),
        run: Box::new({
            let context = &context;
            move || context.run(index)
        }),
    });
    let tasks: Vec<_> = tasks.collect();
    reporter.event(&Event::Started { steps: tasks.len() });
    schedule::run(tasks, jobs, reporter)
}

/// Packages that could not be made here, with the reason.
fn held_back<'a>(
    plan: &'a Plan,
    ended: &'a [Ended],
    reporter: &dyn Reporter,
) -> Vec<(&'a str, &'a Failure)> {
    let mut out = Vec::new();
    for (step, ended) in plan.steps.iter().zip(ended) {
        if let (Work::Sign { .. }, Some(package), Some(reason)) =
            (&step.work, &step.package, &ended.reason)
        {
            reporter.event(&Event::HeldBack { package, reason: &reason.message });
            out.push((package.as_str(), reason));
        }
    }
    out
}

fn refuse(held_back: &[(&str, &Failure)]) -> Failure {
    let mut failure =
        Failure::new(Class::HeldBack, "--release holds nothing back; nothing was published");
    failure.last_lines =
        held_back.iter().map(|(p, reason)| format!("{p}: {}", reason.message)).collect();
    failure.help = held_back.iter().find_map(|(_, reason)| reason.help.clone());
    failure
}

fn signed_rpms(
    plan: &Plan,
    ended: &[Ended],
    cache: &Cache,
    key: &str,
) -> Result<Vec<(crate::key::Key, el7rpm::signature::SignedRpm)>> {
    let mut out = Vec::new();
    for (step, ended) in plan.steps.iter().zip(ended) {
        let Work::Sign { file_name, .. } = &step.work else { continue };
        if ended.outcome == Outcome::HeldBack {
            continue;
        }
        let dir = cache.get("sign", &step.key);
        let dir = dir.ok_or_else(|| {
            Failure::new(Class::Output, format!("the signed {file_name} is gone"))
        })?;
        out.push((step.key.clone(), publish::signed(&dir, file_name, key)?));
    }
    Ok(out)
}

/// Before anything is published: what cannot be built twice is not worth trusting once.
fn check_reproducible(
    args: &RpmArgs,
    workspace: &Workspace,
    plan: &Plan,
    ended: &[Ended],
    cache: &Cache,
    reporter: &dyn Reporter,
) -> Result<String> {
    reporter.event(&Event::Note { message: "building everything a second time, elsewhere" });
    let mut first = Vec::new();
    for (step, ended) in plan.steps.iter().zip(ended) {
        if let (Work::Package(work), Outcome::Cached | Outcome::Built) = (&step.work, ended.outcome)
            && let Some(dir) = cache.get("package", &step.key)
        {
            first.push(dir.join(format!("{}.rpm", work.package.nvra())));
        }
    }
    reproducible::check(workspace, &args.packages, &first)
}

fn rows(plan: &Plan, ended: &[Ended], published: &[publish::Published]) -> Vec<Row> {
    let names = plan.steps.iter().filter_map(|s| match s.work {
        Work::Sign { .. } => s.package.as_deref(),
        _ => None,
    });
    names.map(|name| row(name, plan, ended, published)).collect()
}

fn row(name: &str, plan: &Plan, ended: &[Ended], published: &[publish::Published]) -> Row {
    let published = published.iter().find(|p| p.name == name);
    let mut row = Row {
        package: name.to_owned(),
        file: published.map(|p| p.file.clone()),
        size: published.map(|p| p.size),
        steps: Vec::new(),
        held_back: None,
        help: None,
        log: None,
    };
    let own = |i: usize| plan.steps[i].package.as_deref() == Some(name);
    for (i, step) in plan.steps.iter().enumerate() {
        let needed =
            own(i) || plan.steps.iter().enumerate().any(|(j, s)| own(j) && s.needs.contains(&i));
        if needed && ended[i].outcome == Outcome::Built {
            row.steps.push((step.work.kind().to_owned(), ended[i].time.as_millis()));
        }
        if let (true, Some(reason)) = (own(i), &ended[i].reason) {
            row.held_back = Some(reason.message.clone());
            row.help.clone_from(&reason.help);
            row.log.clone_from(&reason.log);
        }
    }
    row
}
