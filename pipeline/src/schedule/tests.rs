use std::sync::mpsc;

use super::*;
use crate::fixture::{Recorder, SILENT};

/// Long enough for any machine; only a test that fails waits for so long.
const PATIENCE: Duration = Duration::from_secs(20);

fn task<'a>(needs: &[usize], run: impl FnOnce() -> Result<Done, Trouble> + Send + 'a) -> Task<'a> {
    Task {
        name: "t".into(),
        kind: Kind::Compile,
        state: State::ToDo,
        earlier: None,
        needs: needs.to_vec(),
        needs_any: Vec::new(),
        resource: None,
        run: Box::new(run),
    }
}

fn any_of<'a>(
    groups: &[&[usize]],
    run: impl FnOnce() -> Result<Done, Trouble> + Send + 'a,
) -> Task<'a> {
    Task { needs_any: groups.iter().map(|group| group.to_vec()).collect(), ..task(&[], run) }
}

fn on_all_cores<'a>(task: Task<'a>) -> Task<'a> {
    Task { resource: Some(Resource::AllCores), ..task }
}

fn built() -> Result<Done, Trouble> {
    Ok(Done::Built)
}

fn never() -> Result<Done, Trouble> {
    unreachable!("this task must not be carried out")
}

fn fail() -> Result<Done, Trouble> {
    Err(Trouble::Failed(Failure::new(Class::Compile, "no")))
}

fn unavailable() -> Result<Done, Trouble> {
    Err(Trouble::Unavailable(Failure::new(Class::Tool, "no zig")))
}

fn outcomes(ended: &[Ended]) -> Vec<Outcome> {
    ended.iter().map(|e| e.outcome).collect()
}

#[test]
fn a_plan_without_tasks_ends_at_once() {
    assert!(run(Vec::new(), 4, OnFailure::Stop, &SILENT).unwrap().is_empty());
}

#[test]
fn a_task_runs_after_the_tasks_that_it_needs() {
    let order = Mutex::new(Vec::new());
    let log = |i| {
        let order = &order;
        move || {
            order.lock().unwrap().push(i);
            built()
        }
    };
    let tasks = vec![task(&[2], log(0)), task(&[0], log(1)), task(&[], log(2))];
    assert_eq!(run(tasks, 4, OnFailure::Stop, &SILENT).unwrap().len(), 3);
    assert_eq!(*order.lock().unwrap(), [2, 0, 1]);
}

#[test]
fn an_unavailable_task_holds_back_all_tasks_that_need_it() {
    let tasks = vec![
        task(&[], unavailable),
        task(&[0], never),
        task(&[1], never),
        task(&[], || Ok(Done::Cached)),
    ];
    let ended = run(tasks, 2, OnFailure::Stop, &SILENT).unwrap();
    use Outcome::{Cached, HeldBack};
    assert_eq!(outcomes(&ended), [HeldBack, HeldBack, HeldBack, Cached]);
    assert_eq!(ended[2].reason.as_ref().unwrap().message, "no zig");
}

#[test]
fn a_task_with_groups_runs_if_one_group_succeeds_as_a_whole() {
    let tasks = vec![
        task(&[], unavailable),
        task(&[], built),
        any_of(&[&[0, 1], &[1]], built),
        any_of(&[&[0, 1], &[0]], never),
        any_of(&[&[]], built),
    ];
    let ended = run(tasks, 2, OnFailure::Stop, &SILENT).unwrap();
    use Outcome::{Built, HeldBack};
    assert_eq!(outcomes(&ended)[2..], [Built, HeldBack, Built]);
}

#[test]
fn a_task_that_ended_in_an_earlier_stage_does_not_run_again() {
    let earlier = |ended: Ended| Task { earlier: Some(ended), ..task(&[], never) };
    let nine_seconds =
        Ended { outcome: Outcome::Built, time: Duration::from_secs(9), reason: None };
    let tasks = vec![
        earlier(nine_seconds),
        earlier(Ended::without(fail().unwrap_err())),
        task(&[0], || Ok(Done::Cached)),
        task(&[1], never),
    ];
    let ended = run(tasks, 2, OnFailure::GoOn, &SILENT).unwrap();
    use Outcome::{Built, Cached, Failed};
    assert_eq!(outcomes(&ended), [Built, Failed, Cached, Failed]);
    assert_eq!(ended[0].time, Duration::from_secs(9));
}

