//! Hosts that could not be reached: each is asked once in a run, so that ten sources of a host that
//! is down cost one wait.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Hosts asked in vain, with what came of it.
#[derive(Debug, Default)]
pub(super) struct Hosts(Mutex<BTreeMap<String, String>>);

impl Hosts {
    /// Notes that a host could not be reached.
    pub(super) fn lost(&self, host: &str, why: &str) {
        let mut hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.entry(host.to_owned()).or_insert_with(|| why.to_owned());
    }

    /// Why a host need not be asked again.
    pub(super) fn why(&self, host: &str) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(host).cloned()
    }
}

/// How long to wait for others.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For a name to be resolved, and then for a connection.
    pub connect: Duration,
    /// For the next byte. There is no limit on the whole: a slow line is no fault.
    pub silence: Duration,
    /// Before the second try; doubled before each further one.
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
    /// With this limit on silence, and on connecting if that is shorter.
    pub fn with_silence(silence: Duration) -> Self {
        let own = Self::default();
        Self { connect: own.connect.min(silence), silence, ..own }
    }

    /// Waits before try number `tries`, counted from 1.
    pub(super) fn pause(&self, tries: u32) {
        std::thread::sleep(self.pause.saturating_mul(1 << tries.saturating_sub(1).min(4)));
    }
}

/// Tries of one location that bring nothing, before it is given up.
pub(super) const TRIES: u32 = 3;

/// Why a location did not give what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// There is no such host, no connection to it, or no word from it.
    Unreachable {
        /// The host.
        host: String,
        /// What was tried, and how it ended.
        why: String,
    },
    /// The connection broke or the server had a bad moment: worth another try.
    Broken {
        /// How.
        why: String,
        /// Whether the host just fell silent.
        silent: bool,
    },
    /// The location answered, and not with what was asked for.
    Refused(String),
    /// What it gave is not what is pinned.
    Wrong(String),
}

impl Problem {
    /// For people.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Unreachable { host, why } => format!("{host} cannot be reached: {why}"),
            Self::Broken { why, .. } | Self::Refused(why) | Self::Wrong(why) => why.clone(),
        }
    }

    /// What is worth another try.
    pub(super) fn broken(why: impl Into<String>) -> Self {
        Self::Broken { why: why.into(), silent: false }
    }
}
