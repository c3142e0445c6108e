//! The bond between a process of the sandbox and the one that started it: the kernel kills the former when the latter dies.

use std::io::{Read, Seek};

use nix::sys::{prctl, signal::Signal};

use base::failure::{Class, Failure, Result};

/// The process that started this one.
pub(super) struct Parent {
    /// Its /proc/PID/stat. It can still be read after /proc has become another one.
    stat: fs_err::File,
}

impl Parent {
    /// Lets the kernel kill this process when its parent dies.
    ///
    /// # Errors
    /// If the parent is another process than `expected`: the expected one died before.
    pub(super) fn bind(expected: u32) -> Result<Self> {
        die_with_parent()?;
        // The first process of a pid namespace cannot ask the kernel for a parent outside. But /proc is that of the outside
        // until another is mounted.
        let status = fs_err::read_to_string("/proc/self/status").unwrap_or_default();
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
        if parent.and_then(|parent| parent.trim().parse::<u32>().ok()) != Some(expected) {
            return Err(gone());
        }
        let stat = fs_err::File::open(format!("/proc/{expected}/stat")).map_err(|_| gone())?;
        Ok(Self { stat })
    }

    /// The same again, after a change of user or namespace, which undoes it.
    pub(super) fn bind_again(&mut self) -> Result<()> {
        die_with_parent()?;
        let mut stat = String::new();
        let read = self.stat.rewind().and_then(|()| self.stat.read_to_string(&mut stat));
        let has_ended = stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['Z', 'X']));
        if read.is_err() || has_ended { Err(gone()) } else { Ok(()) }
    }
}

fn die_with_parent() -> Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL)
        .map_err(|e| failed("a process of the sandbox cannot be bound to its parent", e))
}

fn gone() -> Failure {
    Failure::new(Class::Tool, "the process that wanted the sandbox is gone")
}

/// The failure of a system call of the sandbox. `what` is a sentence.
pub(super) fn failed(what: impl Into<String>, error: nix::errno::Errno) -> Failure {
    let error = std::io::Error::from_raw_os_error(error as i32);
    Failure::new(Class::Tool, format!("{}: {error}", what.into()))
}
