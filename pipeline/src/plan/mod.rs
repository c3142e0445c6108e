//! The plan: every step, what it needs, the key of its result, and whether that is there already.
//!
//! It is complete before anything is done. `cargo xtask plan` prints it; `cargo xtask rpm` carries
//! it out.

mod along;
mod build;
mod id;
mod inputs;
mod relations;
mod render;

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

pub use along::{Along, wanted};
use el7rpm::{
    package::WriteOptions,
    signature::SignedRpm,
    spec::{ContainerBuild, Package, Source, Spec},
    stage::StagedRoot,
};
pub use id::{PerStep, StepId};
pub use inputs::roots;
pub use relations::Planned;
pub use render::{dot, text};

use crate::{circumstances::Circumstances, schedule::Resource};
use base::{
    failure::{Class, Failure, Result},
    key::{Identity, Key, Stamps},
    step::{Kind, State},
    why::{Input, Why},
};
use builders::{container::Image, host_builder::HostBuild, tools::Zig};

/// Everything that is to be done.
#[derive(Debug)]
pub struct Plan {
    /// The steps; those that a step needs come before it.
    pub steps: PerStep<Step>,
    /// Packages that nobody asked for, and that are made since others require them.
    pub along: Vec<Along>,
    /// Where the compiler driver is, if something is to be compiled.
    pub zig: Option<Zig>,
    /// What the compiler calls itself, if a crate is to be compiled.
    compiler: Option<String>,
}

/// One step.
#[derive(Debug)]
pub struct Step {
    /// Unique in the plan: kind and object.
    pub name: String,
    /// The RPM that it makes, if it makes one.
    pub package: Option<String>,
    /// Identity of its result.
    pub key: Key,
    /// The steps before it.
    pub needs: Vec<StepId>,
    /// Steps that would make its result better; where they cannot be done, it is made all the same.
    pub wishes: Vec<StepId>,
    /// Skip this step unless all steps of at least one of these groups succeed.
    pub needs_any: Vec<Vec<StepId>>,
    /// What it reads, relative to the checkout.
    pub inputs: Vec<String>,
    /// Whether it is to be carried out.
    pub state: State,
    /// If it is, which of its inputs are others than those of its last result.
    pub why: Option<Why>,
    /// All that its key was taken from, by name.
    pub made_of: Vec<Input>,
    /// What the files looked like that its key was taken from.
    pub stamps: Stamps,
    /// What to do; machines are told its kind.
    pub work: Work,
}

impl Step {
    fn new(name: String, identity: Identity, work: Work) -> Self {
        let Identity { key, inputs: made_of, stamps } = identity;
        Self {
            name,
            package: None,
            key,
            needs: Vec::new(),
            wishes: Vec::new(),
            needs_any: Vec::new(),
            inputs: Vec::new(),
            state: State::ToDo,
            why: None,
            made_of,
            stamps,
            work,
        }
    }

    /// Whether it may take an hour: a compile in a container that is to do.
    pub fn is_long(&self) -> bool {
        self.state == State::ToDo && matches!(self.work, Work::Container(_))
    }
}

/// What a step does.
#[derive(Debug)]
pub enum Work {
    /// Install the compiler driver.
    Tools,
    /// Add Rust's library for musl.
    Library,
    /// Compile a crate.
    Host(HostBuild),
    /// Get a source.
    Fetch(Source),
    /// Make a builder image.
    Image(Image),
    /// Compile sources in a container.
    Container(Box<ContainerWork>),
    /// Stage the files and write the RPM.
    Package(Box<PackageWork>),
    /// Sign it.
    Sign {
        /// The step that writes the RPM.
        of: StepId,
        /// The RPM's file name.
        file_name: String,
    },
}

/// What is compiled in a container.
#[derive(Debug)]
pub struct ContainerWork {
    /// Name of the description.
    pub spec: String,
    /// Version of its first package.
    pub version: String,
    /// Whether it is built from something else than its pinned sources.
    pub local: bool,
    /// In seconds since 1970.
    pub source_date: u32,
    /// What is compiled.
    pub sources: Vec<Wanted>,
    /// Other compiles that it looks into.
    pub needs: Vec<Need>,
    /// The image to compile in.
    pub image: Image,
    /// Its phases.
    pub build: ContainerBuild,
}

/// A source that a compile unpacks.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The source.
    pub source: Source,
    /// The step that fetches it.
    pub fetch: StepId,
}

/// Another compile whose sources and build tree are looked at.
#[derive(Debug)]
pub struct Need {
    /// Name of its description.
    pub name: String,
    /// Its step.
    pub step: StepId,
    /// What is compiled.
    pub sources: Vec<Wanted>,
}

/// What a package step works on.
#[derive(Debug)]
pub struct PackageWork {
    /// The package.
    pub package: Package,
    /// The compile step whose programs it packs.
    pub build: Option<StepId>,
    /// What is known of the staged root, if that step made one.
    pub staged: Option<Arc<Staged>>,
    /// How the RPM is written.
    pub options: WriteOptions,
    /// What the key was taken from of that which is there before anything is built.
    pub inputs: StagedRoot,
}

