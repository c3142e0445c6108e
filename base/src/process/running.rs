//! The list of running programs, so that they can be ended with the run.

use std::{
    io,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{family, left::ProgramRecord};
use crate::stopping;

/// How a program ends when the run is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// It is killed, with all processes that it has started.
    Killed,
    /// It gets SIGTERM, and the run waits for its end.
    Asked,
    /// It continues, because it helps to stop the run.
    Left,
}

/// All programs that are running.
struct All {
    /// Whether the run is being stopped. Then no program may be started.
    closed: bool,
    programs: Vec<(u32, Ending)>,
}

static ALL: Mutex<All> = Mutex::new(All { closed: false, programs: Vec::new() });

fn all() -> MutexGuard<'static, All> {
    ALL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A running program. If this value is dropped before the program has ended, the program is ended.
pub(super) struct Running {
    pid: u32,
    ending: Ending,
    ended: AtomicBool,
    _note: Option<ProgramRecord>,
}

/// Starts a program. If the run is being stopped, this does not return.
pub(super) fn start<T>(
    ending: Ending,
    spawn: impl FnOnce() -> io::Result<T>,
    pids: impl FnOnce(&T) -> Vec<u32>,
) -> io::Result<(T, Running)> {
    // The lock is held until the program is in the list. So stopping the run either finds it there, or prevents its start.
    let mut all = all();
    if all.closed && ending != Ending::Left {
        drop(all);
        stopping::wait_if_stopping();
        return Err(io::Error::other("the run is being stopped"));
    }
    let started = spawn()?;
    let pid = pids(&started).first().copied().unwrap_or(0);
    all.programs.push((pid, ending));
    // Programs that clean up end by themselves.
    let note = if ending == Ending::Left { None } else { ProgramRecord::write(pid) };
    Ok((started, Running { pid, ending, ended: AtomicBool::new(false), _note: note }))
}

impl Running {
    /// Removes it from the list, because it has ended and its status has been read.
    pub(super) fn ended(&self) {
        self.ended.store(true, Ordering::SeqCst);
        self.forget();
        if self.ending != Ending::Left {
            stopping::wait_if_stopping();
        }
    }

    /// Ends it, with all processes that it has started.
    pub(super) fn end(&self) {
        family::kill(self.pid);
    }

    /// Its number.
    pub(super) fn pid(&self) -> u32 {
        self.pid
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
            // If the run is being stopped, the output may have ended early, which is no failure.
            if self.ending != Ending::Left {
                stopping::wait_if_stopping();
            }
        }
    }
}

/// Ends all programs. After that only programs that clean up can be started.
pub fn end_all() {
    let programs = {
        let mut all = all();
        all.closed = true;
        all.programs.clone()
    };
    let with = |wanted: Ending| programs.iter().filter(move |(_, ending)| *ending == wanted);
    // They are killed first, so that the programs that are waited for get no new work from them.
    with(Ending::Killed).for_each(|(pid, _)| family::kill(*pid));
    with(Ending::Asked).for_each(|(pid, _)| family::terminate(*pid));
}
