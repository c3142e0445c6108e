//! Runs steps as soon as what they need is there, several at once.
//!
//! A step that cannot be carried out on this machine holds back those that need it. A step that
//! fails does the same to them, or stops the run once the steps under way have ended.

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
    /// What it is called.
    pub name: String,
    /// Of what kind it is.
    pub kind: Kind,
    /// Whether there is something to be done, which is worth announcing.
    pub state: State,
    /// How it ended in a former stage of the run; it is not begun again.
    pub earlier: Option<Ended>,
    /// Indices of the tasks whose results it needs.
    pub needs: Vec<usize>,
    /// Skip this task unless all tasks of at least one of these groups end well: an image is built only if some
    /// compile that wants it has its sources.
    pub needs_any: Vec<Vec<usize>>,
    /// Does it.
    pub run: Box<dyn FnOnce() -> Result<Done, Trouble> + Send + 'a>,
}

/// A step ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// Its result was there.
    Cached,
    /// It was not, but nothing asks for it.
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
    /// Without any work, for this reason.
    pub fn without(trouble: Trouble) -> Self {
        let (outcome, reason) = match trouble {
            Trouble::Unavailable(reason) => (Outcome::HeldBack, reason),
            Trouble::Failed(failure) => (Outcome::Failed, failure),
        };
        Self { outcome, time: Duration::ZERO, reason: Some(reason) }
    }

    /// Why there is no result, for what needs it.
    pub fn trouble(&self) -> Option<Trouble> {
        let reason = self.reason.clone()?;
        Some(match self.outcome {
            Outcome::Failed => Trouble::Failed(reason),
            _ => Trouble::Unavailable(reason),
        })
    }
}

/// What becomes of the other steps when one fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// None is begun any more.
    Stop,
    /// Those that do not need it go on; the others have failed with it.
    GoOn,
}

struct Progress<'a> {
    waiting: Vec<Option<Task<'a>>>,
    ended: Vec<Option<Ended>>,
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
        let Some((index, mut task)) = guard.next() else {
            guard = changed.wait(guard).unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        let trouble = guard.trouble_before(&task);
        drop(guard);
        let ended = task.earlier.take().or_else(|| trouble.map(Ended::without));
        let ended = ended.unwrap_or_else(|| carry_out(task, reporter));
        guard = state.lock().unwrap_or_else(PoisonError::into_inner);
        if (on_failure, ended.outcome) == (OnFailure::Stop, Outcome::Failed) {
            guard.failure = guard.failure.take().or_else(|| ended.reason.clone());
        }
        guard.ended[index] = Some(ended);
        changed.notify_all();
    }
}

impl<'a> Progress<'a> {
    /// Takes the first task whose needs are there.
    fn next(&mut self) -> Option<(usize, Task<'a>)> {
        let ready = |t: &Option<Task<'_>>| {
            t.as_ref().is_some_and(|t| {
                t.needs.iter().chain(t.needs_any.iter().flatten()).all(|n| self.ended[*n].is_some())
            })
        };
        let index = self.waiting.iter().position(ready)?;
        Some((index, self.waiting[index].take()?))
    }

    /// Why the task cannot be begun.
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
    // A fault of our own must end the run like any other failure, not leave the others waiting.
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
mod tests {
    use super::*;

    struct Silent;
    impl Reporter for Silent {
        fn event(&self, _: &Event<'_>) {}
    }

