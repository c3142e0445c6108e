//! Small random numbers for request ids, retry pauses and the order of blocks. Nothing here is a
//! secret, so the seed that the standard library draws for its hash maps is enough.

use std::{
    cell::Cell,
    hash::{BuildHasher, RandomState},
    time::Duration,
};

thread_local! {
    static STATE: Cell<u64> = Cell::new(RandomState::new().hash_one(std::process::id()) | 1);
}

/// The next 64 bits (xorshift64).
pub fn next() -> u64 {
    STATE.with(|state| {
        let mut x = state.get();
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        state.set(x);
        x
    })
}

/// A number below `bound`, or 0 when `bound` is 0.
pub fn below(bound: u64) -> u64 {
    next().checked_rem(bound).unwrap_or(0)
}

/// Puts `items` into random order.
pub fn shuffle<T>(items: &mut [T]) {
    for i in (1..items.len()).rev() {
        items.swap(i, below(i as u64 + 1) as usize);
    }
}

/// Waits before try number `attempt` (from 0) of something that others are changing too: longer
/// with each try, never the same for two processes, never more than 50 ms.
pub fn back_off(attempt: u32) {
    let ceiling = 1_000u64 << attempt.min(5);
    std::thread::sleep(Duration::from_micros(500 + below(ceiling.min(50_000))));
}

/// How long to wait before try number `attempt` (from 0) of a server that is away: up to a second, so that neither
/// it nor the log is flooded; never the same for two processes.
pub fn pause(attempt: u32) -> Duration {
    let ceiling = 40_000u64 << attempt.min(5);
    Duration::from_micros(20_000 + below(ceiling.min(1_000_000)))
}

#[cfg(test)]
mod tests {
    #[test]
    fn shuffling_keeps_every_item() {
        let mut items: Vec<u32> = (0..100).collect();
        super::shuffle(&mut items);
        items.sort_unstable();
        assert_eq!(items, (0..100).collect::<Vec<_>>());
    }
}
