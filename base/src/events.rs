//! The events of a run. Reporters show them as bars, lines or JSON.

use std::{path::PathBuf, time::Duration};

use crate::step::Kind;

/// An event of a run.
#[derive(Debug)]
pub enum Event<'a> {
    /// Another run holds the lock.
    Waiting {
        /// The lock's file.
        path: PathBuf,
    },
    /// The run begins with its first step.
    Started {
        /// Number of steps.
        steps: usize,
    },
    /// A remark for the user that is no error.
    Note {
        /// A sentence.
        message: &'a str,
    },
    /// A step begins.
    StepStarted {
        /// Its name.
        step: &'a str,
        /// Its kind.
        kind: Kind,
    },
    /// A phase of a step begins.
    Phase {
        /// The step's name.
        step: &'a str,
        /// The phase's name.
        phase: &'a str,
    },
    /// A phase of a step ended.
    PhaseEnded {
        /// The step's name.
        step: &'a str,
        /// The phase's name.
        phase: &'a str,
        /// Number of its lines that are a compiler's warnings.
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
    /// A program that a step runs has printed nothing for some time.
    Silent {
        /// The step's name.
        step: &'a str,
        /// The program's name.
        program: &'a str,
        /// How long it took, or has lasted.
        time: Duration,
        /// More about the program, if anything is known.
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
    /// The packages that need no long compile are published, before the others are compiled.
    Published {
        /// Number of packages.
        packages: usize,
        /// Names of the descriptions that are compiled now.
        rest: &'a [&'a str],
        /// How long these compiles took last time.
        last_time: Option<Duration>,
    },
    /// A signal ends the run. Its programs and containers are being stopped.
    Interrupted {
        /// Its name, such as `SIGINT`.
        signal: &'a str,
    },
    /// The run ended, and the repository exists. A failure may follow.
    Finished(&'a crate::report::RunReport),
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its result was in the cache.
    Cached,
    /// Its result was not in the cache, but no step needed it.
    NotNeeded,
    /// It was carried out.
    Built,
    /// It could not be carried out on this machine.
    HeldBack,
    /// It failed.
    Failed,
}

/// Shows events. It is called from any thread.
pub trait Reporter: Sync {
    /// Shows one event.
    fn event(&self, event: &Event<'_>);

    /// Runs `work`, which uses the terminal itself. Meanwhile nothing else is shown.
    fn with_terminal(&self, work: &mut dyn FnMut()) {
        work();
    }
}
