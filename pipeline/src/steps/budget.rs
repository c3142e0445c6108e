//! Threads that all packages in flight share.

use std::sync::{Mutex, PoisonError};

/// A number of threads, shared out among the packages that are being written.
pub struct Budget {
    free: Mutex<u32>,
}

/// Threads that one package holds until it is written.
pub(super) struct Share<'a> {
    budget: &'a Budget,
    pub(super) threads: u32,
}

impl Budget {
    /// So many threads for all steps together.
    pub fn new(threads: u32) -> Self {
        Self { free: Mutex::new(threads) }
    }

    /// All that no other package holds, but at least one: a step has a core of its own anyway.
    pub(super) fn take(&self) -> Share<'_> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = std::mem::take(&mut *free);
        Share { budget: self, threads: taken }
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        *self.budget.free.lock().unwrap_or_else(PoisonError::into_inner) += self.threads;
    }
}
