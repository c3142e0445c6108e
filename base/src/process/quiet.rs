//! Reports programs that print nothing for a long time. Such a program may be working or may hang. It is not ended, but
//! the user is told.

use std::{
    sync::{
        Condvar, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

static FIRST: OnceLock<Duration> = OnceLock::new();

/// The time of silence before the first report. Further reports come each time that the silence has doubled.
pub(super) fn first() -> Duration {
    FIRST.get().copied().unwrap_or(Duration::from_secs(30))
}

/// Sets the time of silence before the first report. Call it before the first program is run.
pub fn set_silence(silence: Duration) {
    // It is set once, because a process runs one command.
    let _ = FIRST.set(silence);
}

/// Measures the silence of one program.
#[derive(Default)]
pub(super) struct Quiet {
    lines: AtomicU64,
    over: Mutex<bool>,
    changed: Condvar,
}

impl Quiet {
    /// Notes a line of output.
    pub(super) fn line(&self) {
        self.lines.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that the program has ended.
    pub(super) fn end(&self) {
        *self.over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    /// Calls `tell` for each time of silence, until the program has ended.
    pub(super) fn watch(&self, first: Duration, tell: &dyn Fn(Duration)) {
        let (mut seen, mut silence) = (self.lines.load(Ordering::Relaxed), Duration::ZERO);
        loop {
            let wait = if silence.is_zero() { first } else { silence };
            let over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
            let waited = self.changed.wait_timeout_while(over, wait, |over| !*over);
            let (over, _) = waited.unwrap_or_else(PoisonError::into_inner);
            if *over {
                return;
            }
            drop(over);
            let now = self.lines.load(Ordering::Relaxed);
            silence = if now == seen { silence + wait } else { Duration::ZERO };
            seen = now;
            if !silence.is_zero() {
                tell(silence);
            }
        }
    }
}

/// A rounded time for people: `30 s`, `4 min`, `1 h 5 min`.
pub fn rough(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_reported_at_growing_intervals() {
        let quiet = Quiet::default();
        let told = Mutex::new(Vec::new());
        let first = Duration::from_millis(1);
        quiet.watch(first, &|silence| {
            let mut told = told.lock().unwrap();
            told.push(silence.as_millis());
            match told.len() {
                // A line begins the count again.
                3 => quiet.line(),
                5 => quiet.end(),
                _ => {}
            }
        });
        assert_eq!(told.into_inner().unwrap(), [1, 2, 4, 1, 2]);
    }

    #[test]
    fn durations_are_rounded_for_people() {
        let rough = |seconds| rough(Duration::from_secs(seconds));
        assert_eq!([rough(30), rough(150), rough(3900 * 2)], ["30 s", "2 min", "2 h 10 min"]);
    }
}
