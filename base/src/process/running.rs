//! Programs that are running, for whoever ends the run: each with all that it has started.

use std::{
    io,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{family, left::Note};
use crate::stopping;

/// How a program ends when the run is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// It is killed, with all that it has started.
    Killed,
    /// It is asked to end itself, and waited for.
    Asked,
    /// It goes on: it is part of the stopping.
    Left,
}

/// All programs that are running.
struct All {
    /// Whether the run is being stopped, and nothing new may begin.
    closed: bool,
    programs: Vec<(u32, Ending)>,
}

static ALL: Mutex<All> = Mutex::new(All { closed: false, programs: Vec::new() });

fn all() -> MutexGuard<'static, All> {
    ALL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A program that is running. If this goes before the program has ended, the program is ended.
pub(super) struct Running {
    pid: u32,
    ending: Ending,
    ended: AtomicBool,
    _note: Option<Note>,
}

/// Starts a program, unless the run is being stopped: then this does not return.
pub(super) fn start<T>(
    ending: Ending,
    spawn: impl FnOnce() -> io::Result<T>,
    pids: impl FnOnce(&T) -> Vec<u32>,
) -> io::Result<(T, Running)> {
    // Held until the program is known: whoever stops the run sees it, or it is not begun.
    let mut all = all();
    if all.closed && ending != Ending::Left {
        drop(all);
        stopping::hold();
        return Err(io::Error::other("the run is being stopped"));
    }
    let started = spawn()?;
    let pid = pids(&started).first().copied().unwrap_or(0);
    all.programs.push((pid, ending));
    // What cleans up ends by itself.
    let note = if ending == Ending::Left { None } else { Note::write(pid) };
    Ok((started, Running { pid, ending, ended: AtomicBool::new(false), _note: note }))
}

impl Running {
    /// Notes that it has ended, and that its end has been seen.
    pub(super) fn ended(&self) {
        self.ended.store(true, Ordering::SeqCst);
        self.forget();
        if self.ending != Ending::Left {
            stopping::hold();
        }
    }

    /// Ends it, and all that it has started.
    pub(super) fn end(&self) {
        family::kill(self.pid);
    }

    fn forget(&self) {
        all().programs.retain(|(pid, _)| *pid != self.pid);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended.load(Ordering::SeqCst) {
            self.end();
            self.forget();
            // Its output may have ended early because the run is being stopped: no failure, then.
            if self.ending != Ending::Left {
                stopping::hold();
            }
        }
    }
}

/// Ends all programs, and lets none begin any more, save those that clean up.
pub fn end_all() {
    let programs = {
        let mut all = all();
        all.closed = true;
        all.programs.clone()
    };
    let with = |wanted: Ending| programs.iter().filter(move |(_, ending)| *ending == wanted);
    // At once, so that what has to be waited for gets no new work from the others.
    with(Ending::Killed).for_each(|(pid, _)| family::kill(*pid));
    with(Ending::Asked).for_each(|(pid, _)| family::ask(*pid));
}
