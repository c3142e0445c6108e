//! Everything that can end a request, as the text that the caller gets in `error`.

use std::fmt;

use crate::{etcd, log};

/// Why a request failed.
#[derive(Debug)]
pub enum Error {
    /// The request itself is at fault; the text is one of facts 1.4 or in their style.
    Request(String),
    /// The data in etcd, or the way there.
    Etcd(etcd::Error),
    /// The network namespace or an interface.
    Namespace(String),
    /// Anything else: facts 1.4 call it `Unhandled error` with a text.
    Unhandled(String),
}

/// The result of anything that a request needs.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A refusal of the request with this text.
    pub fn request(text: impl Into<String>) -> Self {
        Self::Request(text.into())
    }
}

/// Nothing in place of data that is not in its format, which is logged: no number of tries would change that, and
/// it must stop neither what can be done with the rest, nor the end of a container.
pub fn forgive<T>(result: std::result::Result<T, impl Into<Error>>) -> Result<Option<T>> {
    match result.map_err(Into::into) {
        Ok(value) => Ok(Some(value)),
        Err(Error::Etcd(error @ etcd::Error::Corrupt { .. })) => {
            log::error(&error.to_string());
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(text) | Self::Namespace(text) => f.write_str(text),
            Self::Etcd(error) => error.fmt(f),
            Self::Unhandled(text) => write!(f, "Unhandled error {text}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<etcd::Error> for Error {
    fn from(error: etcd::Error) -> Self {
        Self::Etcd(error)
    }
}
