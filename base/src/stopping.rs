//! Whether the run is being stopped.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

static STOPPING: AtomicBool = AtomicBool::new(false);

/// Notes that a signal has come.
pub fn begin() {
    STOPPING.store(true, Ordering::SeqCst);
}

/// Waits for ever once a signal has come: its handler ends the process. To be called by whoever sees the effects of
/// the handler's work, a container that is gone above all, before calling them a failure.
pub fn hold() {
    while STOPPING.load(Ordering::SeqCst) {
        thread::park();
    }
}
