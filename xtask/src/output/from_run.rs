//! Events of a run, as they are printed.

use std::time::Duration;

use super::Output;
use base::events::Event;

fn millis(time: Duration) -> u64 {
    time.as_millis() as u64
}

impl From<&Event<'_>> for Output {
    fn from(event: &Event<'_>) -> Self {
        let own = |text: &str| text.to_owned();
        match *event {
            Event::Waiting { ref path } => Self::Waiting { path: path.display().to_string() },
            Event::Started { steps } => Self::Started { steps },
            Event::Note { message } => Self::Note { message: own(message) },
            Event::StepStarted { step, kind } => {
                Self::StepStarted { step: own(step), kind: kind.into() }
            }
            Event::Phase { step, phase } => Self::Phase { step: own(step), phase: own(phase) },
            Event::PhaseEnded { step, phase, warnings, time } => Self::PhaseEnded {
                step: own(step),
                phase: own(phase),
                warnings,
                millis: millis(time),
            },
            Event::StepOutput { step, line } => {
                Self::StepOutput { step: own(step), line: own(line) }
            }
            Event::Silent { step, program, time, detail } => Self::Silent {
                step: own(step),
                program: own(program),
                millis: millis(time),
                detail: detail.map(own),
            },
            Event::StepFinished { step, outcome, time } => Self::StepFinished {
                step: own(step),
                outcome: outcome.into(),
                millis: millis(time),
            },
            Event::HeldBack { package, reason } => {
                Self::HeldBack { package: own(package), reason: own(reason) }
            }
            Event::Published { packages, rest, last_time } => Self::Published {
                packages,
                rest: rest.iter().map(|name| own(name)).collect(),
                last_millis: last_time.map(millis),
            },
            Event::Interrupted { signal } => Self::Interrupted { signal: own(signal) },
            Event::Finished(report) => Self::Finished(report.into()),
        }
    }
}
