//! Calls to etcd: read, conditional write, conditional delete. Each call has its own time limit and
//! all share the request's. With several addresses, a call that surely had no effect is tried at
//! the next one; a write that may have had one is reported as [`WriteError::Unknown`], because
//! only who knows the value can find out by reading again.

use std::{cell::Cell, time::Duration};

use serde::Deserialize;
use ureq::{Agent, Body, Timeout, http::Response, unversioned::transport::DefaultConnector};

use super::{Error, address::Address, ahead::Ahead, resolver, tls};
use crate::{deadline::Deadline, log, settings::Settings};

/// No answer is longer: a pool with all its 1024 blocks takes about half of it.
const ANSWER_MAX: u64 = 8 << 20;

/// The size of the HTTP agent's buffers: the head of a request or an answer fits with room to spare,
/// and bodies go through in pieces.
const BUFFER: usize = 4 << 10;

/// etcd's error numbers (v2).
const KEY_NOT_FOUND: u32 = 100;
const COMPARE_FAILED: u32 = 101;
const NODE_EXISTS: u32 = 105;

/// A key as etcd returns it.
#[derive(Debug, Deserialize)]
pub struct Node {
    /// The whole key; the root has none.
    #[serde(default)]
    pub key: String,
    /// A folder has no value.
    #[serde(default)]
    pub value: String,
    /// What a folder holds.
    #[serde(default)]
    pub nodes: Vec<Node>,
    /// Whether it is a folder.
    #[serde(default)]
    pub dir: bool,
    /// The version, for compare-and-swap.
    #[serde(default, rename = "modifiedIndex")]
    pub index: u64,
    /// The cluster-wide number of the write that made the key: a lower one was earlier.
    #[serde(default, rename = "createdIndex")]
    pub created: u64,
}

impl Node {
    /// The last part of the key.
    pub fn name(&self) -> &str {
        self.key.rsplit('/').next().unwrap_or_default()
    }
}

/// When a write may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cond {
    /// Always.
    Always,
    /// Only while the key does not exist.
    Absent,
    /// Only while the key has this version.
    Index(u64),
    /// A delete of a folder with everything in it.
    Recursive,
}

/// Why a write did not (surely) happen.
#[derive(Debug)]
pub enum WriteError {
    /// The condition was not met: someone else was first.
    Conflict,
    /// It may have happened: the call ended after the request was on its way.
    Unknown(Error),
    /// It did not happen.
    Failed(Error),
}

impl From<WriteError> for Error {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Conflict => {
                Self::Refused { key: String::new(), cause: "compare failed".to_owned() }
            }
            WriteError::Unknown(error) | WriteError::Failed(error) => error,
        }
    }
}

#[derive(Deserialize)]
struct Answer<N> {
    node: N,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(rename = "errorCode")]
    code: u32,
    #[serde(default)]
    message: String,
    #[serde(default)]
    cause: String,
}

/// Only the names in a folder: values are skipped while they come in.
#[derive(Deserialize)]
struct Names {
    #[serde(default)]
    nodes: Vec<KeyOnly>,
}

#[derive(Deserialize)]
struct KeyOnly {
    key: String,
}

/// How one try at one address ended.
enum Try {
    Answered(Response<Body>),
    /// The request never left: safe to send elsewhere.
    NotSent(String),
    /// Nobody knows.
    Lost(String),
}

/// A connection to etcd. It is for one thread, like the request that it serves.
pub struct Client {
    addresses: Vec<Address>,
    defaulted: bool,
    agent: Agent,
    call: Duration,
    deadline: Cell<Deadline>,
    current: Cell<usize>,
    ahead: Ahead,
}

