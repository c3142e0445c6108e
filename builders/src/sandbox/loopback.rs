//! Brings up the loopback interface of the new network namespace, which is its only one: tests of what is built talk to
//! themselves.

use std::os::fd::AsRawFd;

use nix::{
    errno::Errno,
    libc,
    sys::socket::{
        AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto,
        socket,
    },
};

use super::parent::failed;
use base::failure::Result;

/// The first interface of every network namespace.
const LOOPBACK: i32 = 1;

/// Brings it up.
pub(super) fn up() -> Result<()> {
    ask().map_err(|e| failed("the loopback interface cannot be brought up", e))
}

fn ask() -> Result<(), Errno> {
    let route = SockProtocol::NetlinkRoute;
    let socket = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, route)?;
    let kernel = NetlinkAddr::new(0, 0);
    sendto(socket.as_raw_fd(), &request(), &kernel, MsgFlags::empty())?;
    let mut answer = [0; 1024];
    let length = recv(socket.as_raw_fd(), &mut answer, MsgFlags::empty())?;
    // A header of 16 bytes, and then 0 or a negative error number.
    let error = answer[..length].get(16..20).and_then(|bytes| bytes.try_into().ok());
    match error.map(i32::from_ne_bytes) {
        Some(0) => Ok(()),
        Some(error) => Err(Errno::from_raw(-error)),
        None => Err(Errno::EPROTO),
    }
}

/// A `struct nlmsghdr` and a `struct ifinfomsg`: set the flag IFF_UP of the interface, and answer.
fn request() -> Vec<u8> {
    let up = libc::IFF_UP as u32;
    let flags = (libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16;
    let mut message = Vec::new();
    message.extend(32_u32.to_ne_bytes()); // length of both
    message.extend(libc::RTM_NEWLINK.to_ne_bytes());
    message.extend(flags.to_ne_bytes());
    message.extend([0; 8]); // number and sender
    message.extend([0; 4]); // family and type
    message.extend(LOOPBACK.to_ne_bytes());
    message.extend(up.to_ne_bytes()); // flags
    message.extend(up.to_ne_bytes()); // which of them change
    message
}
