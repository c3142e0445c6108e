//! Runs tasks, several at once, each after the tasks that it needs.
//!
//! If a task is unavailable on this machine, the tasks that need it are held back. If a task fails, the tasks that
//! need it fail as well, or the run stops once the running tasks have ended.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Condvar, Mutex, PoisonError},
    time::{Duration, Instant},
};

use base::{
    events::{Event, Outcome, Reporter},
    failure::{Class, Failure, Trouble},
    step::{Kind, State},
};

/// A step to run.
pub struct Task<'a> {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// Whether there is something to do; only then its start is reported.
    pub state: State,
    /// How it ended in an earlier stage of the run; it does not run again.
    pub earlier: Option<Ended>,
    /// Indices of the tasks whose results it needs.
    pub needs: Vec<usize>,
    /// Skip this task unless all tasks of at least one of these groups end well: an image is built only if some
    /// compile that wants it has its sources.
    pub needs_any: Vec<Vec<usize>>,
    /// The resource that it needs while it runs. Until the resource is free, workers take other tasks.
    pub resource: Option<Resource>,
    /// Does the work.
    pub run: Box<dyn FnOnce() -> Result<Done, Trouble> + Send + 'a>,
}

/// Something that one task at a time may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// All cores of the machine, and the memory that a compiler on each of them needs.
    AllCores,
}

/// How a task succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// Its result was there.
    Cached,
    /// Its result was missing, but no other step needs it.
    NotNeeded,
    /// It was carried out.
    Built,
}

impl From<Done> for Outcome {
    fn from(done: Done) -> Self {
        match done {
            Done::Cached => Self::Cached,
            Done::NotNeeded => Self::NotNeeded,
            Done::Built => Self::Built,
        }
    }
}

/// How a task ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// How it ended.
    pub outcome: Outcome,
    /// How long it took.
    pub time: Duration,
    /// Why it was held back, or failed.
    pub reason: Option<Failure>,
}

impl Ended {
    /// For a task that did not run, for this reason.
    pub fn without(trouble: Trouble) -> Self {
        let (outcome, reason) = match trouble {
            Trouble::Unavailable(reason) => (Outcome::HeldBack, reason),
            Trouble::Failed(failure) => (Outcome::Failed, failure),
        };
        Self { outcome, time: Duration::ZERO, reason: Some(reason) }
    }

    /// The reason why there is no result, for the tasks that need it.
    pub fn trouble(&self) -> Option<Trouble> {
        let reason = self.reason.clone()?;
        Some(match self.outcome {
            Outcome::Failed => Trouble::Failed(reason),
            _ => Trouble::Unavailable(reason),
        })
    }
}

/// What happens to the other tasks when one fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// No other task begins.
    Stop,
    /// Tasks that do not need it go on; tasks that need it fail as well.
    GoOn,
}

struct Progress<'a> {
    waiting: Vec<Option<Task<'a>>>,
    ended: Vec<Option<Ended>>,
    in_use: Vec<Resource>,
    failure: Option<Failure>,
}

/// Runs all tasks on `jobs` threads.
///
/// # Errors
/// The first failure, if that is to stop the run.
pub fn run(
    tasks: Vec<Task<'_>>,
    jobs: usize,
    on_failure: OnFailure,
    reporter: &dyn Reporter,
) -> Result<Vec<Ended>, Failure> {
    let count = tasks.len();
    let state = Mutex::new(Progress {
        waiting: tasks.into_iter().map(Some).collect(),
        ended: vec![None; count],
        in_use: Vec::new(),
        failure: None,
    });
    let changed = Condvar::new();
    std::thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, count.max(1)) {
            scope.spawn(|| work(&state, &changed, on_failure, reporter));
        }
    });
    let state = state.into_inner().unwrap_or_else(PoisonError::into_inner);
    match state.failure {
        Some(failure) => Err(failure),
        None => Ok(state.ended.into_iter().flatten().collect()),
    }
}

fn work(
    state: &Mutex<Progress<'_>>,
    changed: &Condvar,
    on_failure: OnFailure,
    reporter: &dyn Reporter,
) {
    let mut guard = state.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        if guard.failure.is_some() || guard.waiting.iter().all(Option::is_none) {
            return;
        }
        let Some((index, task)) = guard.next() else {
            guard = changed.wait(guard).unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        let ended = match guard.ended_without_work(&task) {
            Some(ended) => ended,
            None => {
                let resource = task.resource;
                guard.in_use.extend(resource);
                drop(guard);
                let ended = carry_out(task, reporter);
                guard = state.lock().unwrap_or_else(PoisonError::into_inner);
                guard.in_use.retain(|used| Some(*used) != resource);
                ended
            }
        };
        if (on_failure, ended.outcome) == (OnFailure::Stop, Outcome::Failed) {
            guard.failure = guard.failure.take().or_else(|| ended.reason.clone());
        }
        guard.ended[index] = Some(ended);
        changed.notify_all();
    }
}

impl<'a> Progress<'a> {
    /// Takes the first task whose needs have ended, and whose resource is free.
    fn next(&mut self) -> Option<(usize, Task<'a>)> {
        let can_begin = |task: &Task<'_>| {
            let mut needs = task.needs.iter().chain(task.needs_any.iter().flatten());
            needs.all(|need| self.ended[*need].is_some())
                && self.resource_of(task).is_none_or(|resource| !self.in_use.contains(&resource))
        };
        let index = self.waiting.iter().position(|t| t.as_ref().is_some_and(can_begin))?;
        Some((index, self.waiting[index].take()?))
    }

    /// The resource that the task needs, if there is something to do.
    fn resource_of(&self, task: &Task<'_>) -> Option<Resource> {
        let works = task.state == State::ToDo && self.ended_without_work(task).is_none();
        task.resource.filter(|_| works)
    }

    /// How the task ended, if it does not run: in an earlier stage, or because a task that it needs has no result.
    fn ended_without_work(&self, task: &Task<'_>) -> Option<Ended> {
        task.earlier.clone().or_else(|| self.trouble_before(task).map(Ended::without))
    }

    /// Why the task cannot begin.
    fn trouble_before(&self, task: &Task<'_>) -> Option<Trouble> {
        let trouble =
            |steps: &[usize]| steps.iter().find_map(|n| self.ended[*n].as_ref()?.trouble());
        let of_groups: Option<Vec<_>> = task.needs_any.iter().map(|group| trouble(group)).collect();
        trouble(&task.needs).or_else(|| of_groups?.into_iter().next())
    }
}

fn carry_out(task: Task<'_>, reporter: &dyn Reporter) -> Ended {
    if task.state == State::ToDo {
        reporter.event(&Event::StepStarted { step: &task.name, kind: task.kind });
    }
    let start = Instant::now();
    // A panic must end the run like any other failure; otherwise the other workers would wait for ever.
    let result = catch_unwind(AssertUnwindSafe(task.run)).unwrap_or_else(|_| {
        let message = "this is a fault in xtask; the lines above say where";
        Err(Failure::new(Class::Package, message).into())
    });
    let time = start.elapsed();
    let ended = match result {
        Ok(done) => Ended { outcome: done.into(), time, reason: None },
        Err(trouble) => Ended { time, ..Ended::without(trouble.in_step(&task.name, None)) },
    };
    reporter.event(&Event::StepFinished { step: &task.name, outcome: ended.outcome, time });
    ended
}

#[cfg(test)]
mod tests;