impl Client {
    /// Makes a client; nothing is sent yet.
    pub fn new(settings: &Settings, deadline: Deadline) -> Result<Self, Error> {
        let mut builder = Agent::config_builder()
            .http_status_as_error(false)
            // A proxy that the agent's environment names is not for etcd.
            .proxy(None)
            .max_redirects(0)
            // The default of 128 KiB for each is memory to be cleared.
            .input_buffer_size(BUFFER)
            .output_buffer_size(BUFFER)
            .user_agent(concat!("calico_mesos/", env!("CARGO_PKG_VERSION")));
        if settings.addresses.iter().any(Address::is_https) {
            builder = builder.tls_config(tls::config(&settings.tls)?);
        }
        Ok(Self {
            addresses: settings.addresses.clone(),
            defaulted: settings.defaulted,
            agent: Agent::with_parts(
                builder.build(),
                DefaultConnector::default(),
                resolver::Once::default(),
            ),
            call: settings.limits.call,
            deadline: Cell::new(deadline),
            current: Cell::new(0),
            ahead: Ahead::default(),
        })
    }

    /// Sets a new end: a rollback has its own time, and reads everything itself.
    pub fn extend(&self, deadline: Deadline) {
        self.deadline.set(deadline);
        self.ahead.clear();
    }

    /// Begins to read `keys` on a second connection; the next [`Client::get`] of each takes what comes.
    pub fn read_ahead(&self, keys: Vec<String>) {
        let second = Self {
            addresses: self.addresses.clone(),
            defaulted: self.defaulted,
            agent: self.agent.clone(),
            call: self.call,
            deadline: self.deadline.clone(),
            current: self.current.clone(),
            ahead: Ahead::default(),
        };
        self.ahead.start(second, keys);
    }

    /// Reads a key, through the quorum so that nothing stale comes back (facts 2.1).
    pub fn get(&self, key: &str) -> Result<Option<Node>, Error> {
        let ahead = self.ahead.take(key, self.deadline.get());
        ahead.unwrap_or_else(|| self.read::<Node>(key, "?quorum=true"))
    }

    /// Reads a key with everything below it.
    pub fn get_tree(&self, key: &str) -> Result<Option<Node>, Error> {
        self.read::<Node>(key, "?quorum=true&recursive=true")
    }

    /// The names in a folder, without holding the values in memory.
    pub fn names(&self, key: &str) -> Result<Vec<String>, Error> {
        let found = self.read::<Names>(key, "?quorum=true")?;
        let name = |node: KeyOnly| node.key.rsplit('/').next().map(str::to_owned);
        Ok(found
            .map(|names| names.nodes)
            .unwrap_or_default()
            .into_iter()
            .filter_map(name)
            .collect())
    }

    /// Writes a key under a condition.
    pub fn put(&self, key: &str, value: &str, cond: Cond) -> Result<(), WriteError> {
        let query = match cond {
            Cond::Always | Cond::Recursive => String::new(),
            Cond::Absent => "?prevExist=false".to_owned(),
            Cond::Index(index) => format!("?prevIndex={index}"),
        };
        self.write(key, &query, Some(&format!("value={}", encode(value, false))))
    }

    /// Deletes a key under a condition; a key that is not there is fine.
    pub fn delete(&self, key: &str, cond: Cond) -> Result<(), WriteError> {
        let query = match cond {
            Cond::Always | Cond::Absent => String::new(),
            Cond::Recursive => "?recursive=true".to_owned(),
            Cond::Index(index) => format!("?prevIndex={index}"),
        };
        self.write(key, &query, None)
    }

    /// `GET /version` of the current address, as text.
    pub fn version(&self) -> Result<String, Error> {
        let response = self.send("/version", &|agent, url, left| {
            agent.get(url).config().timeout_global(Some(left)).build().call()
        })?;
        let mut body = response.into_body();
        let text = body.with_config().limit(4096).read_to_string();
        text.map_err(|e| self.unreachable(&format!("{}: {}", self.here().shown(), cause(&e))))
    }

    /// The address that answered last.
    pub fn here(&self) -> &Address {
        &self.addresses[self.current.get() % self.addresses.len()]
    }

