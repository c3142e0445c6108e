//! `rpm`: carries out the plan and publishes the repository.

mod early;
mod elsewhere;
mod ready;
mod reproducible;
mod rows;
mod session;

use std::time::{Duration, Instant};

use early::Publisher;
use el7rpm::spec::{Build, Package, Spec};
use elsewhere::Elsewhere;
use session::Session;

use super::inputs;
use crate::{cli::RpmArgs, terminal};
use base::{
    events::{Event, Outcome, Reporter},
    failure::{Class, Failure, Result},
    process,
    report::RunReport,
    workspace::Workspace,
};
use builders::{
    container::{BuilderKind, Engine, EngineKind},
    odd_paths, pinned_rust,
    sandbox::Sandbox,
    toolchain::{self, Toolchain},
};
use pipeline::{
    keys::{self, Passphrase},
    lock::Lock,
    plan::{self, Plan},
    publish::{DEFAULT_BASE_URL, Destination},
    schedule::Ended,
    steps::{PackageResult, PerStep, Work},
};

pub(super) fn run(
    args: &RpmArgs,
    passphrase: &Passphrase,
    workspace: &Workspace,
    reporter: &dyn Reporter,
    json: bool,
) -> Result<()> {
    let start = Instant::now();
    let named = args.key.named();
    if args.release && named.is_none() {
        return Err(no_release_key());
    }
    if let Some(seconds) = args.silence {
        process::set_silence(Duration::from_secs(seconds));
    }
    let _lock = Lock::take(workspace, reporter)?;
    let mut specs = inputs::specs(workspace, &args.sources)?;
    if args.builder.no_check {
        leave_out_checks(&mut specs);
    }
    inputs::report_notes(&specs, reporter);
    let toolchain = before_the_work(args, &specs, workspace)?;
    // Checked before the work, so that no work is lost.
    let destination =
        Destination::prepare(args.out.as_deref().unwrap_or(&workspace.default_out()), workspace)?;
    let keys = keys::load(named.as_ref(), passphrase, workspace, reporter)?;
    if args.release && keys.is_for_development() {
        return Err(no_release_key());
    }
    let session = Session::open(args, workspace, reporter, &keys, &toolchain)?;
    let base_url = args.base_url.as_deref().unwrap_or(DEFAULT_BASE_URL);
    let publisher = Publisher {
        workspace,
        destination: &destination,
        base_url,
        keys: &keys,
        unchecked: args.builder.no_check,
        reporter,
    };
    let mut early = false;
    let (plan, mut ended) = session.build(&specs, &mut |now| {
        early = publisher.early(&session, now)?;
        Ok(())
    })?;
    let failure = ready::first_failure(&ended);
    ready::leave_out(&plan, &mut ended, workspace, &session.cache)?;

    let held_back = held_back(&plan, &ended, reporter);
    if args.release && !held_back.is_empty() {
        return Err(refuse(&held_back));
    }
    let fingerprint = keys.signer.certificate().fingerprint();
    let rpms = ready::signed_rpms(&plan, &ended, &session.cache, keys.signer.certificate())?;
    if rpms.is_empty() {
        return Err(failure.unwrap_or_else(|| nothing_left(&held_back)));
    }
    let reproducible = match args.check_reproducible {
        true => Some(check_reproducible(&session, &plan, &ended)?),
        false => None,
    };
    let publication = publisher.of(&plan, &rpms, &session.cache);
    let kept_for = publication.present_of(&ready::failed(&plan, &ended))?;
    let written = early | (kept_for.is_empty() && publication.write_if_new(reporter)?);
    let report = RunReport {
        packages: rows::rows(&plan, &ended, &rpms),
        repository: workspace.relative(&destination.out).to_owned(),
        written,
        kept_for,
        signed_by: fingerprint,
        development: keys.development,
        reproducible,
        millis: start.elapsed().as_millis(),
    };
    reporter.event(&Event::Finished(&report));
    if !json {
        terminal::text(&terminal::report::text(&report));
    }
    failure.map_or(Ok(()), Err)
}

/// Takes the phases called `check` out of all builds, with a note for each.
fn leave_out_checks(specs: &mut [Spec]) {
    for spec in specs {
        if let Some(Build::Container(build)) = &mut spec.build
            && build.leave_out_checks()
        {
            spec.notes.push(format!("the checks of {} are left out (--no-check)", spec.name));
        }
    }
}

