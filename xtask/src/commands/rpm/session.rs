//! Makes the plan and carries it out.

use std::{
    collections::BTreeMap,
    fmt::Display,
    thread::available_parallelism,
    time::{Duration, Instant},
};

use el7rpm::spec::Spec;

use crate::cli::RpmArgs;
use base::{
    events::{Event, Outcome, Reporter},
    failure::{Class, Failure, Result, Trouble},
    process,
    step::State,
    workspace::Workspace,
};
use builders::{
    container::{self, Options},
    toolchain::Toolchain,
};
use pipeline::{
    cache::Cache,
    circumstances::Circumstances,
    durations::Durations,
    keys::Keys,
    plan::Plan,
    schedule::{self, Done, Ended, OnFailure, Task},
    steps::{BuilderChoice, Context, FetchedSources, Images, PerStep, Step, StepId, Threads, Work},
};
use sources::{Fetcher, Store};

/// Everything that the steps of a run share.
pub(super) struct Session<'a> {
    pub(super) args: &'a RpmArgs,
    pub(super) workspace: &'a Workspace,
    pub(super) reporter: &'a dyn Reporter,
    keys: &'a Keys,
    pub(super) toolchain: &'a Toolchain,
    pub(super) cache: Cache,
    store: Store,
    images: Images,
    fetched: FetchedSources,
    compile_options: Options,
    durations: Durations,
}

/// How steps ended in earlier stages of the run, by name.
type Earlier = BTreeMap<String, Ended>;

/// The state of the run before long compiles.
pub(super) struct Ready<'a> {
    pub(super) plan: &'a Plan,
    /// How each step ended; steps that did not run yet count as held back.
    pub(super) ended: PerStep<Ended>,
    /// Names of the descriptions that are still to be compiled.
    pub(super) rest: Vec<&'a str>,
    /// How long these compiles took last time.
    pub(super) last_time: Option<Duration>,
}

impl<'a> Session<'a> {
    /// The caller must have the checkout's lock.
    pub(super) fn open(
        args: &'a RpmArgs,
        workspace: &'a Workspace,
        reporter: &'a dyn Reporter,
        keys: &'a Keys,
        toolchain: &'a Toolchain,
    ) -> Result<Self> {
        let builder = &args.builder;
        // Programs of a killed run could still write into the folders of this run.
        container::sweep(workspace);
        process::record_programs_in(workspace);
        let choice = BuilderChoice { asked: builder.builder, network: builder.distcc.is_some() };
        Ok(Self {
            args,
            workspace,
            reporter,
            keys,
            toolchain,
            cache: Cache::open(workspace)?,
            store: Store::open(workspace)?,
            images: Images::new(choice),
            fetched: FetchedSources::default(),
            compile_options: Options {
                jobs: builder.compile_jobs,
                farm: builder.distcc.clone(),
                shell_on_failure: builder.shell_on_failure,
                own_ccache: builder.own_ccache,
            },
            durations: Durations::open(workspace, reporter),
        })
    }

