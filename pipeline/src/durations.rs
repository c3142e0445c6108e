//! How long steps took when they were last carried out, to tell users how long they will wait. Nothing else depends
//! on it, so an error with it is a note and never a failure.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use el7rpm::input;

use base::{
    events::{Event, Reporter},
    failure::{Class, Classify, Result},
    workspace::Workspace,
};

/// The last duration of each step, by name. The caller must have the checkout's lock.
pub struct Durations {
    path: PathBuf,
    millis: Mutex<BTreeMap<String, u64>>,
}

impl Durations {
    /// The durations of former runs.
    pub fn open(workspace: &Workspace, reporter: &dyn Reporter) -> Self {
        let path = workspace.state.join("durations.json");
        let millis = read(&path).unwrap_or_else(|reason| {
            let path = workspace.relative(&path).display();
            let message = format!(
                "the durations of earlier runs are lost: {path} cannot be read and is written anew ({reason})"
            );
            reporter.event(&Event::Note { message: &message });
            BTreeMap::new()
        });
        Self { path, millis: Mutex::new(millis) }
    }

    /// Notes how long a step took. The file is written at once: the run may be stopped in the next step.
    pub fn note(&self, step: &str, time: Duration, reporter: &dyn Reporter) {
        let mut millis = self.millis.lock().unwrap_or_else(PoisonError::into_inner);
        millis.insert(step.to_owned(), time.as_millis() as u64);
        if let Err(failure) = self.write(&millis) {
            let message = format!("how long {step} took is not noted: {}", failure.message);
            reporter.event(&Event::Note { message: &message });
        }
    }

    /// The sum of the durations of these steps, if all are known.
    pub fn of<'a>(&self, steps: impl Iterator<Item = &'a str>) -> Option<Duration> {
        let millis = self.millis.lock().unwrap_or_else(PoisonError::into_inner);
        let sum: Option<u64> = steps.map(|step| millis.get(step)).sum();
        sum.map(Duration::from_millis)
    }

    fn write(&self, millis: &BTreeMap<String, u64>) -> Result<()> {
        let new = self.path.with_extension("json.new");
        let text = serde_json::to_string_pretty(millis).unwrap_or_default();
        fs_err::write(&new, text + "\n").class(Class::Output)?;
        fs_err::rename(&new, &self.path).class(Class::Output)
    }
}

fn read(path: &std::path::Path) -> Result<BTreeMap<String, u64>, String> {
    if !input::is_there(path).map_err(|e| e.to_string())? {
        return Ok(BTreeMap::new());
    }
    let text = input::read_text(path, input::MAX_TEXT).map_err(|e| e.to_string())?;
    serde_json::from_str(&text).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Recorder, TempCheckout};

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_next_run_knows_how_long_steps_took() {
        let checkout = TempCheckout::new();
        fs_err::create_dir_all(&checkout.workspace.state).unwrap();
        let recorder = Recorder::default();
        let first = Durations::open(&checkout.workspace, &recorder);
        first.note("compile a", SECOND, &recorder);
        first.note("compile b", SECOND, &recorder);
        first.note("compile b", 2 * SECOND, &recorder);
        let next = Durations::open(&checkout.workspace, &recorder);
        assert_eq!(next.of(["compile a", "compile b"].into_iter()), Some(3 * SECOND));
        assert_eq!(next.of(["compile a", "compile c"].into_iter()), None);
        assert!(recorder.take().is_empty());
    }

    #[test]
    fn an_unreadable_file_is_a_note_and_no_failure() {
        let checkout = TempCheckout::new();
        for text in ["", "{", "[]", "{\"compile a\":-1}"] {
            checkout.write("target/xtask/durations.json", text);
            let recorder = Recorder::default();
            let durations = Durations::open(&checkout.workspace, &recorder);
            let notes = recorder.take();
            assert!(notes.len() == 1 && notes[0].contains("durations.json"), "{text}: {notes:?}");
            assert_eq!(durations.of(["compile a"].into_iter()), None);
        }
    }

    #[test]
    fn a_file_that_cannot_be_written_is_a_note_and_no_failure() {
        let checkout = TempCheckout::new();
        checkout.write("target/xtask", "a file where the folder should be");
        let recorder = Recorder::default();
        let durations = Durations::open(&checkout.workspace, &recorder);
        recorder.take();
        durations.note("compile a", SECOND, &recorder);
        assert!(recorder.take().concat().contains("compile a"));
        assert_eq!(durations.of(["compile a"].into_iter()), Some(SECOND));
    }
}
