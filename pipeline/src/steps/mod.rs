//! The kinds of steps, one file each: what goes into its key, what it does, and what it hands on.
//!
//! Each file has a struct with what a step of its kind works on. `draft` makes the step with its key, `run` carries it
//! out, and the methods of [`Prerequisite`] are its results, for the steps that take them. Results in the cache are found by
//! the step's key; what else a run has got, by [`Context`].

mod compiled;
mod container;
mod fetch;
mod gates;
mod host;
mod id;
mod image;
mod library;
mod package;
mod sign;
mod step;
mod threads;
mod tools;
mod work;

use el7rpm::openpgp::Signer;

pub(crate) use compiled::{Compiled, Shared, Staged};
pub use container::CompileInContainer;
pub use fetch::{Fetch, FetchedSources};
pub use host::CompileCrate;
pub use id::{PerStep, StepId};
pub use image::{BuildImage, Images};
pub use library::AddLibrary;
pub(crate) use package::roots;
pub use package::{Made, WritePackage};
pub use sign::SignPackage;
pub(crate) use step::Draft;
pub use step::{Prerequisite, Step};
pub use threads::Threads;
pub use tools::InstallTools;
pub use work::Work;

use crate::{cache::Cache, last::LastInputs, schedule::Done};
use base::{
    events::Reporter,
    failure::{Class, Failure, Result, Trouble},
    step::State,
    workspace::Workspace,
};
use builders::{container::Options, site::Site, toolchain::Toolchain};
use sources::Fetcher;

/// What all steps share.
pub struct Context<'a> {
    /// The checkout.
    pub workspace: &'a Workspace,
    /// Results of steps.
    pub cache: &'a Cache,
    /// Signs packages.
    pub signer: &'a dyn Signer,
    /// Who is told what happens.
    pub reporter: &'a dyn Reporter,
    /// Whether no network may be used.
    pub offline: bool,
    /// What crates are compiled with.
    pub toolchain: &'a Toolchain,
    /// Threads that all packages in flight compress with.
    pub threads: Threads,
    /// Gets sources.
    pub fetcher: &'a Fetcher<'a>,
    /// Those that the run has got.
    pub fetched: &'a FetchedSources,
    /// The engine and the images, as far as they are known.
    pub images: &'a Images,
    /// How to compile in containers.
    pub compile_options: &'a Options,
}

impl<'a> Context<'a> {
    /// Carries out this step, unless its result is there or nothing asks for it.
    ///
    /// # Errors
    /// What went wrong, with the name of the step.
    pub fn run(&self, step: &Step) -> Result<Done, Trouble> {
        let done = match step.state {
            State::Cached => Done::Cached,
            State::NotNeeded => return Ok(Done::NotNeeded),
            State::ToDo => {
                let done = step.work.run(step, self);
                done.map_err(|trouble| trouble.in_step(&step.name, step.package.as_deref()))?;
                Done::Built
            }
        };
        let last = LastInputs::of(self.workspace);
        last.note(step.work.kind(), &step.name, &step.made_of, self.reporter);
        Ok(done)
    }

    fn site(&self) -> Site<'a> {
        let Self { workspace, offline, toolchain, reporter, .. } = *self;
        Site { workspace, offline, toolchain, reporter }
    }

    /// For a step whose result another one takes, and which is not there.
    fn gone(&self, step: &str) -> Failure {
        let cache = self.workspace.cache();
        let message = format!("the result of `{step}` is gone from {}", cache.display());
        Failure::new(Class::Output, message).help("something else removes files there; run again")
    }
}

#[cfg(test)]
mod tests;
