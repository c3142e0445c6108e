//! What can go wrong with etcd, said so that the reader knows what to look at.

use std::fmt;

/// A failure of an etcd call, or of the data that it brought.
#[derive(Clone, Debug)]
pub enum Error {
    /// No address answered; the text lists each with its reason.
    Unreachable {
        /// `http://host:port: connection refused; ...`
        tried: String,
        /// Whether the address was a guess because nothing is configured.
        defaulted: bool,
    },
    /// The time for the whole request is over.
    OutOfTime,
    /// etcd answered with an error.
    Refused {
        /// The key, with its leading slash.
        key: String,
        /// etcd's own number and text.
        cause: String,
    },
    /// Something answered that does not serve the v2 API.
    NotV2 {
        /// Who answered.
        address: String,
    },
    /// A value that is not in the format of facts 2.1: it is not touched.
    Corrupt {
        /// The key.
        key: String,
        /// What is wrong with it.
        cause: String,
    },
    /// Other processes changed the key each time between reading and writing.
    Contention {
        /// The key.
        key: String,
    },
    /// A TLS file cannot be used. Only its name is told.
    Tls(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { tried, defaulted: false } => write!(
                f,
                "etcd cannot be reached: {tried}. Is the address in ETCD_AUTHORITY (or \
                 ETCD_ENDPOINTS) right, and is etcd running?"
            ),
            Self::Unreachable { tried, defaulted: true } => write!(
                f,
                "etcd cannot be reached: {tried}. ETCD_AUTHORITY is not set, so the default \
                 address was used; set it for the agent, for instance in /etc/default/mesos-slave"
            ),
            Self::OutOfTime => f.write_str(
                "The time for the request is over (CALICO_MESOS_TOTAL_TIMEOUT); etcd is too slow",
            ),
            Self::Refused { key, cause } => write!(f, "etcd refused {key}: {cause}"),
            Self::NotV2 { address } => write!(
                f,
                "{address} does not serve etcd's v2 API (etcd 3.4 and later need --enable-v2)"
            ),
            Self::Corrupt { key, cause } => write!(f, "etcd key {key} is not as expected: {cause}"),
            Self::Contention { key } => {
                write!(f, "etcd key {key} was changed by others each time; gave up")
            }
            Self::Tls(cause) => write!(f, "TLS: {cause}"),
        }
    }
}
