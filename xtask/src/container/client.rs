//! The engine's client as a process: podman does much of its work itself, in children that would
//! go on without it.

use std::{
    collections::HashMap,
    os::fd::OwnedFd,
    sync::atomic::{AtomicU32, Ordering},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};

/// A client that may be running; 0 if none is.
#[derive(Debug, Default)]
pub(super) struct Client(AtomicU32);

impl Client {
    pub(super) fn started(&self, pid: u32) {
        self.0.store(pid, Ordering::SeqCst);
    }

    pub(super) fn ended(&self) {
        self.0.store(0, Ordering::SeqCst);
    }

    /// Ends it, and all that it has started.
    pub(super) fn end(&self) {
        let client = self.0.swap(0, Ordering::SeqCst);
        if client == 0 {
            return;
        }
        let parents = parents();
        let family = std::iter::once(client).chain(descendants(client, &parents));
        let family: Vec<_> = family.filter_map(open).collect();
        for process in &family {
            let _ = pidfd_send_signal(process, Signal::KILL);
        }
        for process in &family {
            let mut ended = [PollFd::new(process, PollFlags::IN)];
            let _ = poll(&mut ended, Some(&PATIENCE));
        }
    }
}

/// Longer than the kernel takes to end a process.
const PATIENCE: Timespec = Timespec { tv_sec: 5, tv_nsec: 0 };

/// A hold on a process: its number may be another's by the time it is looked at again.
fn open(pid: u32) -> Option<OwnedFd> {
    pidfd_open(Pid::from_raw(pid.cast_signed())?, PidfdFlags::empty()).ok()
}

/// Every process that can be seen, with its parent.
fn parents() -> HashMap<u32, u32> {
    let processes = fs_err::read_dir("/proc").into_iter().flatten().flatten();
    let parent = |entry: fs_err::DirEntry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        Some((pid, parent(&fs_err::read_to_string(entry.path().join("stat")).ok()?)?))
    };
    processes.filter_map(parent).collect()
}

/// `PID (NAME) STATE PARENT ...`; the name may hold anything.
fn parent(stat: &str) -> Option<u32> {
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

fn descendants(of: u32, parents: &HashMap<u32, u32>) -> Vec<u32> {
    let mut found = vec![of];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        found.extend(parents.iter().filter(|(_, p)| **p == parent).map(|(pid, _)| pid));
        next += 1;
    }
    found.split_off(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_family_is_found() {
        assert_eq!(parent("7 (a) b) S 4 7 7 0"), Some(4));
        let parents = HashMap::from([(2, 1), (3, 2), (4, 3), (5, 1), (6, 2)]);
        let mut found = descendants(2, &parents);
        found.sort_unstable();
        assert_eq!(found, [3, 4, 6]);
    }
}
