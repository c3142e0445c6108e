//! One run at a time in a checkout, or in a folder that several checkouts write to: the second waits
//! and says so.

use std::{
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use fs_err::File;

use base::{
    events::{Event, Reporter},
    failure::{Class, Classify, Result},
    workspace::Workspace,
};

/// Held as long as it lives; the kernel frees it however the process ends.
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of a checkout.
    pub fn take(workspace: &Workspace, reporter: &dyn Reporter) -> Result<Self> {
        fs_err::create_dir_all(&workspace.state).class(Class::Output)?;
        let path = workspace.state.join("lock");
        let file = fs_err::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .class(Class::Output)?;
        Self::of(file, path, reporter)
    }

    /// Locks a folder, and leaves nothing in it.
    pub fn of_folder(dir: &Path, reporter: &dyn Reporter) -> Result<Self> {
        // To open a pipe is to wait for its other end.
        let mut options = fs_err::OpenOptions::new();
        let only_folders = rustix::fs::OFlags::DIRECTORY.bits().cast_signed();
        options.options_mut().read(true).custom_flags(only_folders);
        Self::of(options.open(dir).class(Class::Output)?, dir.to_owned(), reporter)
    }

    fn of(file: File, path: PathBuf, reporter: &dyn Reporter) -> Result<Self> {
        if file.file().try_lock().is_err() {
            reporter.event(&Event::Waiting { path });
            file.file().lock().class(Class::Output)?;
        }
        Ok(Self { _file: file })
    }
}
