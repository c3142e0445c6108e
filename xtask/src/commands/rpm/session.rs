//! From descriptions to results: the plan, and the steps that it takes.

use std::{collections::BTreeMap, thread::available_parallelism};

use el7rpm::spec::Spec;

use crate::{
    cache::Cache,
    cli::RpmArgs,
    container::{self, Options},
    events::{Event, Outcome, Reporter},
    failure::{Class, Failure, Result},
    keys::Keys,
    plan::{Circumstances, Plan},
    process,
    schedule::{self, Ended, OnFailure, Task, Trouble},
    sources::{Fetcher, Store},
    step::State,
    steps::{Budget, Context, Images},
    toolchain::Toolchain,
    workspace::Workspace,
};

/// All that steps share, for as long as the run lasts.
pub(super) struct Session<'a> {
    pub(super) args: &'a RpmArgs,
    pub(super) workspace: &'a Workspace,
    pub(super) reporter: &'a dyn Reporter,
    keys: &'a Keys,
    pub(super) toolchain: &'a Toolchain,
    pub(super) cache: Cache,
    store: Store,
    images: Images,
    compile_options: Options,
}

impl<'a> Session<'a> {
    /// The caller holds the lock.
    pub(super) fn open(
        args: &'a RpmArgs,
        workspace: &'a Workspace,
        reporter: &'a dyn Reporter,
        keys: &'a Keys,
        toolchain: &'a Toolchain,
    ) -> Result<Self> {
        let builder = &args.builder;
        // What a killed run left going would write into what is about to be made.
        container::sweep(workspace);
        process::note_in(workspace);
        Ok(Self {
            args,
            workspace,
            reporter,
            keys,
            toolchain,
            cache: Cache::open(workspace)?,
            store: Store::open(workspace)?,
            images: Images::new(builder.builder),
            compile_options: Options {
                jobs: builder.compile_jobs,
                farm: builder.distcc.clone(),
                shell_on_failure: builder.shell_on_failure,
                own_ccache: builder.own_ccache,
            },
        })
    }

    /// Plans, and carries out the plan.
    pub(super) fn build(&self, specs: &[Spec]) -> Result<(Plan, Vec<Ended>)> {
        let mut fetcher = Fetcher::new(&self.store, self.workspace, self.reporter);
        fetcher.offline = self.args.offline;
        fetcher.supplied = self.args.sources.supplied.iter().cloned().collect();
        let fingerprint = self.keys.signer.certificate().fingerprint();
        let circumstances = Circumstances {
            workspace: self.workspace,
            wanted: &self.args.packages,
            signing_key: &fingerprint,
            release: self.args.release,
            toolchain: self.toolchain,
            farm: self.args.builder.distcc.is_some(),
            image_args: &self.args.builder.image_args,
            fetcher: &fetcher,
        };
        let mut plan = Plan::of(specs, &circumstances)?;
        let first = plan.before_the_keys();
        let mut refused = BTreeMap::new();
        if !first.is_empty() {
            let ended = self.carry_out(&plan, &first, &fetcher, &refused)?;
            let trouble = |(index, ended): (&usize, &Ended)| {
                Some((plan.steps[*index].name.clone(), ended.trouble()?))
            };
            refused = first.iter().zip(&ended).filter_map(trouble).collect();
            if !self.args.release && plan.lacks_library(&refused) {
                let message =
                    "Rust's library for musl cannot be added: programs are linked for glibc 2.17";
                self.reporter.event(&Event::Note { message });
            }
            let built = |(index, ended): (&usize, &Ended)| {
                (ended.outcome == Outcome::Built).then(|| plan.image(*index)).flatten()
            };
            if let (true, Some(image)) =
                (self.args.release, first.iter().zip(&ended).find_map(built))
            {
                return Err(no_lock(image));
            }
            if ended.iter().any(|e| e.outcome == Outcome::Built) {
                plan = Plan::of(specs, &circumstances)?;
            }
        }
        let all: Vec<_> = (0..plan.steps.len()).collect();
        let ended = self.carry_out(&plan, &all, &fetcher, &refused)?;
        Ok((plan, ended))
    }

    /// Carries out these steps of the plan, which hold all that they need. `refused` says of steps
    /// that were tried before why they have no result.
    fn carry_out(
        &self,
        plan: &Plan,
        steps: &[usize],
        fetcher: &Fetcher<'_>,
        refused: &BTreeMap<String, Trouble>,
    ) -> Result<Vec<Ended>> {
        let cores = available_parallelism().map_or(1, usize::from);
        let jobs = self.args.jobs.map_or(cores, usize::from);
        let context = Context {
            workspace: self.workspace,
            cache: &self.cache,
            plan,
            signer: self.keys.signer.as_ref(),
            reporter: self.reporter,
            offline: self.args.offline,
            release: self.args.release,
            toolchain: self.toolchain,
            budget: Budget::new(jobs as u32),
            fetcher,
            images: &self.images,
            compile_options: &self.compile_options,
        };
        let place = |needs: &[usize]| -> Vec<usize> {
            needs.iter().filter_map(|n| steps.iter().position(|s| s == n)).collect()
        };
        let task = |index: &usize| {
            let (context, index) = (&context, *index);
            let step = &plan.steps[index];
            let trouble = refused.get(&step.name);
            Task {
                name: step.name.clone(),
                kind: step.work.kind(),
                state: trouble.map_or(step.state, |_| State::NotNeeded),
                needs: place(&step.needs),
                needs_any: step.needs_any.iter().map(|group| place(group)).collect(),
                run: Box::new(move || match trouble {
                    Some(trouble) => Err(trouble.clone()),
                    None => context.run(index),
                }),
            }
        };
        let tasks: Vec<_> = steps.iter().map(task).collect();
        self.reporter.event(&Event::Started { steps: tasks.len() });
        // These publish all or nothing.
        let on_failure = match self.args.release || self.args.check_reproducible {
            true => OnFailure::Stop,
            false => OnFailure::GoOn,
        };
        schedule::run(tasks, jobs, on_failure, self.reporter)
    }
}

/// A release is compiled with what somebody has looked at.
fn no_lock(image: &str) -> Failure {
    let message =
        format!("containers/{image}/image.lock was missing: nobody has seen what is in it");
    Failure::new(Class::Tool, message)
        .help("it has been written now: look at it, commit it, run again")
}
