//! Lets one run at a time make a root, or an engine's image of it.

use std::path::{Path, PathBuf};

use base::{
    events::{Event, Reporter},
    failure::{Class, Classify, Result},
};

/// The right to make one thing in the folder of roots. The kernel releases it when the process ends.
pub(crate) struct Turn {
    _file: fs_err::File,
}

impl Turn {
    /// Waits for it, and reports that.
    pub(crate) fn take(path: PathBuf, reporter: &dyn Reporter) -> Result<Self> {
        if let Some(own) = Self::now(&path)? {
            return Ok(own);
        }
        let file = Self::open(&path)?;
        reporter.event(&Event::Waiting { path });
        file.file().lock().class(Class::Output)?;
        Ok(Self { _file: file })
    }

    /// `None` if another run has it.
    pub(super) fn now(path: &Path) -> Result<Option<Self>> {
        let file = Self::open(path)?;
        Ok(file.file().try_lock().is_ok().then_some(Self { _file: file }))
    }

    fn open(path: &Path) -> Result<fs_err::File> {
        fs_err::OpenOptions::new().create(true).append(true).open(path).class(Class::Output)
    }
}
