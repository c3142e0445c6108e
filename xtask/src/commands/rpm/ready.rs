//! Packages that are ready to be published, and the reasons why others are not.

use std::collections::BTreeSet;

use el7rpm::{signature::SignedRpm, spec::Package};

use crate::{
    cache::Cache,
    events::Outcome,
    failure::{Class, Failure, Result, Trouble},
    key::Key,
    plan::{Plan, Work},
    publish,
    schedule::Ended,
    step::Kind,
    steps::is_nothing,
};

/// The signing step of a package, and what it signs.
struct Candidate<'a> {
    sign: usize,
    package: &'a Package,
}

impl Candidate<'_> {
    /// Names by which others may require it.
    fn offers(&self) -> impl Iterator<Item = String> {
        let Package { name, provides, .. } = self.package;
        let own = [name.clone(), format!("{name}(x86-64)")];
        own.into_iter().chain(provides.iter().map(|p| p.name.clone()))
    }
}

/// Leaves out packages that require one of ours that is missing, for its reason: what is published
/// can be installed.
pub(super) fn leave_out(plan: &Plan, ended: &mut [Ended]) {
    let candidates = candidates(plan);
    loop {
        let (ready, missing): (Vec<_>, Vec<_>) =
            candidates.iter().partition(|c| ended[c.sign].reason.is_none());
        let offered: BTreeSet<String> = ready.iter().flat_map(|c| c.offers()).collect();
        let lacks = |package: &Package| {
            let unmet = |c: &&Candidate<'_>| {
                let required = |name: &String| package.requires.iter().any(|r| r.name == *name);
                c.offers().any(|name| required(&name) && !offered.contains(&name))
            };
            missing.iter().copied().find(unmet)
        };
        let Some((sign, lacking)) = ready.iter().find_map(|c| Some((c.sign, lacks(c.package)?)))
        else {
            return;
        };
        let Some(trouble) = ended[lacking.sign].trouble() else { return };
        ended[sign] = Ended::without(for_lack_of(&lacking.package.name, trouble));
    }
}

fn candidates(plan: &Plan) -> Vec<Candidate<'_>> {
    let candidate = |(sign, step): (usize, &'_ crate::plan::Step)| {
        let Work::Sign { of, .. } = step.work else { return None };
        Some((sign, of))
    };
    let signs = plan.steps.iter().enumerate().filter_map(candidate);
    let package = |(sign, of): (usize, usize)| match &plan.steps[of].work {
        Work::Package(work) => Some(Candidate { sign, package: &work.package }),
        _ => None,
    };
    signs.filter_map(package).collect()
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
pub(super) fn first_failure(ended: &[Ended]) -> Option<Failure> {
    ended.iter().find(|e| e.outcome == Outcome::Failed)?.reason.clone()
}

/// Names of the packages that failed.
pub(super) fn failed<'a>(plan: &'a Plan, ended: &[Ended]) -> Vec<&'a str> {
    let failed = |c: &Candidate<'_>| ended[c.sign].outcome == Outcome::Failed;
    candidates(plan).into_iter().filter(failed).map(|c| c.package.name.as_str()).collect()
}

/// Signed RPMs with the keys of their steps.
pub(super) type Signed = Vec<(Key, SignedRpm)>;

/// The signed RPMs, in order of the plan.
pub(super) fn signed_rpms(
    plan: &Plan,
    ended: &[Ended],
    cache: &Cache,
    key: &str,
) -> Result<Signed> {
    let mut out = Vec::new();
    for (step, ended) in plan.steps.iter().zip(ended) {
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
        out.push((step.key.clone(), publish::signed(&dir, file_name, key)?));
    }
    Ok(out)
}
