//! What a client has to know.

use std::time::Duration;

use super::address::Address;

/// How to reach etcd.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where etcd is, in the order in which addresses are tried.
    pub addresses: Vec<Address>,
    /// True where no variable names etcd and the default address is used.
    pub defaulted: bool,
    /// For https.
    pub tls: TlsFiles,
    /// The time limit of one call, from connecting to the last byte.
    pub call: Duration,
}

/// The TLS files for https (facts 1.6).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificates of the authorities that are trusted.
    pub ca: Option<String>,
    /// The client's own certificate and key: both or neither.
    pub client: Option<(String, String)>,
}
