//! /dev and /proc of a sandbox: what programs expect to be there, and nothing that shows or steers this machine.

use std::{os::unix::fs::symlink, path::Path};

use nix::mount::MsFlags;

use super::mounting::{bind, bind_device, fresh, make_empty, read_only};
use base::failure::{Class, Classify, Result};

/// Devices of this machine that harm nobody.
const DEVICES: [&str; 6] = ["full", "null", "random", "tty", "urandom", "zero"];
/// Links, and where they lead.
const LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("ptmx", "pts/ptmx"),
    ("stderr", "/proc/self/fd/2"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
];
/// Parts of /proc that say too much of the machine; container engines mask the same.
const MASKED: [&str; 18] = [
    "acpi",
    "asound",
    "config.gz",
    "interrupts",
    "kallsyms",
    "kcore",
    "keys",
    "kpagecgroup",
    "kpagecount",
    "kpageflags",
    "latency_stats",
    "pagetypeinfo",
    "sched_debug",
    "scsi",
    "slabinfo",
    "timer_list",
    "timer_stats",
    "vmallocinfo",
];
/// Parts of /proc that steer the machine.
const READ_ONLY: [&str; 8] =
    ["bus", "driver", "dynamic_debug", "fs", "irq", "mtrr", "sys", "sysrq-trigger"];

/// Fills the folder `dev`.
pub(super) fn dev(dev: &Path) -> Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    fresh(dev, "tmpfs", flags, "mode=755,size=64k")?;
    for name in DEVICES {
        let place = dev.join(name);
        make_empty(&place, false)?;
        device(&Path::new("/dev").join(name), &place)?;
    }
    for (name, to) in LINKS {
        symlink(to, dev.join(name)).class(Class::Tool)?;
    }
    for name in ["pts", "shm"] {
        make_empty(&dev.join(name), true)?;
    }
    fresh(&dev.join("pts"), "devpts", flags, "newinstance,ptmxmode=0666,mode=0620")?;
    fresh(&dev.join("shm"), "tmpfs", flags | MsFlags::MS_NODEV, "mode=1777,size=64m")?;
    read_only(dev, flags)
}

/// Shows a device. Its mode and its times, which are those of the machine, cannot be changed; it can be written to.
fn device(from: &Path, to: &Path) -> Result<()> {
    bind_device(from, to)?;
    read_only(to, MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC)
}

/// Mounts /proc in the folder `proc`: it shows the processes of the sandbox alone. `null` is the device.
pub(super) fn proc(proc: &Path, null: &Path) -> Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    fresh(proc, "proc", flags, "")?;
    for name in READ_ONLY {
        let part = proc.join(name);
        if part.exists() {
            bind(&part, &part, false)?;
        }
    }
    for name in MASKED {
        let part = proc.join(name);
        if part.is_dir() {
            fresh(&part, "tmpfs", flags | MsFlags::MS_RDONLY, "mode=555")?;
        } else if part.exists() {
            device(null, &part)?;
        }
    }
    Ok(())
}
