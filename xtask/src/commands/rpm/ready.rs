//! Packages that are ready to be published, and the reasons why others are not.

use std::collections::BTreeSet;

use el7rpm::{openpgp::Certificate, signature::SignedRpm};

use base::{
    events::Outcome,
    failure::{Class, Failure, Result, Trouble},
    key::Key,
    step::Kind,
    workspace::Workspace,
};
use pipeline::{
    cache::Cache,
    plan::{PerStep, Plan, Planned, Work},
    publish,
    schedule::Ended,
    steps::is_nothing,
};

/// Leaves out packages that require what only a package of ours offers that is missing, for its reason: what
/// is published can be installed. What others than packages of this checkout offer is the distribution's.
///
/// # Errors
/// [`Class::Output`] for a result that cannot be read.
pub(super) fn leave_out(
    plan: &Plan,
    ended: &mut PerStep<Ended>,
    workspace: &Workspace,
    cache: &Cache,
) -> Result<()> {
    let packages = plan.packages(workspace, cache)?;
    loop {
        let (ready, missing): (Vec<_>, Vec<_>) =
            packages.iter().partition(|p| ended[p.sign].reason.is_none());
        let offered: BTreeSet<_> = ready.iter().flat_map(|p| &p.relations.offers).collect();
        let lacks = |package: &Planned<'_>| {
            let mut unmet = package.relations.requires.iter().filter(|r| !offered.contains(r));
            unmet.find_map(|r| missing.iter().find(|m| m.relations.offers.contains(r)))
        };
        let Some((sign, lacking)) = ready.iter().find_map(|p| Some((p.sign, lacks(p)?))) else {
            return Ok(());
        };
        let Some(trouble) = ended[lacking.sign].trouble() else { return Ok(()) };
        ended[sign] = Ended::without(for_lack_of(&lacking.package.name, trouble));
    }
}

fn for_lack_of(name: &str, trouble: Trouble) -> Trouble {
    let because = |mut reason: Failure| {
        reason.message = format!("it requires {name}: {}", reason.message);
        reason
    };
    match trouble {
        Trouble::Unavailable(reason) => Trouble::Unavailable(because(reason)),
        Trouble::Failed(reason) => Trouble::Failed(because(reason)),
    }
}

/// The failure of the first step of the plan that failed.
pub(super) fn first_failure(ended: &PerStep<Ended>) -> Option<Failure> {
    ended.iter().find(|e| e.outcome == Outcome::Failed)?.reason.clone()
}

/// Names of the packages that failed.
pub(super) fn failed<'a>(plan: &'a Plan, ended: &PerStep<Ended>) -> Vec<&'a str> {
    let failed = plan.steps.iter().zip(ended.iter()).filter(|(step, ended)| {
        matches!(step.work, Work::Sign { .. }) && ended.outcome == Outcome::Failed
    });
    failed.filter_map(|(step, _)| step.package.as_deref()).collect()
}

/// Signed RPMs with the keys of their steps.
pub(super) type Signed = Vec<(Key, SignedRpm)>;

/// The signed RPMs, in order of the plan.
pub(super) fn signed_rpms(
    plan: &Plan,
    ended: &PerStep<Ended>,
    cache: &Cache,
    certificate: &Certificate,
) -> Result<Signed> {
    let mut out = Vec::new();
    for (step, ended) in plan.steps.iter().zip(ended.iter()) {
        let Work::Sign { file_name, .. } = &step.work else { continue };
        if ended.reason.is_some() {
            continue;
        }
        let dir = cache.get(Kind::Sign, &step.key);
        let dir = dir.ok_or_else(|| {
            Failure::new(Class::Output, format!("the signed {file_name} is gone"))
        })?;
        if is_nothing(&dir)? {
            continue;
        }
        out.push((step.key.clone(), publish::signed(&dir, file_name, certificate)?));
    }
    Ok(out)
}
