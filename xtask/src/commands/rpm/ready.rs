//! Packages that are ready to be published, and the reasons why others are not.

use el7rpm::{openpgp::Certificate, signature::SignedRpm};

use base::{
    events::Outcome,
    failure::{Failure, Result, Trouble},
    key::Key,
    workspace::Workspace,
};
use pipeline::{
    cache::Cache,
    plan::{Offers, Plan, Planned},
    schedule::Ended,
    steps::PerStep,
};

/// Leaves out packages whose requirement only a missing package of this checkout offers, with the reason of that
/// package: all published packages can be installed. Requirements that no package of this checkout offers are the
/// distribution's.
///
/// # Errors
/// [`Class::Output`](base::failure::Class::Output) for a result that cannot be read.
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
        let mut offered = Offers::default();
        ready.iter().for_each(|p| offered.join(&p.relations.offers));
        let lacks = |package: &Planned<'_>| {
            let mut unmet = package.relations.requires.iter().filter(|r| !offered.meet(r));
            unmet.find_map(|r| missing.iter().find(|m| m.relations.offers.meet(r)))
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
    let failed = plan.signing().filter(|(id, ..)| ended[*id].outcome == Outcome::Failed);
    failed.map(|(_, _, sign)| sign.unsigned.work.package.name.as_str()).collect()
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
    for (_, step, sign) in plan.signing().filter(|(id, ..)| ended[*id].reason.is_none()) {
        let rpm = sign.signed(&step.key, cache, certificate)?;
        out.extend(rpm.map(|rpm| (step.key.clone(), rpm)));
    }
    Ok(out)
}
