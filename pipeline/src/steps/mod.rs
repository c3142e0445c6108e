//! Carries out one step of the plan. Each puts its result into the cache, under the step's key.

mod budget;
mod compile;
mod fetched;
mod images;
mod package;

use std::path::PathBuf;

use el7rpm::{openpgp::Signer, spec::Source};

pub use budget::Budget;
pub use fetched::FetchedSources;
pub use images::Images;
pub use package::is_nothing;

use crate::{
    cache::Cache,
    last::LastInputs,
    plan::{Plan, Step, StepId, Work},
    schedule::Done,
};
use base::{
    events::Reporter,
    failure::{Class, Failure, Result, Trouble},
    step::State,
    workspace::Workspace,
};
use builders::{container::Options, rust, site::Site, toolchain::Toolchain, tools};
use sources::{Fetched, Fetcher};

/// What all steps share.
pub struct Context<'a> {
    /// The checkout.
    pub workspace: &'a Workspace,
    /// Results of steps.
    pub cache: &'a Cache,
    /// The plan that is carried out.
    pub plan: &'a Plan,
    /// Signs packages.
    pub signer: &'a dyn Signer,
    /// Who is told what happens.
    pub reporter: &'a dyn Reporter,
    /// Whether no network may be used.
    pub offline: bool,
    /// Whether only the pinned compiler driver will do.
    pub release: bool,
    /// What crates are compiled with.
    pub toolchain: &'a Toolchain,
    /// Threads that all packages in flight compress with.
    pub budget: Budget,
    /// Gets sources.
    pub fetcher: &'a Fetcher<'a>,
    /// Those that the run has got.
    pub fetched: &'a FetchedSources,
    /// The engine and the images, as far as they are known.
    pub images: &'a Images,
    /// How to compile in containers.
    pub compile_options: &'a Options,
}

impl Context<'_> {
    /// Carries out this step, unless its result is there.
    pub fn run(&self, id: StepId) -> Result<Done, Trouble> {
        let step = &self.plan.steps[id];
        let done = match step.state {
            State::Cached => Done::Cached,
            State::NotNeeded => return Ok(Done::NotNeeded),
            State::ToDo => {
                let done = self.carry_out(step);
                done.map_err(|trouble| trouble.in_step(&step.name, step.package.as_deref()))?;
                Done::Built
            }
        };
        let last = LastInputs::of(self.workspace);
        last.note(step.work.kind(), &step.name, &step.made_of, self.reporter);
        Ok(done)
    }

    fn carry_out(&self, step: &Step) -> Result<(), Trouble> {
        let Self { workspace, offline, toolchain, reporter, .. } = *self;
        let site = Site { workspace, offline, toolchain, reporter };
        match &step.work {
            Work::Tools => tools::install(&site, &step.name),
            Work::Library => rust::add_library(&site, &step.name),
            Work::Host(build) => self.compile_on_host(step, build, &site),
            Work::Fetch(source) => self.fetch(step, source).map(|_| ()),
            Work::Image(image) => self.images.get(image, &site, &step.name).map(|_| ()),
            Work::Container(work) => self.compile_in_container(step, work, &site),
            Work::Package(work) => self.package(step, work).map_err(Trouble::Failed),
            Work::Sign { of, file_name } => {
                self.sign(step, *of, file_name).map_err(Trouble::Failed)
            }
        }
    }

    /// A source, from the step that fetches it.
    fn fetch(&self, step: &Step, source: &Source) -> Result<Fetched, Trouble> {
        self.fetched.get(&step.key, || self.fetcher.fetch(source, &step.name))
    }

    /// The folder with the result of this step.
    fn result(&self, id: StepId) -> Result<PathBuf> {
        let step = &self.plan.steps[id];
        self.cache.get(step.work.kind(), &step.key).ok_or_else(|| {
            Failure::new(
                Class::Output,
                format!(
                    "the result of `{}` is gone from {}",
                    step.name,
                    self.workspace.cache().display()
                ),
            )
            .help("something else removes files there; run again")
        })
    }
}
