//! One run at a time in a checkout: the second waits and says so.

use fs_err::File;

use crate::{
    events::{Event, Reporter},
    failure::{Class, Classify, Result},
    workspace::Workspace,
};

/// Held as long as it lives; the kernel frees it however the process ends.
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of a checkout.
    pub(crate) fn take(workspace: &Workspace, reporter: &dyn Reporter) -> Result<Self> {
        fs_err::create_dir_all(&workspace.state).class(Class::Output)?;
        let path = workspace.state.join("lock");
        let file = fs_err::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .class(Class::Output)?;
        if file.file().try_lock().is_err() {
            reporter.event(&Event::Waiting { path });
            file.file().lock().class(Class::Output)?;
        }
        Ok(Self { _file: file })
    }
}
