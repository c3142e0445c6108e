//! One of etcd's addresses, ready to be connected to: its name is looked up once, and only if it is one.

use std::{
    cell::RefCell,
    collections::VecDeque,
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

/// Where to connect to, in order of preference and at least one; or why nowhere.
type Sockets = Result<VecDeque<SocketAddr>, &'static str>;

/// An address of etcd.
pub(super) struct Server {
    pub(super) address: Address,
    /// For https.
    pub(super) secure: Option<Secure>,
    /// Kept also where there are none: who asks again at once would wait again.
    sockets: RefCell<Option<Sockets>>,
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
        Ok(Self { address, secure, sockets: RefCell::default() })
    }

    /// Where a test wants it to be.
    #[cfg(test)]
    pub(super) fn sockets_are(&self, sockets: impl Into<VecDeque<SocketAddr>>) {
        self.sockets.replace(Some(Ok(sockets.into())));
    }

    /// Looks the name up if that has not been done.
    pub(super) fn sockets(&self, until: Deadline) -> Sockets {
        let mut sockets = self.sockets.borrow_mut();
        sockets.get_or_insert_with(|| look_up(self.address.host_port(), until)).clone()
    }

    /// What was found nowhere is looked up again.
    pub(super) fn look_again(&self) {
        self.sockets.borrow_mut().take_if(|sockets| sockets.is_err());
    }

    /// The first of several sockets has failed after it was connected: it will be the last one.
    pub(super) fn prefer_others(&self) {
        if let Some(Ok(sockets)) = &mut *self.sockets.borrow_mut() {
            sockets.rotate_left(1);
        }
    }
}

fn look_up(host_port: &str, until: Deadline) -> Sockets {
    if let Ok(address) = host_port.parse() {
        return Ok(VecDeque::from([address]));
    }
    let (sender, found) = channel();
    let name = host_port.to_owned();
    // The C library knows no limit of time. Its thread is not waited for beyond ours.
    let work = move || sender.send(name.to_socket_addrs().map(VecDeque::from_iter));
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

    use super::{super::address, *};

    fn found(host_port: &str) -> Sockets {
        look_up(host_port, Deadline::after(Duration::from_secs(10)))
    }

    #[test]
    fn what_was_found_is_kept_and_what_was_not_is_looked_up_again() {
        let server = |host_port: &str| {
            let address = address::from_settings(None, Some(host_port), None).unwrap().remove(0);
            Server::new(address, None).unwrap()
        };
        let until = Deadline::after(Duration::from_secs(10));
        let several = server("etcd.example:1");
        let sockets: [SocketAddr; 2] = ["127.0.0.1:1", "127.0.0.2:1"].map(|s| s.parse().unwrap());
        several.sockets_are(sockets);
        several.look_again();
        assert_eq!(several.sockets(until).unwrap(), sockets);
        several.prefer_others();
        assert_eq!(several.sockets(until).unwrap(), [sockets[1], sockets[0]]);

        let unknown = server("localhost:7");
        unknown.sockets.replace(Some(Err("the host name is not known")));
        assert!(unknown.sockets(until).is_err());
        unknown.look_again();
        assert!(unknown.sockets(until).is_ok());
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
