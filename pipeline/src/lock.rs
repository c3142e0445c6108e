//! A lock for a checkout, or for a folder that several checkouts write to: a second run reports that it waits.

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

/// The lock is held until this value is dropped. The kernel frees it however the process ends.
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
        // Opening a pipe would wait until somebody opens its other end.
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

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Duration};

    use super::*;
    use crate::fixture::{Recorder, SILENT, TempCheckout};

    /// Sends the path of the lock that a run waits for.
    struct Waits(mpsc::SyncSender<PathBuf>);
    impl Reporter for Waits {
        fn event(&self, event: &Event<'_>) {
            if let Event::Waiting { path } = event {
                self.0.send(path.clone()).unwrap();
            }
        }
    }

    #[test]
    fn a_second_run_says_that_it_waits_and_goes_on_when_the_first_one_ends() {
        let checkout = TempCheckout::new();
        let first = Lock::take(&checkout.workspace, &SILENT).unwrap();
        let (send, receive) = mpsc::sync_channel(1);
        std::thread::scope(|scope| {
            let second = scope.spawn(|| Lock::take(&checkout.workspace, &Waits(send)).map(drop));
            let path = receive.recv_timeout(Duration::from_secs(20)).unwrap();
            assert_eq!(path, checkout.workspace.state.join("lock"));
            assert!(!second.is_finished());
            drop(first);
            second.join().unwrap().unwrap();
        });
    }

    #[test]
    fn a_free_lock_is_taken_without_a_word() {
        let checkout = TempCheckout::new();
        let recorder = Recorder::default();
        drop(Lock::take(&checkout.workspace, &recorder).unwrap());
        drop(Lock::take(&checkout.workspace, &recorder).unwrap());
        assert!(recorder.take().is_empty());
    }

    #[test]
    fn the_lock_of_a_folder_leaves_no_file_and_refuses_a_pipe_without_waiting() {
        let checkout = TempCheckout::new();
        let root = &checkout.workspace.root;
        drop(Lock::of_folder(root, &SILENT).unwrap());
        assert_eq!(fs_err::read_dir(root).unwrap().count(), 0);
        rustix::fs::mkfifoat(rustix::fs::CWD, root.join("pipe"), 0o600.into()).unwrap();
        // The other end of the pipe is open, so that opening it does not block, and the test fails instead of
        // hanging.
        let _other_end =
            fs_err::OpenOptions::new().read(true).write(true).open(root.join("pipe")).unwrap();
        checkout.write("file", "");
        for name in ["pipe", "file", "absent"] {
            let failure = Lock::of_folder(&root.join(name), &SILENT).err().unwrap();
            assert_eq!(failure.class, Class::Output, "{name}");
        }
    }
}
