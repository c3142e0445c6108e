//! Name look-up for the HTTP agent. ureq's own starts a thread for each request that has a time limit, even for
//! an address that is no name; with a dozen requests in the life of a process, that would be
//! a good part of it. Here addresses need no look-up and names are looked up once.
//!
//! This trait is outside ureq's promise of stable versions; Cargo.lock pins it.

use std::{net::SocketAddr, sync::Mutex};

use ureq::{
    Error,
    config::Config,
    http::Uri,
    unversioned::{
        resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver},
        transport::NextTimeout,
    },
};

/// Looks a name up at most once.
#[derive(Debug, Default)]
pub struct Once {
    names: DefaultResolver,
    known: Mutex<Vec<(String, ResolvedSocketAddrs)>>,
}

impl Resolver for Once {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err(Error::HostNotFound);
        };
        let name = DefaultResolver::host_and_port(scheme, authority).ok_or(Error::HostNotFound)?;
        if let Ok(address) = name.parse::<SocketAddr>() {
            let mut addresses = self.empty();
            addresses.push(address);
            return Ok(addresses);
        }
        let find = |known: &[(String, ResolvedSocketAddrs)]| {
            known.iter().find(|(n, _)| *n == name).map(|(_, addresses)| addresses.clone())
        };
        if let Some(addresses) = self.known.lock().ok().and_then(|known| find(&known)) {
            return Ok(addresses);
        }
        let addresses = self.names.resolve(uri, config, timeout)?;
        if let Ok(mut known) = self.known.lock() {
            known.push((name, addresses.clone()));
        }
        Ok(addresses)
    }
}
