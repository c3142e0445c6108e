//! Records of running programs on disk. If a run is killed with SIGKILL, its programs go on; the next run finds
//! the records, and ends them.

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
};

use serde::{Deserialize, Serialize};

use super::family::{self, ProcStat};
use crate::workspace::Workspace;

/// Identifies a process, even if its number is used again later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct ProcessIdentity {
    pid: u32,
    since: u64,
    /// Identifies the boot of the machine, from which `since` counts.
    boot: String,
}

impl ProcessIdentity {
    fn of(pid: u32) -> Option<Self> {
        let boot = fs_err::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        Some(Self { pid, since: ProcStat::of(pid)?.since, boot: boot.trim().to_owned() })
    }

    fn is_there(&self) -> bool {
        Self::of(self.pid).as_ref() == Some(self)
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Left {
    /// The run that has started the program.
    run: ProcessIdentity,
    program: ProcessIdentity,
}

/// The folder of the records, once it is known.
static FOLDER: OnceLock<PathBuf> = OnceLock::new();

/// Records every program that is started from now on, in the folder of this checkout.
pub fn record_programs_in(workspace: &Workspace) {
    let _ = FOLDER.set(folder(workspace));
}

/// A record. Its file exists for as long as the program is running.
pub(super) struct ProgramRecord(PathBuf);

impl ProgramRecord {
    /// Writes a record; `None` if there is no /proc, or the disk is full.
    pub(super) fn write(pid: u32) -> Option<Self> {
        let dir = FOLDER.get()?;
        let run = ProcessIdentity::of(std::process::id())?;
        let left = Left { run, program: ProcessIdentity::of(pid)? };
        fs_err::create_dir_all(dir).ok()?;
        let path = dir.join(pid.to_string());
        fs_err::write(&path, serde_json::to_string(&left).ok()?).ok()?;
        Some(Self(path))
    }
}

impl Drop for ProgramRecord {
    fn drop(&mut self) {
        let _ = fs_err::remove_file(&self.0);
    }
}

fn folder(workspace: &Workspace) -> PathBuf {
    workspace.state.join("running")
}

/// Ends the programs that a killed run of this checkout has left.
pub fn end_left_programs(workspace: &Workspace) {
    let entries = fs_err::read_dir(folder(workspace)).into_iter().flatten().flatten();
    for note in entries.map(|entry| entry.path()) {
        end(&note);
    }
}

fn end(note: &Path) {
    let text = fs_err::read_to_string(note).unwrap_or_default();
    if let Ok(left) = serde_json::from_str::<Left>(&text) {
        // Another command may be running in this checkout.
        if left.run.is_there() {
            return;
        }
        if left.program.is_there() {
            family::kill(left.program.pid);
        }
    }
    let _ = fs_err::remove_file(note);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reused_process_number_is_not_the_recorded_program() {
        let own = ProcessIdentity::of(std::process::id()).unwrap();
        assert!(own.is_there());
        assert!(!ProcessIdentity { since: own.since + 1, ..own.clone() }.is_there());
        assert!(!ProcessIdentity { boot: "another".into(), ..own }.is_there());
    }
}