/// A staged root, and all packages that share it out among them.
#[derive(Clone, Debug)]
pub struct Shared {
    /// The compile step that made it.
    pub step: StepId,
    /// The packages that share it out.
    pub packages: Arc<Vec<Package>>,
}

/// A staged root and its circumstances.
#[derive(Debug)]
pub struct Staged {
    /// What none of its packages takes, on purpose.
    pub discard: Vec<String>,
    /// What is on the host together; it is the last of them itself.
    pub release: Vec<Shared>,
    /// What the target offers beside, or instead of, what CentOS 7 does.
    pub abi: Option<PathBuf>,
}

impl Work {
    /// Of what kind the step is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Tools => Kind::Tools,
            Self::Library => Kind::Library,
            Self::Host(_) | Self::Container(_) => Kind::Compile,
            Self::Fetch(_) => Kind::Fetch,
            Self::Image(_) => Kind::Image,
            Self::Package(_) => Kind::Package,
            Self::Sign { .. } => Kind::Sign,
        }
    }

    /// What no other step may use while this one is carried out.
    pub fn resource(&self) -> Option<Resource> {
        match self {
            Self::Container(_) => Some(Resource::AllCores),
            Self::Tools
            | Self::Library
            | Self::Host(_)
            | Self::Fetch(_)
            | Self::Image(_)
            | Self::Package(_)
            | Self::Sign { .. } => None,
        }
    }
}

impl Plan {
    /// Resolves the descriptions into steps. What has been compiled already tells more of what packages
    /// require, so after a run the plan of a few may have more in it than before.
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
                return Ok(plan);
            }
            along.extend(more);
        }
    }

    /// The steps whose results belong to the keys of others: Rust's library for musl, and images whose
    /// packages nobody has written down yet, with what is asked for before them.
    pub fn before_the_keys(&self) -> Vec<StepId> {
        let open = |step: &Step| match &step.work {
            Work::Library => true,
            Work::Image(image) => image.lock().is_none(),
            _ => false,
        };
        let mut steps: BTreeSet<StepId> = BTreeSet::new();
        for (index, step) in
            self.steps.with_ids().filter(|(_, s)| s.state == State::ToDo && open(s))
        {
            steps.extend(step.needs_any.iter().flatten());
            steps.insert(index);
        }
        steps.into_iter().collect()
    }

    /// The step that adds Rust's library.
    pub fn library(&self) -> Option<&Step> {
        self.steps.iter().find(|step| matches!(step.work, Work::Library))
    }

    /// The steps that make the packages for which nothing has to be done that takes long, in order of the plan.
    pub fn ready(&self) -> Vec<StepId> {
        let (mut behind, mut steps) = (BTreeSet::new(), BTreeSet::new());
        for (index, step) in self.steps.with_ids() {
            let waits = || step.needs.iter().any(|n| behind.contains(n));
            if step.is_long() || step.state == State::ToDo && waits() {
                behind.insert(index);
            } else if matches!(step.work, Work::Sign { .. }) {
                steps.insert(index);
            }
        }
        for (index, step) in self.steps.with_ids().rev() {
            if steps.contains(&index) && step.state == State::ToDo {
                steps.extend(&step.needs);
            }
        }
        steps.into_iter().collect()
    }

    /// What has compiled the programs in these packages, if any of them holds one that was compiled on the host.
    pub fn compiler_of(&self, signed: &[(Key, SignedRpm)]) -> Option<&str> {
        let is_signed = |i: StepId| {
            let step = &self.steps[i];
            matches!(step.work, Work::Sign { .. }) && signed.iter().any(|(key, _)| *key == step.key)
        };
        let is_compile = |i: &StepId| matches!(self.steps[*i].work, Work::Host(_));
        let compiler = self.compiler.as_deref()?;
        self.needed_by(is_signed).iter().any(is_compile).then_some(compiler)
    }

    /// The name of the image that a step makes.
    pub fn image(&self, step: StepId) -> Option<&str> {
        match &self.steps[step].work {
            Work::Image(image) => Some(&image.name),
            _ => None,
        }
    }

    /// All steps behind those for which `own` holds, and these themselves.
    pub fn needed_by(&self, own: impl Fn(StepId) -> bool) -> BTreeSet<StepId> {
        let mut steps = BTreeSet::new();
        for (index, step) in self.steps.with_ids().rev() {
            if own(index) || steps.contains(&index) {
                steps.insert(index);
                steps.extend(&step.needs);
            }
        }
        steps
    }

    /// What is not there, but is asked for by nothing that is still to do, stays undone.
    fn mark_needless(&mut self) {
        let mut asked: BTreeSet<StepId> = BTreeSet::new();
        for index in self.steps.ids().rev() {
            let step = &mut self.steps[index];
            let is_result = matches!(step.work, Work::Sign { .. });
            if step.state == State::ToDo && !is_result && !asked.contains(&index) {
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
