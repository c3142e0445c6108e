//! BarsState on a terminal: a bar for the run, and a spinner for each running step.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::lines;
use base::events::{Event, Outcome, Reporter};
use builders::container::is_warning;

pub(super) struct Bars {
    all: MultiProgress,
    state: Mutex<BarsState>,
}

#[derive(Default)]
struct BarsState {
    total: Option<ProgressBar>,
    steps: HashMap<String, StepBar>,
}

/// The spinner of a running step.
struct StepBar {
    bar: ProgressBar,
    warnings: usize,
}

impl StepBar {
    /// The last line, after the number of warnings, if there are any.
    fn output(&mut self, line: &str) {
        self.warnings += usize::from(is_warning(line));
        // The spinner starts with the first output, since most steps are too short to be drawn.
        self.bar.enable_steady_tick(Duration::from_millis(100));
        self.bar.set_message(match self.warnings {
            0 => line.to_owned(),
            n => format!("({}) {line}", lines::warnings(n)),
        });
    }
}

impl Bars {
    pub(super) fn new() -> Self {
        Self { all: MultiProgress::new(), state: Mutex::default() }
    }

    fn start(&self, step: &str) -> StepBar {
        let bar = self.all.add(ProgressBar::new_spinner());
        bar.set_style(style("  {spinner} {prefix} {elapsed:>4} {wide_msg:.dim}"));
        bar.set_prefix(step.to_owned());
        StepBar { bar, warnings: 0 }
    }
}

fn style(template: &str) -> ProgressStyle {
    // A template that does not parse would be a bug; the default style works as well.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

impl Reporter for Bars {
    fn event(&self, event: &Event<'_>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Started { steps } => {
                // A run has several stages.
                if let Some(former) = state.total.take() {
                    former.finish_and_clear();
                }
                let bar = self.all.add(ProgressBar::new(*steps as u64));
                bar.set_style(style("{bar:24} {pos}/{len} steps  {elapsed}"));
                // Drawn now, before the first step ends.
                bar.tick();
                state.total = Some(bar);
            }
            Event::StepStarted { step, .. } => {
                let started = self.start(step);
                state.steps.insert((*step).to_owned(), started);
            }
            Event::StepOutput { step, line } => {
                if let Some(step) = state.steps.get_mut(*step) {
                    step.output(line);
                }
            }
            Event::Phase { step: name, phase } => {
                if let Some(step) = state.steps.get_mut(*name) {
                    step.warnings = 0;
                    step.bar.set_prefix(format!("{name}: {phase}"));
                    step.bar.reset_elapsed();
                }
            }
            Event::StepFinished { step, outcome, .. } => {
                if let Some(step) = state.steps.remove(*step) {
                    step.bar.finish_and_clear();
                }
                if let Some(total) = &state.total {
                    total.inc(1);
                }
                if matches!(outcome, Outcome::Built | Outcome::Failed) {
                    self.print(event);
                }
            }
            Event::Finished(_) => {
                if let Some(total) = state.total.take() {
                    total.finish_and_clear();
                }
            }
            Event::Interrupted { .. } => {
                self.print(event);
                // Later events must not be drawn over the user's prompt.
                let _ = self.all.clear();
                self.all.set_draw_target(ProgressDrawTarget::hidden());
            }
            Event::Waiting { .. }
            | Event::Note { .. }
            | Event::Silent { .. }
            | Event::PhaseEnded { .. }
            | Event::Published { .. }
            | Event::HeldBack { .. } => self.print(event),
        }
    }

    fn with_terminal(&self, work: &mut dyn FnMut()) {
        self.all.suspend(work);
    }
}

impl Bars {
    fn print(&self, event: &Event<'_>) {
        if let Some(line) = lines::line(event) {
            // An error of drawing must not end the run.
            let _ = self.all.println(line);
        }
    }
}
