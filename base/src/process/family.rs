//! Ends a program with all processes that it has started: its process group and its descendants.
//!
//! A daemon that should outlive its caller, such as gpg's agent, is neither in the group nor a descendant.

use std::{collections::HashMap, path::Path, time::Duration};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// Number of rounds of killing. A process may start another one during the first round.
const ROUNDS: usize = 10;

/// Kills a program with its family, and waits until they have ended.
pub(super) fn kill(program: u32) {
    for _ in 0..ROUNDS {
        let processes = all();
        let family = family(program, &processes);
        if family.is_empty() {
            break;
        }
        let waiting = Waiting::open(&family);
        if let Some(group) = Pid::from_raw(program.cast_signed()) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        waiting.kill();
    }
}

/// Sends SIGTERM to a program, and waits until it has ended.
pub(super) fn terminate(program: u32) {
    let waiting = Waiting::open(&[program]);
    if let Some(pid) = Pid::from_raw(program.cast_signed()) {
        let _ = kill_process(pid, Signal::TERM);
    }
    waiting.for_ever();
}

/// The fields of /proc/PID/stat that are needed here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ProcStat {
    parent: u32,
    group: u32,
    /// Whether it is a zombie: it has ended, and its parent has not read its status yet.
    ended: bool,
    /// Processor time that it has taken, with that of its children that have ended, in hundredths of a second.
    ticks: u64,
    /// When it was started, in clock ticks since the machine was booted.
    pub(super) since: u64,
}

impl ProcStat {
    /// The process with this number; `None` if there is none.
    pub(super) fn of(pid: u32) -> Option<Self> {
        let stat = fs_err::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"));
        Self::parse(&stat.ok()?)
    }

    /// Parses `PID (NAME) STATE PARENT GROUP ... START ...`. The name may have any characters, even `)`.
    fn parse(stat: &str) -> Option<Self> {
        let words: Vec<_> = stat.rsplit_once(") ")?.1.split_ascii_whitespace().collect();
        let ended = matches!(*words.first()?, "Z" | "X");
        let (parent, group) = (words.get(1)?.parse().ok()?, words.get(2)?.parse().ok()?);
        // The 14th to 17th field of the line.
        let ticks = words.get(11..15)?.iter().filter_map(|word| word.parse::<u64>().ok()).sum();
        // The 22nd field of the line.
        Some(Self { parent, group, ended, ticks, since: words.get(19)?.parse().ok()? })
    }
}

/// The processor time of a program and all that it has started, as far as their command lines are counted.
pub(super) fn processor_time(program: u32, counts: fn(&str) -> bool) -> Duration {
    let processes = all();
    let is_counted = |pid: &u32| {
        let line = fs_err::read(Path::new("/proc").join(pid.to_string()).join("cmdline"));
        line.is_ok_and(|line| counts(&String::from_utf8_lossy(&line).replace('\0', " ")))
    };
    let counted = family(program, &processes).into_iter().filter(is_counted);
    let ticks: u64 = counted.filter_map(|pid| processes.get(&pid)).map(|entry| entry.ticks).sum();
    Duration::from_millis(ticks * 10)
}

/// Every process that can be seen.
fn all() -> HashMap<u32, ProcStat> {
    let processes = fs_err::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| Some((pid, ProcStat::of(pid)?))).collect()
}

/// The running processes that belong to a program, the program itself first.
fn family(program: u32, processes: &HashMap<u32, ProcStat>) -> Vec<u32> {
    let mut found = vec![program];
    let mut next = 0;
    while let Some(of) = found.get(next).copied() {
        let belongs = |pid: &u32, entry: &ProcStat| {
            (entry.parent == of || entry.group == program) && !found.contains(pid)
        };
        let more: Vec<_> =
            processes.iter().filter(|(pid, entry)| belongs(pid, entry)).map(|(p, _)| *p).collect();
        found.extend(more);
        next += 1;
    }
    found.retain(|pid| processes.get(pid).is_some_and(|entry| !entry.ended));
    found
}