#[test]
fn with_stop_no_task_begins_after_a_failure() {
    let tasks = vec![task(&[], fail), task(&[0], never), task(&[], never)];
    let failure = run(tasks, 1, OnFailure::Stop, &SILENT).unwrap_err();
    assert_eq!((failure.message.as_str(), failure.step.as_deref()), ("no", Some("t")));
}

#[test]
fn with_go_on_a_failure_fails_only_the_tasks_that_need_it() {
    let tasks = vec![
        task(&[], fail),
        task(&[0], never),
        task(&[1], never),
        task(&[], built),
        task(&[3], || Ok(Done::Cached)),
        task(&[], unavailable),
        any_of(&[&[1], &[3]], built),
        any_of(&[&[1, 3], &[0]], never),
        task(&[5], never),
    ];
    let ended = run(tasks, 3, OnFailure::GoOn, &SILENT).unwrap();
    use Outcome::{Built, Cached, Failed, HeldBack};
    assert_eq!(
        outcomes(&ended),
        [Failed, Failed, Failed, Built, Cached, HeldBack, Built, Failed, HeldBack]
    );
    let reason = ended[2].reason.as_ref().unwrap();
    assert_eq!((reason.message.as_str(), reason.class), ("no", Class::Compile));
}

#[test]
fn a_panic_fails_its_task_and_the_run_ends() {
    let tasks = vec![task(&[], || panic!("a fault")), task(&[0], never), task(&[], built)];
    let ended = run(tasks, 2, OnFailure::GoOn, &SILENT).unwrap();
    assert_eq!(outcomes(&ended), [Outcome::Failed, Outcome::Failed, Outcome::Built]);
}

#[test]
fn two_tasks_with_one_resource_do_not_run_at_once_and_hold_no_worker() {
    let (send, receive) = mpsc::channel();
    let first_ended = Mutex::new(false);
    let ended = &first_ended;
    let first = move || {
        // Only the third task sends. Were the second one to take the other worker, and wait, nothing would come.
        receive.recv_timeout(PATIENCE).unwrap();
        *ended.lock().unwrap() = true;
        built()
    };
    let second = || {
        assert!(*first_ended.lock().unwrap());
        built()
    };
    let third = move || {
        send.send(()).unwrap();
        built()
    };
    let tasks =
        vec![on_all_cores(task(&[], first)), on_all_cores(task(&[], second)), task(&[], third)];
    let ended = run(tasks, 2, OnFailure::GoOn, &SILENT).unwrap();
    assert_eq!(outcomes(&ended), [Outcome::Built; 3]);
}

#[test]
fn a_task_with_nothing_to_do_does_not_wait_for_its_resource() {
    let (send, receive) = mpsc::channel();
    let compile = move || {
        for _ in 0..2 {
            receive.recv_timeout(PATIENCE).unwrap();
        }
        built()
    };
    let (from_cached, from_held_back) = (send.clone(), send);
    let cached = move || {
        from_cached.send(()).unwrap();
        Ok(Done::Cached)
    };
    let after_held_back = move || {
        from_held_back.send(()).unwrap();
        built()
    };
    let tasks = vec![
        task(&[], unavailable),
        on_all_cores(task(&[], compile)),
        Task { state: State::Cached, ..on_all_cores(task(&[], cached)) },
        on_all_cores(task(&[0], never)),
        any_of(&[&[3], &[2]], after_held_back),
    ];
    let ended = run(tasks, 2, OnFailure::GoOn, &SILENT).unwrap();
    use Outcome::{Built, Cached, HeldBack};
    assert_eq!(outcomes(&ended), [HeldBack, Built, Cached, HeldBack, Built]);
}

#[test]
fn only_the_start_of_a_task_with_something_to_do_is_reported() {
    let named = |name: &str, state, run: fn() -> Result<Done, Trouble>| Task {
        name: name.into(),
        state,
        ..task(&[], run)
    };
    let tasks = vec![
        named("compile a", State::ToDo, built),
        named("compile b", State::Cached, || Ok(Done::Cached)),
        named("compile c", State::NotNeeded, || Ok(Done::NotNeeded)),
    ];
    let recorder = Recorder::default();
    run(tasks, 1, OnFailure::Stop, &recorder).unwrap();
    let events: Vec<_> = recorder.take();
    let about = |name: &str| events.iter().filter(|e| e.contains(name)).count();
    assert_eq!((about("compile a"), about("compile b"), about("compile c")), (2, 1, 1));
    assert!(events[0].starts_with("StepStarted"), "{events:?}");
}
