//! Packages that were not named, but are built since a named package requires them: otherwise the published packages
//! could not be installed.

use std::{collections::BTreeSet, fmt};

use super::{
    Plan,
    relations::{Offers, Relations},
};
use crate::{cache::Cache, steps::Step};
use base::{failure::Result, workspace::Workspace};
use el7rpm::spec::{Package, Spec};

/// A package that is built, too, and the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Along {
    /// The package that is built, too.
    pub package: String,
    /// The package that requires it.
    pub by: String,
    /// The requirement: the name of a package, a library or a file.
    pub requirement: String,
}

impl fmt::Display for Along {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { package, by, requirement } = self;
        write!(f, "{package} is made, too: {by} requires ")?;
        match requirement == package {
            true => write!(f, "it"),
            false => write!(f, "{requirement}, which it provides"),
        }
    }
}

/// A requirement on a package of this checkout, in a version that the checkout does not build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmet {
    /// The package that requires it.
    pub package: String,
    /// The requirement, such as `foo >= 2`.
    pub requirement: String,
    /// The versions of this name that the checkout offers, such as `foo = 1-1.el7`.
    pub offered: Vec<String>,
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { package, requirement, offered } = self;
        let offered = offered.join(", ");
        write!(
            f,
            "{package} requires {requirement}, and this checkout has {offered}: unless the hosts get it from \
             elsewhere, {package} cannot be installed"
        )
    }
}

/// The packages that the wanted ones require, as far as the descriptions say so.
pub(super) fn described(specs: &[Spec], wanted: &[String], workspace: &Workspace) -> Vec<Along> {
    let mut along = Vec::new();
    if wanted.is_empty() {
        return along;
    }
    let packages = specs.iter().flat_map(|spec| &spec.packages);
    let relations = |package| (package, Relations::of(package, workspace, None));
    let all: Vec<_> = packages.map(relations).collect();
    let mut names: BTreeSet<String> = wanted.iter().cloned().collect();
    loop {
        let (made, others): (Vec<_>, Vec<_>) =
            all.iter().map(|(p, r)| (*p, r)).partition(|(p, _)| names.contains(&p.name));
        let more = lacking(&made, &others);
        if more.is_empty() {
            return along;
        }
        names.extend(more.iter().map(|m| m.package.clone()));
        along.extend(more);
    }
}

/// Names of the wanted packages and of those that they require, as far as the descriptions say so; empty if all
/// packages are wanted.
pub fn wanted(specs: &[Spec], wanted: &[String], workspace: &Workspace) -> BTreeSet<String> {
    let along = described(specs, wanted, workspace).into_iter().map(|a| a.package);
    wanted.iter().cloned().chain(along).collect()
}

/// The packages outside of the plan that its packages require, as far as it is known now: the libraries that a
/// program needs are known once it is compiled.
pub(super) fn found(specs: &[Spec], plan: &Plan, workspace: &Workspace) -> Result<Vec<Along>> {
    let cache = Cache::peek(workspace);
    let planned = plan.packages(workspace, &cache)?;
    let names: BTreeSet<_> = planned.iter().map(|p| &p.package.name).collect();
    let mut others = Vec::new();
    for spec in specs {
        let folder = |step: &Step| step.work.packed_folder(spec, &step.key, &cache);
        let build = plan.steps.iter().find_map(folder);
        for package in spec.packages.iter().filter(|p| !names.contains(&p.name)) {
            others.push((package, Relations::of(package, workspace, build.clone())));
        }
    }
    let made: Vec<_> = planned.iter().map(|p| (p.package, &p.relations)).collect();
    let others: Vec<_> = others.iter().map(|(package, relations)| (*package, relations)).collect();
    Ok(lacking(&made, &others))
}

/// The packages among `others` that offer a requirement which no package of `made` offers.
fn lacking(made: &[(&Package, &Relations)], others: &[(&Package, &Relations)]) -> Vec<Along> {
    let mut offered = all_offers(made);
    let mut along = Vec::new();
    for (package, relations) in made {
        for requirement in &relations.requires {
            if offered.meet(requirement) {
                continue;
            }
            let meets = |(_, other): &&(&Package, &Relations)| other.offers.meet(requirement);
            if let Some((other, relations)) = others.iter().find(meets) {
                offered.join(&relations.offers);
                along.push(Along {
                    package: other.name.clone(),
                    by: package.name.clone(),
                    requirement: requirement.name.clone(),
                });
            }
        }
    }
    along
}

fn all_offers(packages: &[(&Package, &Relations)]) -> Offers {
    let mut all = Offers::default();
    packages.iter().for_each(|(_, relations)| all.join(&relations.offers));
    all
}

/// Requirements of a plan's packages on other versions than this checkout makes.
pub(super) fn unmet(specs: &[Spec], plan: &Plan, workspace: &Workspace) -> Result<Vec<Unmet>> {
    let planned = plan.packages(workspace, &Cache::peek(workspace))?;
    let all: Vec<_> = specs.iter().flat_map(|spec| &spec.packages).collect();
    let others = all.iter().filter(|p| planned.iter().all(|made| made.package.name != p.name));
    let others: Vec<_> = others.map(|p| (*p, Relations::of(p, workspace, None))).collect();
    let made = planned.iter().map(|p| (p.package, &p.relations));
    let known: Vec<_> = made.chain(others.iter().map(|(p, r)| (*p, r))).collect();
    let offered = all_offers(&known);
    let mut unmet = Vec::new();
    for package in &planned {
        for requirement in &package.relations.requires {
            let offers = offered.named(requirement);
            if !offers.is_empty() && !offered.meet(requirement) {
                unmet.push(Unmet {
                    package: package.package.name.clone(),
                    requirement: requirement.to_string(),
                    offered: offers.iter().map(ToString::to_string).collect(),
                });
            }
        }
    }
    Ok(unmet)
}
