//! Progress on a terminal: a bar for the run, a spinner for each step under way.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::lines;
use crate::events::{Event, Outcome, Reporter};

pub(super) struct Bars {
    all: MultiProgress,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    total: Option<ProgressBar>,
    steps: HashMap<String, ProgressBar>,
}

impl Bars {
    pub(super) fn new() -> Self {
        Self { all: MultiProgress::new(), state: Mutex::default() }
    }

    fn start(&self, step: &str) -> ProgressBar {
        let bar = self.all.add(ProgressBar::new_spinner());
        bar.set_style(style("  {spinner} {prefix} {elapsed:>4} {wide_msg:.dim}"));
        bar.set_prefix(step.to_owned());
        bar
    }
}

fn style(template: &str) -> ProgressStyle {
    // A template that does not parse would be a fault here; the default style still informs.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

impl Reporter for Bars {
    fn event(&self, event: &Event<'_>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Started { steps } => {
                let bar = self.all.add(ProgressBar::new(*steps as u64));
                bar.set_style(style("{bar:24} {pos}/{len} steps  {elapsed}"));
                state.total = Some(bar);
            }
            Event::StepStarted { step } => {
                let bar = self.start(step);
                state.steps.insert((*step).to_owned(), bar);
            }
            Event::StepOutput { step, line } => {
                if let Some(bar) = state.steps.get(*step) {
                    // Spins from the first output on: most steps are too short to be drawn.
                    bar.enable_steady_tick(Duration::from_millis(100));
                    bar.set_message((*line).to_owned());
                }
            }
            Event::StepFinished { step, outcome, .. } => {
                if let Some(bar) = state.steps.remove(*step) {
                    bar.finish_and_clear();
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
            Event::Waiting { .. } | Event::Note { .. } | Event::HeldBack { .. } => {
                self.print(event)
            }
        }
    }
}

impl Bars {
    fn print(&self, event: &Event<'_>) {
        if let Some(line) = lines::line(event) {
            // Not being able to draw must not end the run.
            let _ = self.all.println(line);
        }
    }
}
