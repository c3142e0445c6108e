//! The sandbox: runs a program in a root folder, in namespaces of its own, without an engine, a daemon or a setuid helper.
//!
//! The run writes a [`Request`] to a file and starts its own program again with the hidden command `sandbox`. That
//! process ([`enter`]) leaves the namespaces of this machine, and starts the program a third time: as process 1 of the
//! new pid namespace ([`init`]). Process 1 mounts the root and the folders of the request, gives up every right, runs
//! the command, and reaps what the command leaves behind. When process 1 ends, the kernel ends everything in the
//! namespace, and the mounts go with it. Each of the processes asks the kernel to be killed when its parent dies, so
//! the end of the run, by whatever signal, is the end of the sandbox.
//!
//! A process can leave its user namespace only while it has one thread. So nothing here starts a thread, and the hidden
//! command does nothing before it.

mod request;

#[cfg(target_os = "linux")]
mod able;
#[cfg(target_os = "linux")]
mod devices;
#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod enter;
#[cfg(target_os = "linux")]
mod filter;
#[cfg(target_os = "linux")]
mod init;
#[cfg(target_os = "linux")]
mod limits;
#[cfg(target_os = "linux")]
mod loopback;
#[cfg(target_os = "linux")]
mod mounting;
#[cfg(target_os = "linux")]
mod parent;
#[cfg(target_os = "linux")]
mod places;
#[cfg(target_os = "linux")]
mod read;
#[cfg(target_os = "linux")]
mod rights;

#[cfg(not(target_os = "linux"))]
pub use elsewhere::{Sandbox, enter, init};
pub use request::{As, Limits, REFUSED, Request};
#[cfg(target_os = "linux")]
pub use {able::Sandbox, enter::enter, init::init};