    fn task<'a>(
        needs: &[usize],
        run: impl FnOnce() -> Result<Done, Trouble> + Send + 'a,
    ) -> Task<'a> {
        let (needs, needs_any) = (needs.to_vec(), Vec::new());
        let (name, kind, state) = ("t".into(), Kind::Compile, State::ToDo);
        Task { name, kind, state, earlier: None, needs, needs_any, run: Box::new(run) }
    }

    fn fail() -> Result<Done, Trouble> {
        Err(Trouble::Failed(Failure::new(Class::Compile, "no")))
    }

    #[test]
    fn needs_come_first() {
        let order = Mutex::new(Vec::new());
        let log = |i| {
            let order = &order;
            move || {
                order.lock().unwrap().push(i);
                Ok(Done::Built)
            }
        };
        let tasks = vec![task(&[2], log(0)), task(&[0], log(1)), task(&[], log(2))];
        assert_eq!(run(tasks, 4, OnFailure::Stop, &Silent).unwrap().len(), 3);
        assert_eq!(*order.lock().unwrap(), [2, 0, 1]);
    }

    #[test]
    fn what_is_unavailable_holds_back_all_that_needs_it() {
        let unavailable = || Err(Trouble::Unavailable(Failure::new(Class::Tool, "no zig")));
        let tasks = vec![
            task(&[], unavailable),
            task(&[0], || unreachable!()),
            task(&[1], || unreachable!()),
            task(&[], || Ok(Done::Cached)),
        ];
        let ended = run(tasks, 2, OnFailure::Stop, &Silent).unwrap();
        assert_eq!(ended[2].reason.as_ref().unwrap().message, "no zig");
        assert_eq!(ended[3].outcome, Outcome::Cached);
    }

    #[test]
    fn what_serves_several_is_held_back_with_the_last_of_them() {
        let unavailable = || Err(Trouble::Unavailable(Failure::new(Class::Source, "no host")));
        let serves = |groups: &[&[usize]], there: bool| {
            let needs_any = groups.iter().map(|g| g.to_vec()).collect();
            let run = move || {
                assert!(there);
                Ok(Done::Built)
            };
            Task { needs_any, ..task(&[], run) }
        };
        let tasks = vec![
            task(&[], unavailable),
            task(&[], || Ok(Done::Built)),
            serves(&[&[0, 1], &[1]], true),
            serves(&[&[0, 1], &[0]], false),
            serves(&[&[]], true),
        ];
        let ended = run(tasks, 2, OnFailure::Stop, &Silent).unwrap();
        let outcomes: Vec<_> = ended.iter().skip(2).map(|e| e.outcome).collect();
        assert_eq!(outcomes, [Outcome::Built, Outcome::HeldBack, Outcome::Built]);
    }

    #[test]
    fn what_has_ended_earlier_is_not_begun_again() {
        let earlier = |trouble: Option<Trouble>| {
            let built =
                Ended { outcome: Outcome::Built, time: Duration::from_secs(9), reason: None };
            Task {
                earlier: Some(trouble.map_or(built, Ended::without)),
                ..task(&[], || unreachable!())
            }
        };
        let failed = Trouble::Failed(Failure::new(Class::Compile, "no"));
        let tasks = vec![
            earlier(None),
            earlier(Some(failed)),
            task(&[0], || Ok(Done::Cached)),
            task(&[1], || unreachable!()),
        ];
        let ended = run(tasks, 2, OnFailure::GoOn, &Silent).unwrap();
        let outcomes: Vec<_> = ended.iter().map(|e| e.outcome).collect();
        use Outcome::{Built, Cached, Failed};
        assert_eq!(outcomes, [Built, Failed, Cached, Failed]);
        assert_eq!(ended[0].time, Duration::from_secs(9));
    }

    #[test]
    fn a_failure_stops_the_run() {
        let tasks =
            vec![task(&[], fail), task(&[0], || unreachable!()), task(&[], || unreachable!())];
        let failure = run(tasks, 1, OnFailure::Stop, &Silent).unwrap_err();
        assert_eq!((failure.message.as_str(), failure.step.as_deref()), ("no", Some("t")));
    }

    #[test]
    fn what_does_not_need_the_failed_step_goes_on() {
        let unavailable = || Err(Trouble::Unavailable(Failure::new(Class::Tool, "no engine")));
        let any = |groups: &[&[usize]]| {
            let needs_any = groups.iter().map(|g| g.to_vec()).collect();
            Task { needs_any, ..task(&[], || Ok(Done::Built)) }
        };
        let tasks = vec![
            task(&[], fail),
            task(&[0], || unreachable!()),
            task(&[1], || unreachable!()),
            task(&[], || Ok(Done::Built)),
            task(&[3], || Ok(Done::Cached)),
            task(&[], unavailable),
            any(&[&[1], &[3]]),
            any(&[&[1, 3], &[0]]),
            task(&[5], || unreachable!()),
            task(&[], || panic!("a fault")),
            task(&[9], || unreachable!()),
        ];
        let ended = run(tasks, 3, OnFailure::GoOn, &Silent).unwrap();
        let outcomes: Vec<_> = ended.iter().map(|e| e.outcome).collect();
        use Outcome::{Built, Cached, Failed, HeldBack};
        assert_eq!(
            outcomes,
            [
                Failed, Failed, Failed, Built, Cached, HeldBack, Built, Failed, HeldBack, Failed,
                Failed
            ]
        );
        let reason = ended[2].reason.as_ref().unwrap();
        assert_eq!((reason.message.as_str(), reason.class), ("no", Class::Compile));
    }
}
