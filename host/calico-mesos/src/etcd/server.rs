//! One of etcd's addresses, ready to be connected to: its name is looked up once, and only if it is one.

use std::{
    cell::OnceCell,
    net::{SocketAddr, ToSocketAddrs},
    sync::{
        Arc,
        mpsc::{RecvTimeoutError, channel},
    },
    thread,
};

use rustls::{ClientConfig, pki_types::ServerName};

use super::{Error, address::Address, connection::Secure};
use crate::deadline::Deadline;

/// The look-up of a name, by the C library, needs no more.
const STACK: usize = 512 << 10;

/// An address of etcd.
pub(super) struct Server {
    pub(super) address: Address,
    /// For https.
    pub(super) secure: Option<Secure>,
    /// Kept also where there are none: who asks again would wait again.
    sockets: OnceCell<Result<Vec<SocketAddr>, &'static str>>,
}

impl Server {
    /// Makes one; nothing is looked up yet. `tls` is there if any address is https.
    pub(super) fn new(address: Address, tls: Option<&Arc<ClientConfig>>) -> Result<Self, Error> {
        let secure = match tls.filter(|_| address.is_https()) {
            None => None,
            Some(config) => {
                let name = ServerName::try_from(address.host().to_owned());
                let unusable = |_| Error::Tls(format!("{} is no name", address.host()));
                Some(Secure { config: Arc::clone(config), name: name.map_err(unusable)? })
            }
        };
        Ok(Self { address, secure, sockets: OnceCell::new() })
    }

    /// Where a test wants it to be.
    #[cfg(test)]
    pub(super) fn sockets_are(&self, sockets: impl Into<Vec<SocketAddr>>) {
        self.sockets.set(Ok(sockets.into())).unwrap();
    }

    /// Where to connect to, in order of preference; at least one. The text says why nowhere.
    pub(super) fn sockets(&self, until: Deadline) -> Result<&[SocketAddr], &'static str> {
        let found = self.sockets.get_or_init(|| look_up(self.address.host_port(), until));
        found.as_deref().map_err(|why| *why)
    }
}

fn look_up(host_port: &str, until: Deadline) -> Result<Vec<SocketAddr>, &'static str> {
    if let Ok(address) = host_port.parse() {
        return Ok(vec![address]);
    }
    let (sender, found) = channel();
    let name = host_port.to_owned();
    // The C library knows no limit of time. Its thread is not waited for beyond ours.
    let work = move || sender.send(name.to_socket_addrs().map(Vec::from_iter));
    let spawned = thread::Builder::new().stack_size(STACK).spawn(work);
    spawned.map_err(|_| "no thread to look the host name up")?;
    match found.recv_timeout(until.left().unwrap_or_default()) {
        Ok(Ok(addresses)) if !addresses.is_empty() => Ok(addresses),
        Err(RecvTimeoutError::Timeout) => Err("the host name was not found in time"),
        _ => Err("the host name is not known"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn found(host_port: &str) -> Result<Vec<SocketAddr>, &'static str> {
        look_up(host_port, Deadline::after(Duration::from_secs(10)))
    }

    #[test]
    fn addresses_need_no_look_up_and_names_do() {
        assert_eq!(found("127.0.0.1:1").unwrap(), ["127.0.0.1:1".parse().unwrap()]);
        assert_eq!(found("[fd80::1]:1").unwrap(), ["[fd80::1]:1".parse().unwrap()]);
        let local = found("localhost:7").unwrap();
        assert!(local.iter().all(|ip| ip.ip().is_loopback() && ip.port() == 7), "{local:?}");
        assert_eq!(found("no-such-host.invalid:1"), Err("the host name is not known"));
    }
}
