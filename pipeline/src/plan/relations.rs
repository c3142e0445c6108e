//! The requirements of packages, and the names that they offer: from their descriptions, from the files that are
//! there, and, once they are built, from their RPMs.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use el7rpm::{
    abi::sonames,
    deps,
    read::Rpm,
    spec::{Base, Content, Dependency, Package, Symbols},
    stage::{Inputs, taken},
};

use super::Plan;
use crate::{
    cache::Cache,
    steps::{PackageResult, StepId, roots},
};
use base::{
    failure::{Class, Classify, Result},
    workspace::Workspace,
};

/// The requirements of a package, and the names with versions that it offers.
#[derive(Clone, Debug, Default)]
pub struct Relations {
    pub requires: Vec<Dependency>,
    pub offers: Offers,
}

/// What packages offer, by name: themselves, what they provide, their files.
#[derive(Clone, Debug, Default)]
pub struct Offers(BTreeMap<String, Vec<Dependency>>);

impl Offers {
    /// What is offered under the name of the requirement, whether or not it meets it.
    pub fn named<'a>(&'a self, requirement: &Dependency) -> &'a [Dependency] {
        self.0.get(&requirement.name).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether something of it meets the requirement.
    pub fn meet(&self, requirement: &Dependency) -> bool {
        self.named(requirement).iter().any(|offer| offer.meets(requirement))
    }

    /// Adds what others offer.
    pub fn join(&mut self, others: &Self) {
        self.extend(others.0.values().flatten().cloned());
    }
}

impl Extend<Dependency> for Offers {
    fn extend<T: IntoIterator<Item = Dependency>>(&mut self, offers: T) {
        for offer in offers {
            self.0.entry(offer.name.clone()).or_default().push(offer);
        }
    }
}

/// A package of a plan.
pub struct Planned<'a> {
    /// The step that signs it.
    pub sign: StepId,
    /// The package.
    pub package: &'a Package,
    /// Its requirements and offers.
    pub relations: Relations,
}

impl Relations {
    /// The relations of a package that has not been built. `build` is the folder with the result of its compile step,
    /// if there is one. Files that are not known yet are left out.
    pub(super) fn of(package: &Package, workspace: &Workspace, build: Option<PathBuf>) -> Self {
        let mut offers = Offers::default();
        offers.extend(package.identities());
        offers.extend(package.provides.iter().cloned());
        // A debug package has only what was stripped from the files of another package.
        if !matches!(package.symbols, Symbols::DebugInfo { .. }) {
            offers.extend(of_files(package, workspace, build));
        }
        Self { requires: package.requires.clone(), offers }
    }

    fn of_rpm(path: &Path) -> Result<Self> {
        let rpm = Rpm::open(path).class(Class::Output)?;
        let mut offers = Offers::default();
        offers.extend(
            rpm.provides().into_iter().chain(rpm.paths().into_iter().map(Dependency::unversioned)),
        );
        Ok(Self { requires: rpm.requires(), offers })
    }
}

/// Paths, SONAMEs and other names that the files of a package offer.
fn of_files(package: &Package, workspace: &Workspace, build: Option<PathBuf>) -> Vec<Dependency> {
    let mut offers: Vec<_> =
        package.assets.iter().filter_map(program).map(Dependency::unversioned).collect();
    let roots = roots(workspace, package, build);
    // Errors are ignored here: the step that writes the package reports them.
    let inputs = Inputs::find(package, &roots);
    let root = inputs
        .map(|inputs| inputs.complete(package, &roots).unwrap_or_else(|_| inputs.unchecked()));
    let root = root.unwrap_or_default();
    let found = deps::discover(package, &root).unwrap_or_default();
    let found = found.into_iter().flat_map(|f| f.provides);
    offers.extend(found.filter(|_| package.auto_req));
    offers.extend(root.entries().iter().map(|e| Dependency::unversioned(&e.path)));
    // If an asset is wrong, at least the files of the staged root are known.
    if let Some(build) = &roots.build {
        let files = taken(build, std::slice::from_ref(package)).unwrap_or_default();
        let libraries = sonames(files.iter().map(|path| build.join(&path[1..])));
        let names = libraries.unwrap_or_default().into_iter();
        let names = names.filter(|_| package.auto_req).map(|name| format!("{name}()(64bit)"));
        offers.extend(names.chain(files).map(Dependency::unversioned));
    }
    offers
}

/// The path on the host of a program that is compiled from a crate.
fn program(asset: &el7rpm::spec::Asset) -> Option<String> {
    let Content::Files { pattern, base: Base::Build, .. } = &asset.content else { return None };
    let name = pattern.rsplit('/').next().unwrap_or(pattern);
    Some(if asset.dest.ends_with('/') {
        format!("{}{name}", asset.dest)
    } else {
        asset.dest.clone()
    })
}

impl Plan {
    /// The packages of the plan, in order, with the relations that are known now.
    ///
    /// # Errors
    /// [`Class::Output`] if a result cannot be read.
    pub fn packages(&self, workspace: &Workspace, cache: &Cache) -> Result<Vec<Planned<'_>>> {
        let mut all = Vec::new();
        for (id, step, sign) in self.signing() {
            let package = &sign.unsigned.work.package;
            let relations = match sign.newest(&step.key, cache)? {
                Some(PackageResult::Rpm(rpm)) => Relations::of_rpm(&rpm)?,
                Some(PackageResult::Nothing) => Relations::default(),
                None => Relations::of(package, workspace, sign.unsigned.work.build_folder(cache)),
            };
            all.push(Planned { sign: id, package, relations });
        }
        Ok(all)
    }
}
