//! Steps that need no other program: what they leave, and what they refuse.

use el7rpm::{openpgp::Signer, read::Rpm};

use super::*;
use crate::{
    fixture::{TempCheckout, signer, step},
    plan::Plan,
};
use base::step::Kind;

/// Carries out this step of the plan.
fn run(checkout: &TempCheckout, plan: &Plan, name: &str) -> Result<Done, Trouble> {
    checkout.run(step(plan, name))
}

fn failure(result: Result<Done, Trouble>) -> Failure {
    match result.unwrap_err() {
        Trouble::Failed(failure) | Trouble::Unavailable(failure) => failure,
    }
}

fn notes() -> TempCheckout {
    let checkout = TempCheckout::new();
    checkout.data("notes", "");
    checkout
}

/// The signing step of the only package.
fn sign(plan: &Plan) -> (&Step, &SignPackage) {
    let (_, step, sign) = plan.signing().next().unwrap();
    (step, sign)
}

#[test]
fn a_package_is_written_and_signed_and_handed_on_as_a_value() {
    let checkout = notes();
    let plan = checkout.plan(&[]);
    let cache = Cache::open(&checkout.workspace).unwrap();
    let (step, work) = sign(&plan);
    assert!(work.unsigned.rpm(&cache).unwrap().is_none(), "nothing has been carried out");
    assert_eq!(run(&checkout, &plan, "package notes").unwrap(), Done::Built);
    let Some(PackageResult::Rpm(unsigned)) = work.unsigned.rpm(&cache).unwrap() else {
        panic!("no RPM")
    };
    assert_eq!(run(&checkout, &plan, "sign notes").unwrap(), Done::Built);
    let signer = signer();
    let signed = work.signed(&step.key, &cache, signer.certificate()).unwrap().unwrap();
    assert_eq!(signed.path().file_name(), unsigned.path().file_name());
    assert_eq!(Rpm::open(signed.path()).unwrap().paths(), ["/usr/share/notes"]);
    let states: Vec<_> = checkout.plan(&[]).steps.iter().map(|step| step.state).collect();
    assert_eq!(states, [State::Cached, State::Cached]);
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    let written = || {
        let checkout = notes();
        let plan = checkout.plan(&[]);
        run(&checkout, &plan, "package notes").unwrap();
        let cache = Cache::peek(&checkout.workspace);
        let Some(PackageResult::Rpm(rpm)) = sign(&plan).1.unsigned.rpm(&cache).unwrap() else {
            panic!("no RPM")
        };
        fs_err::read(rpm.path()).unwrap()
    };
    assert_eq!(written(), written());
}

#[test]
fn a_file_that_changes_after_the_plan_fails_the_step_and_leaves_no_result() {
    let checkout = notes();
    let plan = checkout.plan(&[]);
    checkout.write("specs/notes/file", "other text\n");
    let failure = failure(run(&checkout, &plan, "package notes"));
    assert_eq!(failure.class, Class::Source);
    assert!(failure.message.contains("specs/notes/file was changed while"), "{failure}");
    assert_eq!(failure.step.as_deref(), Some("package notes"));
    assert!(Cache::peek(&checkout.workspace).list().unwrap().is_empty());
}

#[test]
fn a_file_that_comes_after_the_plan_belongs_to_the_next_run() {
    let checkout = TempCheckout::new();
    checkout.data("notes", "");
    checkout.replace("specs/notes/package.toml", "source = \"file\"", "source = \"tree\"");
    checkout.write("specs/notes/tree/a", "a\n");
    let plan = checkout.plan(&[]);
    checkout.write("specs/notes/tree/b", "b\n");
    run(&checkout, &plan, "package notes").unwrap();
    let cache = Cache::peek(&checkout.workspace);
    let Some(PackageResult::Rpm(rpm)) = sign(&plan).1.unsigned.rpm(&cache).unwrap() else {
        panic!("no RPM")
    };
    let paths = Rpm::open(rpm.path()).unwrap().paths();
    assert!(!paths.iter().any(|path| path.ends_with("/b")), "{paths:?}");
    assert_eq!(step(&checkout.plan(&[]), "package notes").state, State::ToDo);
}

#[test]
fn a_step_that_is_cached_or_not_needed_does_nothing() {
    let checkout = notes();
    let mut plan = checkout.plan(&[]);
    for (state, done) in [(State::Cached, Done::Cached), (State::NotNeeded, Done::NotNeeded)] {
        for step in plan.steps.iter_mut() {
            step.state = state;
        }
        assert_eq!(run(&checkout, &plan, "sign notes").unwrap(), done);
    }
    assert!(Cache::peek(&checkout.workspace).list().unwrap().is_empty());
}

#[test]
fn a_result_that_is_gone_or_changed_is_an_error_that_says_what_to_do() {
    let checkout = notes();
    let plan = checkout.plan(&[]);
    let gone = failure(run(&checkout, &plan, "sign notes"));
    assert!(gone.message.contains("the result of `package notes` is gone"), "{gone}");
    checkout.keep(&plan, "package notes", |dir| {
        fs_err::write(dir.join("notes-1-1.el7.x86_64.rpm"), "no RPM").unwrap();
    });
    let changed = failure(run(&checkout, &plan, "sign notes"));
    assert!(changed.help.as_ref().unwrap().contains("remove "), "{changed}");
    let (step, work) = sign(&plan);
    let cache = Cache::peek(&checkout.workspace);
    let failure = work.signed(&step.key, &cache, signer().certificate()).unwrap_err();
    assert_eq!(failure.class, Class::Output);
}

#[test]
fn an_empty_result_says_that_there_is_no_package() {
    let checkout = notes();
    let plan = checkout.plan(&[]);
    checkout.keep(&plan, "package notes", |_| {});
    run(&checkout, &plan, "sign notes").unwrap();
    let (step, work) = sign(&plan);
    let cache = Cache::peek(&checkout.workspace);
    assert!(work.signed(&step.key, &cache, signer().certificate()).unwrap().is_none());
    assert_eq!(
        cache.list().unwrap().iter().filter(|(kind, ..)| kind == Kind::Sign.name()).count(),
        1
    );
}

#[test]
fn a_package_has_all_free_threads_and_others_at_least_none() {
    let threads = Threads::new(4);
    let first = threads.take();
    assert_eq!((first.count, threads.take().count), (4, 0));
    drop(first);
    assert_eq!(threads.take().count, 4);
}
