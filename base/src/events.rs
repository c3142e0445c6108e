//! What happens during a run, as values. Reporters turn them into bars, lines or JSON.

use std::{path::PathBuf, time::Duration};

use crate::step::Kind;

/// Something happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// Another run holds the lock.
    Waiting {
        /// The lock's file.
        path: PathBuf,
    },
    /// The run begins.
    Started {
        /// How many there are.
        steps: usize,
    },
    /// Something worth knowing that stops nothing.
    Note {
        /// A sentence.
        message: &'a str,
    },
    /// A step begins.
    StepStarted {
        /// Its name.
        step: &'a str,
        /// What it does, in a word.
        kind: Kind,
    },
    /// A part of a step begins.
    Phase {
        /// The step's name.
        step: &'a str,
        /// The phase's.
        phase: &'a str,
    },
    /// A part of a step ended.
    PhaseEnded {
        /// The step's name.
        step: &'a str,
        /// The phase's name.
        phase: &'a str,
        /// Lines of it that are a compiler's warnings.
        warnings: usize,
        /// How long it took, or has lasted.
        time: Duration,
    },
    /// A step printed a line.
    StepOutput {
        /// The step's name.
        step: &'a str,
        /// The line, without its end.
        line: &'a str,
    },
    /// A program that a step runs has printed nothing for so long.
    Silent {
        /// The step's name.
        step: &'a str,
        /// The program's name.
        program: &'a str,
        /// How long it took, or has lasted.
        time: Duration,
        /// What else is known of it.
        detail: Option<&'a str>,
    },
    /// A step ended.
    StepFinished {
        /// The step's name.
        step: &'a str,
        /// How it ended.
        outcome: Outcome,
        /// How long it took, or has lasted.
        time: Duration,
    },
    /// A package will not be built.
    HeldBack {
        /// Its name.
        package: &'a str,
        /// Why.
        reason: &'a str,
    },
    /// What is ready is published, before the rest is compiled, which may take long.
    Published {
        /// How many.
        packages: usize,
        /// Names of the descriptions that are compiled now.
        rest: &'a [&'a str],
        /// How long that took when it was last done.
        last_time: Option<Duration>,
    },
    /// A signal ends the run; what it has going is being taken down.
    Interrupted {
        /// Its name, such as `SIGINT`.
        signal: &'a str,
    },
    /// The run ended, and a repository is there; a failure may follow.
    Finished(&'a crate::report::Report),
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its result was there already.
    Cached,
    /// It was not, but nothing asked for it.
    NotNeeded,
    /// It was carried out.
    Built,
    /// It could not be carried out here.
    HeldBack,
    /// It failed.
    Failed,
}

/// Takes events, from any thread.
pub trait Reporter: Sync {
    /// Takes one.
    fn event(&self, event: &Event<'_>);

    /// Leaves the terminal to `work`, which talks to the user itself.
    fn aside(&self, work: &mut dyn FnMut()) {
        work();
    }
}
