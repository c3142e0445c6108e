//! Hosts that could not be reached. Each is tried once in a run, so that ten sources from a host that
//! is down need one wait only.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Hosts that could not be reached, with the reasons.
#[derive(Debug, Default)]
pub(super) struct Hosts(Mutex<BTreeMap<String, String>>);

impl Hosts {
    /// Remembers that a host could not be reached.
    pub(super) fn add_unreachable(&self, host: &str, why: &str) {
        let mut hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.entry(host.to_owned()).or_insert_with(|| why.to_owned());
    }

    /// Why a host could not be reached before; `None` if it has not been tried, or was reached.
    pub(super) fn reason(&self, host: &str) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(host).cloned()
    }
}

/// How long to wait for a host.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Limit for resolving the name, and again for connecting.
    pub connect: Duration,
    /// Limit for the next byte. The whole download has no limit, because a slow line is no error.
    pub silence: Duration,
    /// The pause before the second try. It is doubled before each further try.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            silence: Duration::from_secs(30),
            pause: Duration::from_millis(500),
        }
    }
}

impl Patience {
    /// With this limit for the next byte, and also for connecting if it is shorter than the default.
    pub fn with_silence(silence: Duration) -> Self {
        let own = Self::default();
        Self { connect: own.connect.min(silence), silence, ..own }
    }

    /// Waits before the try with this number, counted from 1.
    pub(super) fn pause(&self, tries: u32) {
        std::thread::sleep(self.pause.saturating_mul(1 << tries.saturating_sub(1).min(4)));
    }
}

/// Number of tries in a row without a byte, after which a location is given up.
pub(super) const TRIES: u32 = 3;

/// Why a location did not give the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LocationProblem {
    /// The host does not exist, or cannot be reached, or does not answer.
    Unreachable {
        /// The host.
        host: String,
        /// The reason, for people.
        why: String,
    },
    /// The connection broke, or the server had a temporary error: it is tried again.
    Broken {
        /// The reason, for people.
        why: String,
        /// Whether the host stopped sending.
        silent: bool,
    },
    /// The location answered, but does not have the source.
    Refused(String),
    /// The location gave other bytes than those that are pinned.
    Wrong(String),
}

impl LocationProblem {
    /// The reason, for people.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Unreachable { host, why } => format!("{host} cannot be reached: {why}"),
            Self::Broken { why, .. } | Self::Refused(why) | Self::Wrong(why) => why.clone(),
        }
    }

    /// A temporary problem.
    pub(super) fn broken(why: impl Into<String>) -> Self {
        Self::Broken { why: why.into(), silent: false }
    }
}