/// Checks what would otherwise end the run later: paths that programs cannot handle, and the Rust of a release.
fn before_the_work(args: &RpmArgs, specs: &[Spec], workspace: &Workspace) -> Result<Toolchain> {
    let names = plan::wanted(specs, &args.packages, workspace);
    let is_wanted = |p: &Package| names.is_empty() || names.contains(&p.name);
    let wanted = specs.iter().filter(|spec| spec.packages.iter().any(is_wanted));
    let builds: Vec<_> = wanted.filter_map(|spec| spec.build.as_ref()).collect();
    let crates = builds.iter().any(|build| matches!(build, Build::Crate(_)));
    let containers = builds.iter().any(|build| matches!(build, Build::Container(_)));
    let shares = || match args.builder.builder {
        Some(BuilderKind::Engine(kind)) => shares_folders(Some(kind)),
        // The sandbox mounts folders with any path.
        None if args.builder.distcc.is_some() => shares_folders(None),
        None | Some(BuilderKind::Sandbox) => Sandbox::find().is_err() && shares_folders(None),
    };
    if args.builder.distcc.is_some() && args.builder.builder == Some(BuilderKind::Sandbox) {
        return Err(Failure::new(Class::Usage, "the sandbox has no network, which --distcc needs")
            .help("--builder podman, or docker"));
    }
    odd_paths::check(workspace, crates, containers, shares)?;
    match args.release && crates {
        true => pinned_rust::of_release(workspace),
        false => Ok(toolchain::PRESENT.clone()),
    }
}

/// Without an engine nothing is compiled, with whatever path.
fn shares_folders(kind: Option<EngineKind>) -> bool {
    Engine::find(kind).map_or(true, |engine| engine.shares_folders)
}

fn no_release_key() -> Failure {
    Failure::new(Class::Key, "a release cannot be signed with the development key")
        .help("give the release's key with --key FILE or --gpg-key ID")
}

/// Packages that could not be made here, with the reason.
fn held_back<'a>(
    plan: &'a Plan,
    ended: &'a PerStep<Ended>,
    reporter: &dyn Reporter,
) -> Vec<(&'a str, &'a Failure)> {
    let mut out = Vec::new();
    for (id, _, sign) in plan.signing() {
        let Ended { outcome: Outcome::HeldBack, reason: Some(reason), .. } = &ended[id] else {
            continue;
        };
        let package = &sign.unsigned.work.package.name;
        reporter.event(&Event::HeldBack { package, reason: &reason.message });
        out.push((package.as_str(), reason));
    }
    out
}

fn nothing_left(held_back: &[(&str, &Failure)]) -> Failure {
    let mut failure = refuse(held_back);
    failure.message = match held_back.is_empty() {
        true => "no file has debug information; there is nothing to publish".into(),
        false => "every package was held back; there is nothing to publish".into(),
    };
    failure
}

fn refuse(held_back: &[(&str, &Failure)]) -> Failure {
    let mut failure =
        Failure::new(Class::HeldBack, "--release holds nothing back; nothing was published");
    failure.last_lines =
        held_back.iter().map(|(p, reason)| format!("{p}: {}", reason.message)).collect();
    failure.help = held_back.iter().find_map(|(_, reason)| reason.help.clone());
    failure
}

/// Builds everything a second time, before anything is published.
fn check_reproducible(
    session: &Session<'_>,
    plan: &Plan,
    ended: &PerStep<Ended>,
) -> Result<String> {
    session
        .reporter
        .event(&Event::Note { message: "building everything a second time, elsewhere" });
    let mut first = Vec::new();
    for (_, _, sign) in plan.signing() {
        if is_made(&ended[sign.unsigned.id])
            && let Some(PackageResult::Rpm(rpm)) = sign.unsigned.rpm(&session.cache)?
        {
            first.push(rpm.path().to_owned());
        }
    }
    let steps = || plan.steps.with_ids().filter(|(id, _)| ended[*id].reason.is_none());
    let elsewhere = Elsewhere::find(
        steps().any(|(_, step)| matches!(step.work, Work::Crate(_))),
        steps().any(|(_, step)| matches!(step.work, Work::Container(_))),
    );
    reproducible::check(session, &first, &elsewhere)
}

fn is_made(ended: &Ended) -> bool {
    matches!(ended.outcome, Outcome::Cached | Outcome::Built)
}
