//! Threads that all packages in flight share.

use std::sync::{Mutex, PoisonError};

/// A number of threads that the packages which are being written compress with.
pub struct Threads {
    free: Mutex<u32>,
}

/// Threads that one package holds until it is written.
pub(super) struct TakenThreads<'a> {
    all: &'a Threads,
    pub(super) count: u32,
}

impl Threads {
    /// So many threads for all steps together.
    pub fn new(threads: u32) -> Self {
        Self { free: Mutex::new(threads) }
    }

    /// All that no other package holds, but at least one: a step has a core of its own anyway.
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
