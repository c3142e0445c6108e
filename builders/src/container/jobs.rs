//! How many compilers run at once: one per core, but no more than the memory is enough for.

use std::path::{Path, PathBuf};

use super::engine::Engine;

/// The memory that gcc needs for one of Mesos' larger source files.
const PER_JOB: u64 = 1_500_000_000;

/// The number of jobs for a build on the engine's machine.
pub(super) fn local(engine: &Engine) -> usize {
    if !engine.shares_folders {
        return fitting(engine.cores, engine.memory);
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let limit = cgroup_limit(Path::new("/sys/fs/cgroup")).unwrap_or(u64::MAX);
    // A local engine may run in a virtual machine with fewer cores and less memory.
    let memory = available().unwrap_or(engine.memory).min(limit).min(engine.memory);
    fitting(cores.min(engine.cores), memory)
}

/// The number of jobs for a build in the sandbox.
pub(super) fn here() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let limit = cgroup_limit(Path::new("/sys/fs/cgroup")).unwrap_or(u64::MAX);
    // Without /proc, a guess must do: one.
    fitting(cores, available().unwrap_or(0).min(limit))
}

/// All memory of this machine, or as much of it as control groups allow, with what can be swapped out.
pub(super) fn all_memory() -> u64 {
    let meminfo = fs_err::read_to_string("/proc/meminfo").unwrap_or_default();
    let parts = ["MemTotal:", "SwapTotal:"].map(|name| field(&meminfo, name));
    let all = parts[0].map_or(u64::MAX, |memory| memory + parts[1].unwrap_or(0));
    all.min(cgroup_limit(Path::new("/sys/fs/cgroup")).unwrap_or(u64::MAX))
}

fn fitting(cores: usize, memory: u64) -> usize {
    cores.min((memory / PER_JOB) as usize).max(1)
}

/// Available memory, as the kernel estimates it.
fn available() -> Option<u64> {
    field(&fs_err::read_to_string("/proc/meminfo").ok()?, "MemAvailable:")
}

fn field(meminfo: &str, name: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|l| l.strip_prefix(name))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// The lowest limit of the control groups that this process is in, of either version.
fn cgroup_limit(root: &Path) -> Option<u64> {
    let groups = fs_err::read_to_string("/proc/self/cgroup").ok()?;
    let files = groups.lines().flat_map(|line| limit_files(root, line));
    let limit = |p: PathBuf| fs_err::read_to_string(p).ok()?.trim().parse::<u64>().ok();
    files.filter_map(limit).min()
}

/// The files with the memory limits of one line of /proc/self/cgroup: of its group and of the groups above it.
fn limit_files(root: &Path, line: &str) -> Vec<PathBuf> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (Some(controllers), Some(group)) = (parts.next(), parts.next()) else { return Vec::new() };
    let (dir, file) = match controllers {
        "" => (root.to_owned(), "memory.max"),
        c if c.split(',').any(|c| c == "memory") => (root.join(c), "memory.limit_in_bytes"),
        _ => return Vec::new(),
    };
    let group = Path::new(group.trim_start_matches('/'));
    group.ancestors().map(|group| dir.join(group).join(file)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_and_memory_both_bound_it() {
        assert_eq!(fitting(8, 64_000_000_000), 8);
        assert_eq!(fitting(8, 4_000_000_000), 2);
        assert_eq!(fitting(8, 100_000_000), 1);
        let meminfo = "MemFree: 1 kB\nMemAvailable:   2048 kB\n";
        assert_eq!(field(meminfo, "MemAvailable:"), Some(2_097_152));
    }

    #[test]
    fn limits_of_both_versions_and_of_the_groups_above() {
        let files = |line: &str| limit_files(Path::new("/cg"), line);
        let one = |p: &str| PathBuf::from(p);
        assert_eq!(
            files("0::/user/x"),
            [one("/cg/user/x/memory.max"), one("/cg/user/memory.max"), one("/cg/memory.max")]
        );
        assert_eq!(files("4:memory:/")[0], one("/cg/memory/memory.limit_in_bytes"));
        assert_eq!(files("5:cpu,cpuacct:/x"), Vec::<PathBuf>::new());
    }
}
