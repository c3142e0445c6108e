//! The processor time that a program takes with all that it has started: what a stranger has made decides how much
//! that is, so it gets a limit, which may grow while the program works.

use std::{
    sync::{
        Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::{family, program::OutputReader};

/// How often it is looked at.
const AGAIN: Duration = Duration::from_millis(500);

/// How much processor time a program may take.
pub struct Allowance<'a> {
    /// As much as this, by now.
    pub time: &'a (dyn Fn() -> Duration + Sync),
    /// Of the processes that are counted: their command lines, with spaces between the words.
    pub counts: fn(&str) -> bool,
}

impl Allowance<'_> {
    /// Does `work`, which reads what a program prints, and ends the program where it takes more than it may. Whether
    /// that was so. Where the system does not tell, there is no limit.
    pub fn hold<T>(&self, reader: &OutputReader, work: impl FnOnce() -> T) -> (T, bool) {
        let exceeded = AtomicBool::new(false);
        let (over, changed) = (Mutex::new(false), Condvar::new());
        let done = std::thread::scope(|scope| {
            scope.spawn(|| {
                loop {
                    let guard = over.lock().unwrap_or_else(PoisonError::into_inner);
                    let waited = changed.wait_timeout_while(guard, AGAIN, |over| !*over);
                    if *waited.unwrap_or_else(PoisonError::into_inner).0 {
                        return;
                    }
                    if family::processor_time(reader.pid(), self.counts) > (self.time)() {
                        exceeded.store(true, Ordering::SeqCst);
                        return reader.end();
                    }
                }
            });
            let done = work();
            *over.lock().unwrap_or_else(PoisonError::into_inner) = true;
            changed.notify_all();
            done
        });
        (done, exceeded.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::process::Program;

    /// The one that works is a child of the one that is started.
    fn busy() -> OutputReader {
        let script = "echo up; sh -c 'while :; do :; done'; echo down";
        Program::new("sh").args(["-c", script]).reader(Vec::new()).unwrap()
    }

    #[test]
    fn a_program_that_takes_more_than_it_may_is_ended() {
        let reader = busy();
        let time = || Duration::from_millis(100);
        let allowance = Allowance { time: &time, counts: |line| line.starts_with("sh -c while") };
        let mut text = String::new();
        let (read, exceeded) = allowance.hold(&reader, || (&reader).read_to_string(&mut text));
        read.unwrap();
        assert_eq!((text.as_str(), exceeded), ("up\n", true));
    }

    #[test]
    fn what_is_not_counted_has_no_limit() {
        let reader = busy();
        let allowance = Allowance { time: &|| Duration::ZERO, counts: |_| false };
        let (read, exceeded) = allowance.hold(&reader, || (&reader).read_exact(&mut [0; 3]));
        read.unwrap();
        assert!(!exceeded);
    }
}
