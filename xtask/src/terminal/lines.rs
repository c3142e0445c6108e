//! Progress as plain lines, for logs and CI.

use std::io::Write;

use crate::events::{Event, Outcome, Reporter};

pub(super) struct Lines;

impl Reporter for Lines {
    fn event(&self, event: &Event<'_>) {
        if let Some(line) = line(event) {
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    }
}

/// What is worth a line; the output of compilers is in their logs.
pub(super) fn line(event: &Event<'_>) -> Option<String> {
    Some(match event {
        Event::Waiting { path } => {
            format!("waiting for another run to end (it holds {})", path.display())
        }
        Event::Note { message } => format!("note: {message}"),
        Event::StepFinished { step, outcome: Outcome::Built, time } => {
            format!("done   {step} ({:.1} s)", time.as_secs_f64())
        }
        Event::StepFinished { step, outcome: Outcome::Failed, .. } => format!("FAILED {step}"),
        Event::HeldBack { package, reason } => format!("held back: {package}: {reason}"),
        Event::StepStarted { step } if is_slow(step) => {
            format!("start  {step}")
        }
        _ => return None,
    })
}

/// Whether a step may take so long that its beginning is worth a line.
fn is_slow(step: &str) -> bool {
    step.starts_with("compile") || step.starts_with("fetch") || step == "tools"
}
