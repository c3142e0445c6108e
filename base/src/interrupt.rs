//! Ctrl-C and its kin: what a run has going outside its own process is taken down first.
//!
//! The signal's handler ends all programs that are running, with all that they have started. Containers do not
//! end with the program that asked for them: whoever starts one leaves word here how to get rid of it, and the
//! handler does so before it ends the run. A second signal ends it at once.

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

/// Takes something down; must not fail and may be called when it is gone already.
type TakeDown = Arc<dyn Fn() + Send + Sync>;

static GOING: Mutex<Vec<(u64, TakeDown)>> = Mutex::new(Vec::new());

/// Something that would go on without this process.
pub struct Going(u64);

impl Going {
    /// Leaves word how to take it down.
    pub fn note(take_down: impl Fn() + Send + Sync + 'static) -> Self {
        let mut going = GOING.lock().unwrap_or_else(PoisonError::into_inner);
        let id = going.iter().map(|(id, _)| id + 1).max().unwrap_or(0);
        going.push((id, Arc::new(take_down)));
        Self(id)
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        GOING.lock().unwrap_or_else(PoisonError::into_inner).retain(|(id, _)| *id != self.0);
    }
}

/// Runs `work`; signals that come meanwhile end the process in order.
pub fn guarded<T>(reporter: &dyn Reporter, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let second = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        // In this order: the first signal sets the flag, the second finds it set.
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

/// Ends the watching of signals, also when the work panics.
struct Close(Handle);

impl Drop for Close {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// The shell's convention: 128 and the signal's number.
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
