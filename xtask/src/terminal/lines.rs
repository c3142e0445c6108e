//! Progress as plain lines, for logs and CI.

use std::io::Write;

use crate::{
    events::{Event, Outcome, Reporter},
    process::rough,
};

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
        Event::StepStarted { step, kind } if kind.is_slow() => format!("start  {step}"),
        Event::Phase { step, phase } => format!("start  {step}: {phase}"),
        Event::PhaseEnded { step, phase, warnings, time } => {
            format!(
                "ended  {step}: {phase} ({:.1} s, {})",
                time.as_secs_f64(),
                self::warnings(*warnings)
            )
        }
        Event::Silent { step, program, time, detail } => {
            let detail = detail.map(|d| format!("; {d}")).unwrap_or_default();
            format!("wait   {step}: {program} has printed nothing for {}{detail}", rough(*time))
        }
        Event::Interrupted { signal } => format!("{signal}: stopping; what is done is kept"),
        _ => return None,
    })
}

/// `1 warning`, `2 warnings`.
pub(super) fn warnings(count: usize) -> String {
    match count {
        1 => "1 warning".to_owned(),
        n => format!("{n} warnings"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step::Kind;

    #[test]
    fn what_takes_long_is_announced_whatever_it_is_called() {
        let starts = |kind| line(&Event::StepStarted { step: "it", kind });
        for kind in [Kind::Tools, Kind::Library, Kind::Fetch, Kind::Image, Kind::Compile] {
            assert_eq!(starts(kind).as_deref(), Some("start  it"), "{kind:?}");
        }
        assert_eq!([starts(Kind::Package), starts(Kind::Sign)], [None, None]);
    }
}
