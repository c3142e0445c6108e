//! The plan: all steps, the steps that each one needs, the keys of their results, and whether the results are cached.
//!
//! The plan is complete before anything is done. `cargo xtask plan` prints it; `cargo xtask rpm` carries it out.

mod along;
mod build;
mod relations;
mod render;

use std::collections::{BTreeMap, BTreeSet};

use el7rpm::{signature::SignedRpm, spec::Spec};

pub use along::{Along, Unmet, wanted};
pub use relations::{Offers, Planned};
pub use render::{dot, text};

use crate::{
    cache::Cache,
    circumstances::Circumstances,
    steps::{PerStep, SignPackage, Step, StepId, Work},
};
use base::{
    failure::{Class, Failure, Result},
    key::Key,
    step::State,
    workspace::Workspace,
};

/// All steps of a run.
#[derive(Debug)]
pub struct Plan {
    /// The steps; those that a step needs come before it.
    pub steps: PerStep<Step>,
    /// Packages that were not named, but are built since a named package requires them.
    pub along: Vec<Along>,
    /// Requirements on versions that this checkout does not build, as far as they are known now.
    pub unmet: Vec<Unmet>,
    /// The compiler's version line, if a crate is to be compiled.
    compiler: Option<String>,
}

impl Plan {
    /// Makes the plan. The requirements of compiled files are known once they are compiled, so after a run the plan
    /// for some packages may include more packages than before.
    pub fn of(specs: &[Spec], circumstances: &Circumstances<'_>) -> Result<Self> {
        check_names(specs, circumstances.wanted)?;
        let mut along = along::described(specs, circumstances.wanted, circumstances.workspace);
        loop {
            let more = along.iter().map(|a: &Along| &a.package);
            let wanted: BTreeSet<_> = circumstances.wanted.iter().chain(more).cloned().collect();
            let mut plan = build::Builder::new(circumstances).all(specs, &wanted)?;
            let more = match wanted.is_empty() {
                true => Vec::new(),
                false => along::found(specs, &plan, circumstances.workspace)?,
            };
            if more.is_empty() {
                plan.along = along;
                plan.unmet = along::unmet(specs, &plan, circumstances.workspace)?;
                return Ok(plan);
            }
            along.extend(more);
        }
    }

    /// Requirements of compiled files on versions that this checkout does not build: they became known after the plan
    /// was made.
    ///
    /// # Errors
    /// As [`Plan::packages`].
    pub fn unmet_since(&self, specs: &[Spec], workspace: &Workspace) -> Result<Vec<Unmet>> {
        let mut unmet = along::unmet(specs, self, workspace)?;
        unmet.retain(|u| !self.unmet.contains(u));
        Ok(unmet)
    }

    /// The steps whose results change the keys of other steps: Rust's library for musl, and images without
    /// root.lock. The fetches that an image waits for are included.
    pub fn before_the_keys(&self) -> Vec<StepId> {
        let mut steps: BTreeSet<StepId> = BTreeSet::new();
        for (id, step) in self.steps.with_ids() {
            if step.state == State::ToDo && step.work.changes_keys() {
                steps.extend(step.needs_any.iter().flatten());
                steps.insert(id);
            }
        }
        steps.into_iter().collect()
    }

    /// The step that adds Rust's library.
    pub fn library(&self) -> Option<&Step> {
        self.steps.iter().find(|step| matches!(step.work, Work::Library(_)))
    }

    /// The steps that sign packages, in order of the plan.
    pub fn signing(&self) -> impl Iterator<Item = (StepId, &Step, &SignPackage)> {
        self.steps.with_ids().filter_map(|(id, step)| match &step.work {
            Work::Sign(work) => Some((id, step, work.as_ref())),
            _ => None,
        })
    }