    fn read<N: for<'de> Deserialize<'de>>(
        &self,
        key: &str,
        query: &str,
    ) -> Result<Option<N>, Error> {
        let path = format!("/v2/keys{}{query}", encode(key, true));
        let response = self.send(&path, &|agent, url, left| {
            agent.get(url).config().timeout_global(Some(left)).build().call()
        })?;
        log::debug(|| format!("etcd GET {key} {}", response.status().as_u16()));
        if response.status().is_success() {
            let mut body = response.into_body();
            let reader = std::io::BufReader::new(body.with_config().limit(ANSWER_MAX).reader());
            let answer: Answer<N> = serde_json::from_reader(reader).map_err(|e| {
                Error::Refused { key: key.to_owned(), cause: format!("unreadable answer: {e}") }
            })?;
            return Ok(Some(answer.node));
        }
        match self.refusal(response)? {
            Refusal { code: KEY_NOT_FOUND, .. } => Ok(None),
            refusal => Err(refused(key, &refusal)),
        }
    }

    fn write(&self, key: &str, query: &str, body: Option<&str>) -> Result<(), WriteError> {
        let path = format!("/v2/keys{}{query}", encode(key, true));
        let outcome = self.try_each(&path, true, &|agent, url, left| match body {
            Some(body) => agent
                .put(url)
                .content_type("application/x-www-form-urlencoded")
                .config()
                .timeout_global(Some(left))
                .build()
                .send(body),
            None => agent.delete(url).config().timeout_global(Some(left)).build().call(),
        });
        let response = outcome?;
        let status = response.status();
        let verb = if body.is_some() { "PUT" } else { "DELETE" };
        log::debug(|| format!("etcd {verb} {key}{query} {}", status.as_u16()));
        if status.is_success() {
            // The connection is used again only after the answer has been read.
            let _ = response.into_body().with_config().limit(ANSWER_MAX).read_to_vec();
            return Ok(());
        }
        match self.refusal(response).map_err(WriteError::Unknown)? {
            Refusal { code: COMPARE_FAILED | NODE_EXISTS, .. } => Err(WriteError::Conflict),
            Refusal { code: KEY_NOT_FOUND, .. } if body.is_none() => Ok(()),
            // prevIndex on a key that is gone: someone else was first.
            Refusal { code: KEY_NOT_FOUND, .. } => Err(WriteError::Conflict),
            // 300 and above: the cluster did not agree in time, and may do so yet.
            refusal if refusal.code >= 300 || status.is_server_error() => {
                Err(WriteError::Unknown(refused(key, &refusal)))
            }
            refusal => Err(WriteError::Failed(refused(key, &refusal))),
        }
    }

    /// Sends a request that changes nothing.
    fn send(&self, path: &str, request: &Request<'_>) -> Result<Response<Body>, Error> {
        self.try_each(path, false, request).map_err(Error::from)
    }

    /// Sends to the current address, then to each other one.
    fn try_each(
        &self,
        path: &str,
        writes: bool,
        request: &Request<'_>,
    ) -> Result<Response<Body>, WriteError> {
        let mut tried = String::new();
        let mut last_unknown = false;
        for _ in 0..self.addresses.len() {
            let address = self.here();
            let left = match self.deadline.get().left() {
                Some(left) => left.min(self.call),
                None => return Err(WriteError::Failed(Error::OutOfTime)),
            };
            let why =
                match classify(request(&self.agent, &format!("{}{path}", address.base()), left)) {
                    Try::Answered(response) => return Ok(response),
                    Try::NotSent(why) => why,
                    Try::Lost(why) => {
                        last_unknown = writes;
                        why
                    }
                };
            let separator = if tried.is_empty() { "" } else { "; " };
            tried.push_str(&format!("{separator}{}: {why}", address.shown()));
            log::warn(&format!("etcd at {}: {why}", address.shown()));
            self.current.set((self.current.get() + 1) % self.addresses.len());
            if last_unknown {
                return Err(WriteError::Unknown(self.unreachable(&tried)));
            }
        }
        Err(WriteError::Failed(self.unreachable(&tried)))
    }

    fn unreachable(&self, tried: &str) -> Error {
        Error::Unreachable { tried: tried.to_owned(), defaulted: self.defaulted }
    }

