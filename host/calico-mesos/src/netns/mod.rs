//! Network namespaces and interfaces, by netlink. No command is run and no link is left under /var/run/netns:
//! unlike the original, a namespace is held by a file descriptor.
//!
//! The messages are built with netlink-packet-route and sent over netlink-sys: both are kept by the
//! rust-netlink project and work without a runtime. (neli is as good; rtnetlink needs tokio.) Only
//! attributes that kernel 3.10 knows are used.

pub mod provision;
pub mod rtnl;

use std::os::{
    fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
    unix::fs::MetadataExt,
};

use nix::sched::{CloneFlags, setns};

use self::rtnl::Rtnl;
use crate::error::{Error, Result};

/// A network namespace that stays as long as this value lives.
#[derive(Debug)]
pub struct Namespace {
    file: fs_err::File,
}

impl Namespace {
    /// The namespace of a process. The message for a process that is gone is the original's.
    pub fn of_process(pid: u32) -> Result<Self> {
        Self::at(&format!("/proc/{pid}/ns/net"))
    }

    /// The namespace of the calling thread. (Kernel 3.10 has no /proc/thread-self.)
    pub fn of_thread() -> Result<Self> {
        Self::at(&format!("/proc/self/task/{}/ns/net", nix::unistd::gettid()))
    }

    fn at(path: &str) -> Result<Self> {
        match fs_err::File::open(path) {
            Ok(file) => Ok(Self { file }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(Error::Namespace(format!("Namespace pseudofile {path} does not exist.")))
            }
            Err(error) => Err(Error::Namespace(error.to_string())),
        }
    }

    /// Whether both are the same namespace.
    pub fn is(&self, other: &Self) -> Result<bool> {
        let identity = |namespace: &Self| match namespace.file.metadata() {
            Ok(found) => Ok((found.dev(), found.ino())),
            Err(error) => Err(Error::Namespace(error.to_string())),
        };
        Ok(identity(self)? == identity(other)?)
    }

    /// The descriptor for netlink's `IFLA_NET_NS_FD`.
    pub fn raw_fd(&self) -> RawFd {
        self.file.file().as_raw_fd()
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.file.file().as_fd()
    }

    /// Opens a netlink socket inside the namespace. A socket belongs to the namespace that its maker was in,
    /// so the thread is back in its own before anything else happens.
    pub fn open_rtnl(&self) -> Result<Rtnl> {
        let own = Self::of_thread()?;
        self.enter()?;
        let rtnl = Rtnl::open();
        // Staying in there would aim everything that follows at the wrong host.
        own.enter()?;
        rtnl
    }

    /// Moves the calling thread into the namespace.
    pub fn enter(&self) -> Result<()> {
        setns(self.fd(), CloneFlags::CLONE_NEWNET)
            .map_err(|errno| Error::Namespace(format!("entering a namespace: {errno}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_is_gone() {
        let text = Namespace::of_process(i32::MAX as u32).unwrap_err().to_string();
        assert_eq!(text, "Namespace pseudofile /proc/2147483647/ns/net does not exist.");
    }
}
