//! Whether the run is being stopped.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

static STOPPING: AtomicBool = AtomicBool::new(false);

/// Remembers that a signal has arrived.
pub fn begin() {
    STOPPING.store(true, Ordering::SeqCst);
}

/// Waits for ever if a signal has arrived: its handler will end the process. Call it before an error is reported that may be
/// an effect of the handler, such as a container that is gone.
pub fn wait_if_stopping() {
    while STOPPING.load(Ordering::SeqCst) {
        thread::park();
    }
}
