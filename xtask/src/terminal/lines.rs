//! Progress as plain lines, for logs and CI.

use std::io::Write;

use base::{
    events::{Event, Outcome, Reporter},
    process::rough,
};

pub(super) struct PlainLines;

impl Reporter for PlainLines {
    fn event(&self, event: &Event<'_>) {
        if let Some(line) = line(event) {
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    }
}

/// The line for an event; `None` for events without one, such as the output of compilers, which is in their logs.
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
        Event::Published { packages, rest, last_time } => {
            let packages = match packages {
                1 => "1 package is".to_owned(),
                n => format!("{n} packages are"),
            };
            let time = match last_time {
                Some(time) => format!("took {} last time", rough(*time)),
                None => "may take an hour".to_owned(),
            };
            format!("{packages} published; the rest ({}) {time}", rest.join(", "))
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
    use std::time::Duration;

    use super::*;
    use base::step::Kind;

    #[test]
    fn the_start_of_every_slow_step_is_printed() {
        let starts = |kind| line(&Event::StepStarted { step: "it", kind });
        for kind in [Kind::Tools, Kind::Library, Kind::Fetch, Kind::Image, Kind::Compile] {
            assert_eq!(starts(kind).as_deref(), Some("start  it"), "{kind:?}");
        }
        assert_eq!([starts(Kind::Package), starts(Kind::Sign)], [None, None]);
    }

    #[test]
    fn packages_published_early_are_reported_in_one_line() {
        let hour = Duration::from_secs(52 * 60 + 7);
        let said = |packages, rest: &[&str], last_time| {
            line(&Event::Published { packages, rest, last_time }).unwrap()
        };
        assert_eq!(
            [said(3, &["mesos", "net-modules"], Some(hour)), said(1, &["mesos"], None)],
            [
                "3 packages are published; the rest (mesos, net-modules) took 52 min last time",
                "1 package is published; the rest (mesos) may take an hour"
            ]
        );
    }
}
