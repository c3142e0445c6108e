//! Work on a list by as many threads as there are cores.

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

/// Runs `job` on every item, and returns what it gave, in the order of the items. A panic of one ends the test.
pub fn on_all<I: Sync, T: Send>(items: &[I], job: impl Fn(&I) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Vec::new());
    let work = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(at) else { break };
            let one = job(item);
            found.lock().unwrap().push((at, one));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(work);
        }
    });
    let mut found = found.into_inner().unwrap();
    found.sort_by_key(|(at, _)| *at);
    found.into_iter().map(|(_, one)| one).collect()
}
