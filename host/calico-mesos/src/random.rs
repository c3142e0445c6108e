//! Pauses between tries, of random length, so that two processes do not get in each other's way again.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

/// Makes the numbers of this process other ones than those of every other process, on whatever host: fastrand by
/// itself begins with the time since the host was started.
pub fn begin() {
    fastrand::seed(RandomState::new().hash_one(std::process::id()));
}

/// Waits before try number `attempt` (from 0) of something that others are changing too: longer
/// with each try, never the same for two processes, never more than 50 ms.
pub fn back_off(attempt: u32) {
    let ceiling = 1_000u64 << attempt.min(5);
    std::thread::sleep(Duration::from_micros(500 + fastrand::u64(..ceiling.min(50_000))));
}

/// How long to wait before try number `attempt` (from 0) of a server that is away: up to a second, so that neither
/// it nor the log is flooded; never the same for two processes.
pub fn pause(attempt: u32) -> Duration {
    let ceiling = 40_000u64 << attempt.min(5);
    Duration::from_micros(20_000 + fastrand::u64(..ceiling.min(1_000_000)))
}