    /// The steps of the packages that need no long compile, in order of the plan.
    pub fn ready(&self) -> Vec<StepId> {
        let (mut behind, mut steps) = (BTreeSet::new(), BTreeSet::new());
        for (id, step) in self.steps.with_ids() {
            let waits = || step.needs.iter().any(|need| behind.contains(need));
            if step.is_long() || step.state == State::ToDo && waits() {
                behind.insert(id);
            } else if step.work.is_asked_for() {
                steps.insert(id);
            }
        }
        for (id, step) in self.steps.with_ids().rev() {
            if steps.contains(&id) && step.state == State::ToDo {
                steps.extend(&step.needs);
            }
        }
        steps.into_iter().collect()
    }

    /// The version line of the compiler, if one of these packages contains a program that was compiled from a crate.
    pub fn compiler_of(&self, signed: &[(Key, SignedRpm)]) -> Option<&str> {
        let is_signed = |id: StepId| signed.iter().any(|(key, _)| *key == self.steps[id].key);
        let is_compile = |id: &StepId| matches!(self.steps[*id].work, Work::Crate(_));
        let compiler = self.compiler.as_deref()?;
        self.needed_by(is_signed).iter().any(is_compile).then_some(compiler)
    }

    /// The roots in which files of these packages were compiled: the digest of each root's tree, by the name of its image.
    /// A root that was not there when it was asked for is left out.
    pub fn roots_of(&self, signed: &[(Key, SignedRpm)], cache: &Cache) -> BTreeMap<String, String> {
        let is_signed = |id: StepId| signed.iter().any(|(key, _)| *key == self.steps[id].key);
        let needed = self.needed_by(is_signed);
        needed
            .into_iter()
            .filter_map(|id| self.steps[id].work.root(&self.steps[id].key, cache))
            .collect()
    }

    /// The name of the image that a step makes.
    pub fn image(&self, step: StepId) -> Option<&str> {
        match &self.steps[step].work {
            Work::Image(work) => Some(&work.image.name),
            _ => None,
        }
    }

    /// The steps for which `is_wanted` holds, and all that they need.
    pub fn needed_by(&self, is_wanted: impl Fn(StepId) -> bool) -> BTreeSet<StepId> {
        let mut steps = BTreeSet::new();
        for (index, step) in self.steps.with_ids().rev() {
            if is_wanted(index) || steps.contains(&index) {
                steps.insert(index);
                steps.extend(&step.needs);
            }
        }
        steps
    }

    /// Marks steps as not needed: their results are missing, but no step that is to do needs them.
    fn mark_needless(&mut self) {
        let mut asked: BTreeSet<StepId> = BTreeSet::new();
        for index in self.steps.ids().rev() {
            let step = &mut self.steps[index];
            let is_asked_for = step.work.is_asked_for() || asked.contains(&index);
            if step.state == State::ToDo && !is_asked_for {
                step.state = State::NotNeeded;
            }
            if step.state == State::ToDo {
                asked.extend(step.needs.iter().chain(&step.wishes));
            }
        }
    }
}

fn check_names(specs: &[Spec], wanted: &[String]) -> Result<()> {
    let mut known: Vec<(&str, &Spec)> = Vec::new();
    for (name, spec) in
        specs.iter().flat_map(|s| s.packages.iter().map(move |p| (p.name.as_str(), s)))
    {
        if let Some((_, other)) = known.iter().find(|(n, _)| *n == name) {
            let (a, b) = (other.path.display(), spec.path.display());
            return Err(Failure::new(
                Class::Spec,
                format!("the package {name} is described twice: in {a} and in {b}"),
            ));
        }
        known.push((name, spec));
    }
    match wanted.iter().find(|w| !known.iter().any(|(n, _)| n == w)) {
        Some(unknown) => {
            let names: Vec<_> = known.iter().map(|(n, _)| *n).collect();
            Err(Failure::new(Class::Usage, format!("there is no package `{unknown}`"))
                .help(format!("packages are: {}", names.join(", "))))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod key_tests;
#[cfg(test)]
mod tests;
