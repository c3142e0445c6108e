//! Carries out one step of the plan. Each puts its result into the cache, under the step's key.

mod budget;
mod compile;
mod images;
mod package;

use std::path::PathBuf;

use el7rpm::openpgp::Signer;

pub(crate) use budget::Budget;
pub(crate) use images::Images;
pub(crate) use package::is_nothing;

use crate::{
    cache::Cache,
    container::Options,
    events::Reporter,
    failure::{Class, Failure, Result, Trouble},
    plan::{Plan, Work},
    rust,
    schedule::Done,
    site::Site,
    sources::Fetcher,
    step::State,
    toolchain::Toolchain,
    tools,
    workspace::Workspace,
};

/// What all steps share.
pub(crate) struct Context<'a> {
    pub(crate) workspace: &'a Workspace,
    pub(crate) cache: &'a Cache,
    pub(crate) plan: &'a Plan,
    pub(crate) signer: &'a dyn Signer,
    pub(crate) reporter: &'a dyn Reporter,
    pub(crate) offline: bool,
    /// Whether only the pinned compiler driver will do.
    pub(crate) release: bool,
    pub(crate) toolchain: &'a Toolchain,
    /// Threads that all packages in flight compress with.
    pub(crate) budget: Budget,
    pub(crate) fetcher: &'a Fetcher<'a>,
    pub(crate) images: &'a Images,
    pub(crate) compile_options: &'a Options,
}

impl Context<'_> {
    /// Carries out the step at `index`, unless its result is there.
    pub(crate) fn run(&self, index: usize) -> Result<Done, Trouble> {
        let step = &self.plan.steps[index];
        match step.state {
            State::Cached => return Ok(Done::Cached),
            State::NotNeeded => return Ok(Done::NotNeeded),
            State::ToDo => {}
        }
        let Self { workspace, offline, toolchain, reporter, .. } = *self;
        let site = Site { workspace, offline, toolchain, reporter };
        let done = match &step.work {
            Work::Tools => tools::install(&site, &step.name),
            Work::Library => rust::add_library(&site, &step.name),
            Work::Host(build) => self.compile_on_host(step, build, &site),
            Work::Fetch(source) => self.fetcher.fetch(source, &step.name).map(|_| ()),
            Work::Image(image) => self.images.get(image, &site, &step.name).map(|_| ()),
            Work::Container(work) => self.compile_in_container(step, work, &site),
            Work::Package(work) => self.package(step, work).map_err(Trouble::Failed),
            Work::Sign { of, file_name } => {
                self.sign(step, *of, file_name).map_err(Trouble::Failed)
            }
        };
        done.map_err(|trouble| trouble.in_step(&step.name, step.package.as_deref()))?;
        Ok(Done::Built)
    }

    /// The folder with the result of the step at `index`.
    fn result(&self, index: usize) -> Result<PathBuf> {
        let step = &self.plan.steps[index];
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