/// File descriptors of processes (pidfds). A process number may belong to another process by the time it is used.
#[cfg(target_os = "linux")]
struct Waiting(Vec<rustix::fd::OwnedFd>);

#[cfg(target_os = "linux")]
impl Waiting {
    fn open(processes: &[u32]) -> Self {
        use rustix::process::{PidfdFlags, pidfd_open};
        let open =
            |pid: &u32| pidfd_open(Pid::from_raw(pid.cast_signed())?, PidfdFlags::empty()).ok();
        Self(processes.iter().filter_map(open).collect())
    }

    fn kill(&self) {
        use rustix::event::Timespec;
        // The kernel needs less time to kill a process.
        const PATIENCE: Timespec = Timespec { tv_sec: 5, tv_nsec: 0 };
        for process in &self.0 {
            let _ = rustix::process::pidfd_send_signal(process, Signal::KILL);
        }
        self.wait(Some(&PATIENCE));
    }

    fn for_ever(&self) {
        self.wait(None);
    }

    fn wait(&self, patience: Option<&rustix::event::Timespec>) {
        use rustix::event::{PollFd, PollFlags, poll};
        for process in &self.0 {
            let _ = poll(&mut [PollFd::new(process, PollFlags::IN)], patience);
        }
    }
}

/// Other systems than Linux have neither pidfds nor /proc. There only the process group is known.
#[cfg(not(target_os = "linux"))]
struct Waiting(Vec<u32>);

#[cfg(not(target_os = "linux"))]
impl Waiting {
    fn open(processes: &[u32]) -> Self {
        Self(processes.to_vec())
    }

    fn kill(&self) {
        for pid in self.0.iter().filter_map(|pid| Pid::from_raw(pid.cast_signed())) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }

    fn for_ever(&self) {
        use rustix::process::{WaitId, WaitIdOptions, waitid};
        for pid in self.0.iter().filter_map(|pid| Pid::from_raw(pid.cast_signed())) {
            // Whoever started it asks for its status.
            let _ = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(parent: u32, group: u32, ended: bool) -> ProcStat {
        ProcStat { parent, group, ended, ticks: 0, since: 0 }
    }

    #[test]
    fn proc_stat_is_parsed_with_any_program_name() {
        let rest = "S 4 7 7 0 -1 0 0 0 0 0 1 2 3 4 20 0 1 0 987 0";
        let read = ProcStat::parse(&format!("7 (a) b) {rest}")).unwrap();
        assert_eq!(read, ProcStat { parent: 4, group: 7, ended: false, ticks: 10, since: 987 });
        assert_eq!(ProcStat::parse("7 (a"), None);
    }

    #[test]
    fn a_programs_family_is_its_group_and_its_descendants() {
        let processes = HashMap::from([
            (2, entry(1, 2, false)),
            (3, entry(2, 2, false)),
            // In a group of its own.
            (4, entry(3, 4, false)),
            // Its parent has ended.
            (5, entry(1, 2, false)),
            (6, entry(5, 6, false)),
            (7, entry(2, 2, true)),
            // A daemon.
            (8, entry(1, 8, false)),
        ]);
        let mut found = family(2, &processes);
        found.sort_unstable();
        assert_eq!(found, [2, 3, 4, 5, 6]);
    }

    #[test]
    fn killing_a_program_kills_its_descendants() {
        use std::io::Read;
        // The innermost holds the pipe open until it has ended.
        let script = "sh -c 'echo up; sleep 3600; echo down' & wait";
        let mut program = crate::process::Program::new("sh");
        let reader = program.args(["-c", script]).reader(Vec::new()).unwrap();
        let mut up = [0; 3];
        (&reader).read_exact(&mut up).unwrap();
        reader.end();
        let mut rest = Vec::new();
        (&reader).read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"");
    }
}
