//! What the unit tests of this crate share: reporters, and a checkout in a temporary folder.

use std::sync::Mutex;

use base::{
    events::{Event, Reporter},
    workspace::Workspace,
};

/// A secret key without a passphrase, of the year 2020.
pub(crate) const KEY: &str = include_str!("fixture/key.asc");
/// One with a passphrase.
pub(crate) const LOCKED_KEY: &str = include_str!("fixture/locked.asc");
/// The passphrase.
pub(crate) const LOCKED_PASSPHRASE: &str = "fixture";

/// Shows nothing.
pub(crate) struct Silent;

pub(crate) static SILENT: Silent = Silent;

impl Reporter for Silent {
    fn event(&self, _: &Event<'_>) {}
}

/// Keeps the events, as their Debug shows them.
#[derive(Default)]
pub(crate) struct Recorder(Mutex<Vec<String>>);

impl Recorder {
    /// The events since this was last called.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Reporter for Recorder {
    fn event(&self, event: &Event<'_>) {
        self.0.lock().unwrap().push(format!("{event:?}"));
    }
}

/// A checkout without any file.
pub(crate) struct Checkout {
    _dir: tempfile::TempDir,
    pub(crate) workspace: Workspace,
}

impl Checkout {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = fs_err::canonicalize(dir.path()).unwrap();
        Self { _dir: dir, workspace: Workspace { state: root.join("target/xtask"), root } }
    }

    /// Writes a file of the checkout, and the folders that it is in.
    pub(crate) fn write(&self, name: &str, content: &str) {
        let path = self.workspace.root.join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, content).unwrap();
    }
}
