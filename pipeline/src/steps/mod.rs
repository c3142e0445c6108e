//! The kinds of steps. Each has a file with its key, its work and its result.
//!
//! Each file has a struct with the data that the step works on. `draft` makes the step with its key, and `run`
//! carries it out. Methods of [`Prerequisite`] return its result to the steps that need it: from the cache, by the
//! step's key, or from [`Context`], which has the sources and images of the run.

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
pub use image::{BuildImage, BuilderChoice, Images};
pub use library::AddLibrary;
pub(crate) use package::roots;
pub use package::{PackageResult, WritePackage};
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

/// Everything that the steps of a run share.
pub struct Context<'a> {
    /// The checkout.
    pub workspace: &'a Workspace,
    /// Results of steps.
    pub cache: &'a Cache,
    /// Signs packages.
    pub signer: &'a dyn Signer,
    /// Gets the events.
    pub reporter: &'a dyn Reporter,
    /// Whether no network may be used.
    pub offline: bool,
    /// The Rust that crates are compiled with.
    pub toolchain: &'a Toolchain,
    /// The threads that packages are compressed with.
    pub threads: Threads,
    /// Fetches sources.
    pub fetcher: &'a Fetcher<'a>,
    /// The sources that the run has fetched.
    pub fetched: &'a FetchedSources,
    /// The engine and the images that the run has found.
    pub images: &'a Images,
    /// Options for compiles in containers.
    pub compile_options: &'a Options,
}

impl<'a> Context<'a> {
    /// Carries out this step, unless its result is there or it is not needed.
    ///
    /// # Errors
    /// The failure, with the name of the step.
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

    /// The failure for a missing result of the step with this name.
    fn gone(&self, step: &str) -> Failure {
        let cache = self.workspace.cache();
        let message = format!("the result of `{step}` is gone from {}", cache.display());
        Failure::new(Class::Output, message).help("something else removes files there; run again")
    }
}

#[cfg(test)]
mod tests;
