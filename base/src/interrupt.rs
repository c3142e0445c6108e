//! Handles SIGINT (Ctrl-C), SIGTERM and SIGHUP: stops the programs and containers of the run before the process ends.
//!
//! The signal's handler ends all running programs, with all that they have started. Containers do not
//! end with the program that started them. Code that starts one registers here how to remove it, and the
//! handler does so before it ends the run. A second signal ends the process at once.

use std::{
    sync::{Arc, Mutex, PoisonError, atomic::AtomicBool},
    thread,
};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    flag,
    iterator::{Handle, Signals},
};

use crate::{
    events::{Event, Reporter},
    failure::{Class, Classify, Result},
    process, stopping,
};

/// Removes something, such as a container. It must not fail, and may be called if the thing is gone already.
type TakeDown = Arc<dyn Fn() + Send + Sync>;

static GOING: Mutex<Vec<(u64, TakeDown)>> = Mutex::new(Vec::new());

/// Something outside of this process, such as a container, that must be removed if a signal ends the run. It is registered
/// for as long as this value exists.
pub struct Cleanup(u64);

impl Cleanup {
    /// Registers how to remove it.
    pub fn register(take_down: impl Fn() + Send + Sync + 'static) -> Self {
        let mut going = GOING.lock().unwrap_or_else(PoisonError::into_inner);
        let id = going.iter().map(|(id, _)| id + 1).max().unwrap_or(0);
        going.push((id, Arc::new(take_down)));
        Self(id)
    }
}

impl Drop for Cleanup {
    fn drop(&mut self) {
        GOING.lock().unwrap_or_else(PoisonError::into_inner).retain(|(id, _)| *id != self.0);
    }
}

/// Runs `work`. Signals that arrive meanwhile end the process in an orderly way.
pub fn guarded<T>(reporter: &dyn Reporter, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let second = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        // The order matters: the first signal sets the flag, and a second one finds it set.
        flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&second))
            .class(Class::Tool)?;
        flag::register(signal, Arc::clone(&second)).class(Class::Tool)?;
    }
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).class(Class::Tool)?;
    let handle = signals.handle();
    thread::scope(|scope| {
        scope.spawn(|| {
            if let Some(signal) = signals.forever().next() {
                end(signal, reporter);
            }
        });
        let _close = Close(handle);
        work()
    })
}

/// Ends the handling of signals, also if the work panics.
struct Close(Handle);

impl Drop for Close {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Ends the process. Its exit code is 128 plus the signal's number, as in shells.
fn end(signal: i32, reporter: &dyn Reporter) -> ! {
    stopping::begin();
    let name = match signal {
        SIGINT => "SIGINT",
        SIGTERM => "SIGTERM",
        _ => "SIGHUP",
    };
    reporter.event(&Event::Interrupted { signal: name });
    process::end_all();
    let going: Vec<_> = {
        let going = GOING.lock().unwrap_or_else(PoisonError::into_inner);
        going.iter().map(|(_, take_down)| Arc::clone(take_down)).collect()
    };
    for take_down in going {
        take_down();
    }
    std::process::exit(128 + signal)
}
