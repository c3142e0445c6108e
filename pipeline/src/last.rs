//! Notes of the inputs of each step's last result: a plan compares them with the present inputs, and says why a step
//! is to be carried out. Nothing else depends on the notes, so an error with them is never a failure.
//!
//! A note contains names and digests of inputs, never their content.

use std::path::{Path, PathBuf};

use el7rpm::input;
use serde::{Deserialize, Serialize};

use base::{
    events::{Event, Reporter},
    failure::{Class, Classify, Result},
    key::KeyBuilder,
    step::Kind,
    why::{Input, Why, compare},
    workspace::Workspace,
};

/// More than the size of any note, even for a source with a hundred thousand files.
const MAX_NOTE: u64 = 64 << 20;

/// The notes of a checkout.
#[derive(Clone, Debug)]
pub struct LastInputs {
    dir: PathBuf,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    step: String,
    inputs: Vec<Input>,
}

impl LastInputs {
    /// The notes of former runs.
    pub fn of(workspace: &Workspace) -> Self {
        Self { dir: workspace.state.join("inputs") }
    }

    /// Writes the note of a step whose result is there now. The caller must have the checkout's lock, and only one
    /// thread may have the step.
    pub fn note(&self, kind: Kind, step: &str, inputs: &[Input], reporter: &dyn Reporter) {
        let note = Note { step: step.to_owned(), inputs: inputs.to_vec() };
        let path = self.path(kind, step);
        if read(&path).is_ok_and(|last| last.as_ref() == Some(&note)) {
            return;
        }
        if let Err(failure) = self.write(&path, &note) {
            let message = format!("what {step} was made from is not noted: {}", failure.message);
            reporter.event(&Event::Note { message: &message });
        }
    }

    /// Why a step whose result is missing is to be carried out.
    pub fn why(&self, kind: Kind, step: &str, inputs: &[Input]) -> Why {
        let last = match read(&self.path(kind, step)) {
            Ok(None) => return Why::NeverDone,
            Ok(Some(note)) if note.step == step => note.inputs,
            Ok(Some(_)) | Err(_) => return Why::NoNote,
        };
        let changes = compare(&last, inputs);
        match (changes.is_empty(), kind) {
            (false, _) => Why::Changed { changes },
            (true, Kind::Image) => Why::OnlyTheEngineKnows,
            (
                true,
                Kind::Tools
                | Kind::Library
                | Kind::Fetch
                | Kind::Compile
                | Kind::Package
                | Kind::Sign,
            ) => Why::ResultGone,
        }
    }

    fn write(&self, path: &Path, note: &Note) -> Result<()> {
        fs_err::create_dir_all(&self.dir).class(Class::Output)?;
        let new = path.with_extension("json.new");
        let text = serde_json::to_string_pretty(note).unwrap_or_default();
        fs_err::write(&new, text + "\n").class(Class::Output)?;
        fs_err::rename(&new, path).class(Class::Output)
    }

    /// The names of steps contain `/`, so the file has the hash of the name.
    fn path(&self, kind: Kind, step: &str) -> PathBuf {
        let id = KeyBuilder::new("inputs", 1).text("step", step).finish();
        self.dir.join(format!("{}-{}.json", kind.name(), id.short()))
    }
}

/// Reads a note; `None` if there is none.
fn read(path: &Path) -> Result<Option<Note>, String> {
    if !input::is_there(path).map_err(|e| e.to_string())? {
        return Ok(None);
    }
    let text = input::read_text(path, MAX_NOTE).map_err(|e| e.to_string())?;
    serde_json::from_str(&text).map(Some).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use base::why::Subject;

    use super::*;

    struct NoEvents;
    impl Reporter for NoEvents {
        fn event(&self, event: &Event<'_>) {
            panic!("{event:?}");
        }
    }

    fn inputs(content: &str) -> Vec<Input> {
        vec![Input::new(Subject::Path, "specs/notes/README".into(), content.as_bytes())]
    }

    fn notes() -> (tempfile::TempDir, LastInputs) {
        let dir = tempfile::tempdir().unwrap();
        let notes = LastInputs { dir: dir.path().join("inputs") };
        (dir, notes)
    }

    #[test]
    fn the_reason_is_told_by_comparing_with_the_last_result() {
        let (_dir, notes) = notes();
        let why =
            |kind, content: &str| notes.why(kind, "package a/b", &inputs(content)).to_string();
        assert_eq!(why(Kind::Package, "1"), "never done here");
        notes.note(Kind::Package, "package a/b", &inputs("1"), &NoEvents);
        assert_eq!(why(Kind::Package, "1"), "its result is gone");
        assert_eq!(why(Kind::Package, "2"), "specs/notes/README changed");
        notes.note(Kind::Package, "package a/b", &inputs("2"), &NoEvents);
        assert_eq!(why(Kind::Package, "1"), "specs/notes/README changed");
        assert_eq!(notes.why(Kind::Package, "package a-b", &inputs("1")), Why::NeverDone);
    }

    #[test]
    fn an_image_with_the_same_inputs_is_known_to_the_engine_alone() {
        let (_dir, notes) = notes();
        notes.note(Kind::Image, "image el7", &inputs("1"), &NoEvents);
        assert_eq!(notes.why(Kind::Image, "image el7", &inputs("1")), Why::OnlyTheEngineKnows);
    }

    #[test]
    fn a_note_that_cannot_be_read_is_none() {
        let (_dir, notes) = notes();
        notes.note(Kind::Sign, "sign a", &inputs("1"), &NoEvents);
        let path = notes.path(Kind::Sign, "sign a");
        for text in ["", "{", "[]", "{\"step\":\"sign b\",\"inputs\":[]}", "\u{0}"] {
            fs_err::write(&path, text).unwrap();
            assert_eq!(notes.why(Kind::Sign, "sign a", &inputs("1")), Why::NoNote, "{text}");
        }
        fs_err::remove_file(&path).unwrap();
        fs_err::create_dir(&path).unwrap();
        assert_eq!(notes.why(Kind::Sign, "sign a", &inputs("1")), Why::NoNote);
    }
}
