//! The engine's client as a process: podman does much of its work itself, in children that would
//! go on without it.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicU32, Ordering},
};

use rustix::process::{Pid, Signal};

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
        kill(family);
    }
}

/// Kills processes, and waits until they have ended.
#[cfg(target_os = "linux")]
fn kill(processes: impl Iterator<Item = u32>) {
    use rustix::{
        event::{PollFd, PollFlags, Timespec, poll},
        process::{PidfdFlags, pidfd_open, pidfd_send_signal},
    };
    // Longer than the kernel takes for it.
    const PATIENCE: Timespec = Timespec { tv_sec: 5, tv_nsec: 0 };
    // A number may be another process's by the time it is used again; a descriptor may not.
    let open = |pid: u32| pidfd_open(Pid::from_raw(pid.cast_signed())?, PidfdFlags::empty()).ok();
    let processes: Vec<_> = processes.filter_map(open).collect();
    for process in &processes {
        let _ = pidfd_send_signal(process, Signal::KILL);
    }
    for process in &processes {
        let _ = poll(&mut [PollFd::new(process, PollFlags::IN)], Some(&PATIENCE));
    }
}

/// Kills processes.
#[cfg(not(target_os = "linux"))]
fn kill(processes: impl Iterator<Item = u32>) {
    for pid in processes.filter_map(|pid| Pid::from_raw(pid.cast_signed())) {
        let _ = rustix::process::kill_process(pid, Signal::KILL);
    }
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