    fn refusal(&self, response: Response<Body>) -> Result<Refusal, Error> {
        let status = response.status().as_u16();
        let mut body = response.into_body();
        let text = body.with_config().limit(64 << 10).read_to_vec().unwrap_or_default();
        match serde_json::from_slice(&text) {
            Ok(refusal) => Ok(refusal),
            Err(_) if status == 404 => {
                Err(Error::NotV2 { address: self.here().shown().to_owned() })
            }
            Err(_) => Err(self.unreachable(&format!("{}: HTTP {status}", self.here().shown()))),
        }
    }
}

type Request<'a> = dyn Fn(&Agent, &str, Duration) -> Result<Response<Body>, ureq::Error> + 'a;

fn classify(result: Result<Response<Body>, ureq::Error>) -> Try {
    use std::io::ErrorKind;
    match result {
        Ok(response) => Try::Answered(response),
        Err(error) => {
            let why = cause(&error);
            match &error {
                ureq::Error::HostNotFound
                | ureq::Error::ConnectionFailed
                | ureq::Error::Tls(_)
                | ureq::Error::Rustls(_)
                | ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => Try::NotSent(why),
                ureq::Error::Io(e) if e.kind() == ErrorKind::ConnectionRefused => Try::NotSent(why),
                _ => Try::Lost(why),
            }
        }
    }
}

/// A short reason; the library's text could repeat the URL with its password.
fn cause(error: &ureq::Error) -> String {
    match error {
        // What the TLS layer says of a certificate that it does not trust.
        ureq::Error::Io(e) if e.kind() == std::io::ErrorKind::InvalidData => e.to_string(),
        ureq::Error::Io(e) => e.kind().to_string(),
        ureq::Error::HostNotFound => "the host name is not known".to_owned(),
        ureq::Error::ConnectionFailed => "no connection".to_owned(),
        ureq::Error::Timeout(Timeout::Connect | Timeout::Resolve) => {
            "no connection in time".to_owned()
        }
        ureq::Error::Timeout(_) => "no answer in time".to_owned(),
        ureq::Error::Rustls(e) => format!("TLS: {e}"),
        ureq::Error::Tls(text) => format!("TLS: {text}"),
        ureq::Error::BadUri(_) => "the address is not usable".to_owned(),
        _ => "the HTTP exchange failed".to_owned(),
    }
}

fn refused(key: &str, refusal: &Refusal) -> Error {
    let Refusal { code, message, cause } = refusal;
    Error::Refused { key: key.to_owned(), cause: format!("{message} ({code}) {cause}") }
}

/// Percent-encodes everything but the letters, digits and marks that need no encoding anywhere.
fn encode(text: &str, path: bool) -> String {
    let mut encoded = String::with_capacity(text.len() * 2);
    for b in text.bytes() {
        if b.is_ascii_alphanumeric() || b"-._~".contains(&b) || (path && b == b'/') {
            encoded.push(char::from(b));
        } else {
            const HEX: &[u8; 16] = b"0123456789ABCDEF";
            encoded.push('%');
            encoded.push(char::from(HEX[usize::from(b >> 4)]));
            encoded.push(char::from(HEX[usize::from(b & 15)]));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoding_of_keys_and_values() {
        assert_eq!(encode("/calico/v1/a b?c#d", true), "/calico/v1/a%20b%3Fc%23d");
        assert_eq!(encode("{\"a\":1}&/é", false), "%7B%22a%22%3A1%7D%26%2F%C3%A9");
    }

    #[test]
    fn names_come_without_values() {
        let text = r#"{"action":"get","node":{"key":"/a","dir":true,"nodes":[
            {"key":"/a/b","value":"x","modifiedIndex":4},{"key":"/a/c","value":"y"}]}}"#;
        let names: Answer<Names> = serde_json::from_str(text).unwrap();
        assert_eq!(names.node.nodes.len(), 2);
        let whole: Answer<Node> = serde_json::from_str(text).unwrap();
        assert_eq!((whole.node.nodes[0].name(), whole.node.nodes[0].index), ("b", 4));
    }
}