    /// Makes the plan and carries it out. Before compiles that may take an hour, it calls `early` with the packages
    /// that are ready.
    pub(super) fn build(
        &self,
        specs: &[Spec],
        early: &mut dyn FnMut(Ready<'_>) -> Result<()>,
    ) -> Result<(Plan, PerStep<Ended>)> {
        let mut fetcher = Fetcher::new(&self.store, self.workspace, self.reporter);
        fetcher.offline = self.args.offline;
        fetcher.supplied = self.args.sources.supplied.iter().cloned().collect();
        let fingerprint = self.keys.signer.certificate().fingerprint();
        let circumstances = Circumstances {
            release: self.args.release,
            toolchain: self.toolchain,
            farm: self.args.builder.distcc.is_some(),
            mirrors: &self.args.builder.mirrors,
            ..Circumstances::plain(self.workspace, &self.args.packages, &fingerprint, &fetcher)?
        };
        let mut plan = Plan::of(specs, &circumstances)?;
        let mut earlier = Earlier::new();
        let first = plan.before_the_keys();
        if !first.is_empty() {
            self.carry_out(&plan, &first, &fetcher, &mut earlier)?;
            self.check_first_stage(&plan, &earlier)?;
            if earlier.values().any(|e| e.outcome == Outcome::Built) {
                plan = Plan::of(specs, &circumstances)?;
            }
        }
        self.report_notes(&plan.along);
        self.report_notes(&plan.unmet);
        if !self.rest(&plan, &earlier).is_empty() && !plan.ready().is_empty() {
            loop {
                self.carry_out(&plan, &plan.ready(), &fetcher, &mut earlier)?;
                let Some(larger) = self.larger(specs, &circumstances, &plan)? else { break };
                plan = larger;
            }
            let rest = self.rest(&plan, &earlier);
            early(self.ready(&plan, &earlier, &rest))?;
        }
        loop {
            let all: Vec<_> = plan.steps.ids().collect();
            let ended = self.carry_out(&plan, &all, &fetcher, &mut earlier)?;
            let Some(larger) = self.larger(specs, &circumstances, &plan)? else {
                self.report_notes(plan.unmet_since(specs, self.workspace)?);
                return Ok((plan, PerStep::new(ended)));
            };
            plan = larger;
        }
    }

    /// A plan with more packages, if files that were compiled meanwhile require them; `None` if they do not.
    fn larger(
        &self,
        specs: &[Spec],
        circumstances: &Circumstances<'_>,
        plan: &Plan,
    ) -> Result<Option<Plan>> {
        if self.args.packages.is_empty() {
            return Ok(None);
        }
        let larger = Plan::of(specs, circumstances)?;
        let new: Vec<_> = larger.along.iter().filter(|a| !plan.along.contains(a)).collect();
        if new.is_empty() {
            return Ok(None);
        }
        self.report_notes(new);
        Ok(Some(larger))
    }

    fn report_notes<T: Display>(&self, facts: impl IntoIterator<Item = T>) {
        for fact in facts {
            self.reporter.event(&Event::Note { message: &fact.to_string() });
        }
    }

    /// Checks the results of the steps before the keys.
    fn check_first_stage(&self, plan: &Plan, earlier: &Earlier) -> Result<()> {
        let ended = |step: &Step| earlier.get(&step.name);
        let refused = |step: &Step| ended(step).is_some_and(|e| e.reason.is_some());
        if !self.args.release && plan.library().is_some_and(refused) {
            let message =
                "Rust's library for musl cannot be added: programs are linked for glibc 2.17";
            self.reporter.event(&Event::Note { message });
        }
        let built = |step: &Step| ended(step).is_some_and(|e| e.outcome == Outcome::Built);
        let mut made = plan.steps.ids().filter(|i| built(&plan.steps[*i]));
        match made.find_map(|i| plan.image(i)) {
            Some(image) if self.args.release => Err(no_lock(image)),
            _ => Ok(()),
        }
    }

    /// The compiles that may take an hour and can begin. Empty if nothing is published before everything is built.
    fn rest<'p>(&self, plan: &'p Plan, earlier: &Earlier) -> Vec<&'p Step> {
        if self.publishes_all_or_nothing() {
            return Vec::new();
        }
        let is_out_of_reach = |step: &Step| {
            let refused = earlier.get(&step.name).is_some_and(|e| e.reason.is_some());
            let asks = step.state == State::ToDo && step.work.needs_network();
            refused || self.args.offline && asks
        };
        let can_begin = |step: &&Step| !step.needs.iter().any(|n| is_out_of_reach(&plan.steps[*n]));
        let rest: Vec<_> = plan.steps.iter().filter(|s| s.is_long()).filter(can_begin).collect();
        if rest.is_empty() || !self.images.has_builder(self.reporter) { Vec::new() } else { rest }
    }

    fn ready<'p>(&self, plan: &'p Plan, earlier: &Earlier, rest: &[&'p Step]) -> Ready<'p> {
        let still_to_come = || {
            Ended::without(Trouble::Unavailable(Failure::new(Class::Compile, "not compiled yet")))
        };
        let ended =
            plan.steps.iter().map(|s| earlier.get(&s.name).cloned().unwrap_or_else(still_to_come));
        let spec = |step: &&'p Step| match &step.work {
            Work::Container(work) => Some(work.spec.as_str()),
            _ => None,
        };
        Ready {
            plan,
            ended: PerStep::new(ended.collect()),
            rest: rest.iter().filter_map(spec).collect(),
            last_time: self.durations.of(rest.iter().map(|step| step.name.as_str())),
        }
    }

    fn publishes_all_or_nothing(&self) -> bool {
        self.args.release || self.args.check_reproducible
    }

    /// Carries out these steps, except those that ended in an earlier stage. All steps that they need must be among
    /// them.
    fn carry_out(
        &self,
        plan: &Plan,
        steps: &[StepId],
        fetcher: &Fetcher<'_>,
        earlier: &mut Earlier,
    ) -> Result<Vec<Ended>> {
        let cores = available_parallelism().map_or(1, usize::from);
        let jobs = self.args.jobs.map_or(cores, usize::from);
        let context = Context {
            workspace: self.workspace,
            cache: &self.cache,
            signer: self.keys.signer.as_ref(),
            reporter: self.reporter,
            offline: self.args.offline,
            toolchain: self.toolchain,
            threads: Threads::new(jobs as u32),
            fetcher,
            fetched: &self.fetched,
            images: &self.images,
            compile_options: &self.compile_options,
        };
        let place = |needs: &[StepId]| -> Vec<usize> {
            needs.iter().filter_map(|n| steps.iter().position(|s| s == n)).collect()
        };
        let task = |index: &StepId| {
            let context = &context;
            let step = &plan.steps[*index];
            Task {
                name: step.name.clone(),
                kind: step.work.kind(),
                state: step.state,
                earlier: earlier.get(&step.name).cloned(),
                needs: place(&step.needs),
                needs_any: step.needs_any.iter().map(|group| place(group)).collect(),
                resource: step.work.resource(),
                run: Box::new(move || self.with_duration(step, || context.run(step))),
            }
        };
        let tasks: Vec<_> = steps.iter().map(task).collect();
        let count = tasks.iter().filter(|task| task.earlier.is_none()).count();
        self.reporter.event(&Event::Started { steps: count });
        let on_failure = match self.publishes_all_or_nothing() {
            true => OnFailure::Stop,
            false => OnFailure::GoOn,
        };
        let ended = schedule::run(tasks, jobs, on_failure, self.reporter)?;
        let names = steps.iter().map(|index| plan.steps[*index].name.clone());
        earlier.extend(names.zip(ended.iter().cloned()));
        Ok(ended)
    }

    /// Runs a step, and notes how long it took if its kind is slow.
    fn with_duration(
        &self,
        step: &Step,
        run: impl FnOnce() -> Result<Done, Trouble>,
    ) -> Result<Done, Trouble> {
        let start = Instant::now();
        let done = run()?;
        if done == Done::Built && step.work.kind().is_slow() {
            self.durations.note(&step.name, start.elapsed(), self.reporter);
        }
        Ok(done)
    }
}

/// The failure for a release whose image had no root.lock: nobody has looked at its packages.
fn no_lock(image: &str) -> Failure {
    let message = format!("containers/{image}/root.lock was missing: nobody has seen what it pins");
    Failure::new(Class::Tool, message)
        .help("it has been written now: look at it, commit it, run again")
}
