//! Shares threads among the packages that are being written.

use std::sync::{Mutex, PoisonError};

/// A number of threads, which packages take to compress with.
pub struct Threads {
    free: Mutex<u32>,
}

/// The threads of one package, until it is written.
pub(super) struct TakenThreads<'a> {
    all: &'a Threads,
    pub(super) count: u32,
}

impl Threads {
    /// This many threads for all packages together.
    pub fn new(threads: u32) -> Self {
        Self { free: Mutex::new(threads) }
    }

    /// Takes all free threads. There may be none: the step itself still runs on a thread of the scheduler.
    pub(super) fn take(&self) -> TakenThreads<'_> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = std::mem::take(&mut *free);
        TakenThreads { all: self, count: taken }
    }
}

impl Drop for TakenThreads<'_> {
    fn drop(&mut self) {
        *self.all.free.lock().unwrap_or_else(PoisonError::into_inner) += self.count;
    }
}
