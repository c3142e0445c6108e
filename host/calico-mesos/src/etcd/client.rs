//! Calls to etcd: read, conditional write, conditional delete. Each call has its own time limit and
//! all share the request's. With several addresses, a call that surely had no effect, or has the same
//! one when it is carried out twice, is tried at the next one; any other write that may have had one is
//! reported as [`WriteError::Unknown`], because only who knows the value can find out by reading again.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    thread,
    time::Duration,
};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    Config, Error,
    address::Address,
    http::{Answer, Exchange, Method},
    node::{ANSWER_MAX, Folder, Found, KeyOnly, LIST_MAX, Node},
    server::Server,
    tls,
    traffic::{Fault, Ticket, Traffic},
};
use crate::{deadline::Deadline, log, random};

/// How keys are read.
const QUORUM: &str = "?quorum=true";

/// How many keys are read ahead: each takes a connection. What is beyond is read when it is asked for.
const AHEAD: usize = 8;

/// etcd's error numbers (v2).
const KEY_NOT_FOUND: u32 = 100;
const COMPARE_FAILED: u32 = 101;
const NODE_EXISTS: u32 = 105;

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
struct Refusal {
    #[serde(rename = "errorCode")]
    code: u32,
    #[serde(default)]
    message: String,
    #[serde(default)]
    cause: String,
}

/// A client of etcd. It is for one thread, like the request that it serves.
pub struct Client {
    servers: Vec<Rc<Server>>,
    defaulted: bool,
    call: Duration,
    deadline: Cell<Deadline>,
    /// Whether an etcd that does not answer is asked again while there is time.
    patient: Cell<bool>,
    current: Cell<usize>,
    traffic: RefCell<Traffic>,
    ahead: RefCell<Vec<Ahead>>,
}

/// What is asked of etcd.
#[derive(Clone, Copy)]
struct Call<'a> {
    method: Method<'a>,
    path: &'a str,
    /// Whether a second time changes nothing more.
    repeatable: bool,
    /// The longest body of an answer.
    limit: usize,
}

impl<'a> Call<'a> {
    fn get(path: &'a str) -> Self {
        Self { method: Method::Get, path, repeatable: true, limit: ANSWER_MAX }
    }
}

/// A read that was begun before it was asked for.
struct Ahead {
    key: String,
    begun: Begun,
}

/// An exchange with one of the servers.
#[derive(Clone, Copy)]
struct Begun {
    server: usize,
    ticket: Ticket,
}

impl Client {
    /// Makes a client; nothing is sent yet.
    pub fn new(config: &Config, deadline: Deadline) -> Result<Self, Error> {
        let encrypts = config.addresses.iter().any(Address::is_https);
        let tls = if encrypts { Some(tls::config(&config.tls)?) } else { None };
        let addresses = config.addresses.iter().cloned();
        let servers = addresses.map(|address| Server::new(address, tls.as_ref()).map(Rc::new));
        Ok(Self {
            servers: servers.collect::<Result<_, _>>()?,
            defaulted: config.defaulted,
            call: config.call,
            deadline: Cell::new(deadline),
            patient: Cell::new(false),
            current: Cell::new(0),
            traffic: RefCell::default(),
            ahead: RefCell::default(),
        })
    }

    /// From now on an etcd that is away is asked again until the time is over. That is for what takes something
    /// back: nobody else will do it, and the agent asks once.
    pub fn be_patient(&self) {
        self.patient.set(true);
    }

    /// Sets a new end, for a rollback: it has its own time, reads everything itself, and is patient.
    pub fn begin_rollback(&self, deadline: Deadline) {
        self.deadline.set(deadline);
        self.be_patient();
        self.ahead.borrow_mut().clear();
        self.traffic.borrow_mut().give_up();
    }

    /// Begins to read keys that will surely be needed, all at once; returns when the requests are on their way.
    /// What comes is used once, by the first read of the key. It may have become old by then; whatever is
    /// decided from it is written by compare-and-swap, so that costs a second try and nothing more.
    pub fn read_ahead(&self, keys: impl IntoIterator<Item = String>) {
        for key in keys.into_iter().take(AHEAD) {
            // Where nothing can be begun, the read that follows will find out, and say so.
            let Ok(begun) = self.begin(Call::get(&path(&key, QUORUM))) else { return };
            self.ahead.borrow_mut().push(Ahead { key, begun });
        }
        self.traffic.borrow_mut().send();
    }

    /// Reads a key, through the quorum so that nothing stale comes back (facts 2.1).
    pub fn get(&self, key: &str) -> Result<Option<Node>, Error> {
        self.read(key, ANSWER_MAX)
    }

    /// The keys in a folder, with their values; none where it is missing.
    pub fn list(&self, key: &str) -> Result<Vec<Node>, Error> {
        let found: Option<Folder<Node>> = self.read(key, ANSWER_MAX)?;
        Ok(found.map(|folder| folder.nodes).unwrap_or_default())
    }

    /// The names in a folder, however long their values are, which are not kept.
    pub fn names(&self, key: &str) -> Result<Vec<String>, Error> {
        let found: Option<Folder<KeyOnly>> = self.read(key, LIST_MAX)?;
        let nodes = found.map(|folder| folder.nodes).unwrap_or_default();
        let name = |node: KeyOnly| node.key.rsplit('/').next().map(str::to_owned);
        Ok(nodes.into_iter().filter_map(name).collect())
    }

    /// Writes a key under a condition.
    pub fn put(&self, key: &str, value: &str, cond: Cond) -> Result<(), WriteError> {
        let query = match cond {
            Cond::Always | Cond::Recursive => String::new(),
            Cond::Absent => "?prevExist=false".to_owned(),
            Cond::Index(index) => format!("?prevIndex={index}"),
        };
        let body = format!("value={}", utf8_percent_encode(value, IN_VALUE));
        self.write(key, &query, Some(&body), cond)
    }

    /// Deletes a key under a condition; a key that is not there is fine.
    pub fn delete(&self, key: &str, cond: Cond) -> Result<(), WriteError> {
        let query = match cond {
            Cond::Always | Cond::Absent => String::new(),
            Cond::Recursive => "?recursive=true".to_owned(),
            Cond::Index(index) => format!("?prevIndex={index}"),
        };
        self.write(key, &query, None, cond)
    }

    /// `GET /version` of the current address, as text.
    pub fn version(&self) -> Result<String, Error> {
        let answer = self.exchange(Call::get("/version"), None)?;
        Ok(String::from_utf8_lossy(&answer.body).into_owned())
    }

    /// The address that answered last.
    pub fn here(&self) -> &Address {
        &self.server().address
    }

    fn server(&self) -> &Rc<Server> {
        &self.servers[self.current.get() % self.servers.len()]
    }

    fn read<N: DeserializeOwned>(&self, key: &str, limit: usize) -> Result<Option<N>, Error> {
        let path = path(key, QUORUM);
        let call = Call { limit, ..Call::get(&path) };
        let answer = self.exchange(call, self.take_ahead(key))?;
        log::debug(|| format!("etcd GET {key} {}", answer.status));
        if answer.is_success() {
            let found: Found<N> = serde_json::from_slice(&answer.body).map_err(|e| {
                Error::Refused { key: key.to_owned(), cause: format!("unreadable answer: {e}") }
            })?;
            return Ok(Some(found.node));
        }
        match self.refusal(&answer)? {
            Refusal { code: KEY_NOT_FOUND, .. } => Ok(None),
            refusal => Err(refused(key, &refusal)),
        }
    }

    fn take_ahead(&self, key: &str) -> Option<Begun> {
        let mut ahead = self.ahead.borrow_mut();
        let at = ahead.iter().position(|ahead| ahead.key == key)?;
        Some(ahead.swap_remove(at).begun)
    }

    fn write(
        &self,
        key: &str,
        query: &str,
        body: Option<&str>,
        cond: Cond,
    ) -> Result<(), WriteError> {
        let method = body.map_or(Method::Delete, Method::Put);
        let repeatable = matches!(cond, Cond::Always | Cond::Recursive);
        let path = path(key, query);
        let call = Call { method, path: &path, repeatable, limit: ANSWER_MAX };
        let answer = self.exchange(call, None)?;
        log::debug(|| format!("etcd {} {key}{query} {}", method.name(), answer.status));
        if answer.is_success() {
            return Ok(());
        }
        match self.refusal(&answer).map_err(WriteError::Unknown)? {
            Refusal { code: COMPARE_FAILED | NODE_EXISTS, .. } => Err(WriteError::Conflict),
            Refusal { code: KEY_NOT_FOUND, .. } if body.is_none() => Ok(()),
            // prevIndex on a key that is gone: someone else was first.
            Refusal { code: KEY_NOT_FOUND, .. } => Err(WriteError::Conflict),
            // 300 and above: the cluster did not agree in time, and may do so yet.
            refusal if refusal.code >= 300 || answer.status >= 500 => {
                // Whoever finds out asks another member.
                self.current.set((self.current.get() + 1) % self.servers.len());
                Err(WriteError::Unknown(refused(key, &refusal)))
            }
            refusal => Err(WriteError::Failed(refused(key, &refusal))),
        }
    }

    /// Begins an exchange with the current address.
    fn begin(&self, call: Call<'_>) -> Result<Begun, Fault> {
        let address = self.here();
        let url = format!("{}{}", address.shown(), call.path);
        let not_sent = |why: &str| Fault::NotSent(why.to_owned());
        let exchange = Exchange::new(call.method, &url, address.authorization(), call.limit);
        let exchange = exchange.map_err(not_sent)?;
        let until = self.deadline.get().within(self.call);
        let ticket = self.traffic.borrow_mut().begin(self.server(), exchange, until)?;
        Ok(Begun { server: self.current.get(), ticket })
    }

    /// Asks each address, the patient again and again. The first try may have been begun already.
    fn exchange(&self, call: Call<'_>, mut begun: Option<Begun>) -> Result<Answer, WriteError> {
        let mut away = None;
        for round in 0.. {
            match (self.ask_each(call, begun.take(), round), away.take()) {
                (Err(WriteError::Failed(error @ Error::Unreachable { .. })), _)
                    if self.patient.get() =>
                {
                    away = Some(error);
                }
                // Why etcd is away says more than that time is over.
                (Err(WriteError::Failed(Error::OutOfTime)), Some(error)) => {
                    return Err(WriteError::Failed(error));
                }
                (end, _) => return end,
            }
            self.servers.iter().for_each(|server| server.look_again());
            let left = self.deadline.get().left().unwrap_or_default();
            thread::sleep(random::pause(round).min(left));
        }
        Err(WriteError::Failed(Error::OutOfTime))
    }

    /// Asks the current address, then each other one. What is wrong with them is logged in the first round.
    fn ask_each(
        &self,
        call: Call<'_>,
        mut begun: Option<Begun>,
        round: u32,
    ) -> Result<Answer, WriteError> {
        let mut tried = String::new();
        for _ in 0..self.servers.len() {
            if self.deadline.get().left().is_none() {
                return Err(WriteError::Failed(Error::OutOfTime));
            }
            let server = begun.map_or(self.current.get(), |begun| begun.server);
            let attempt = begun.take().map_or_else(|| self.begin(call), Ok);
            let finish = |begun: Begun| self.traffic.borrow_mut().finish(begun.ticket);
            let fault = match attempt.and_then(finish) {
                // A member that has lost the others can say no more than that; another one may know.
                Ok(answer) if call.repeatable && answer.status >= 500 => {
                    Fault::Lost(format!("HTTP {}", answer.status))
                }
                Ok(answer) => {
                    self.current.set(server);
                    return Ok(answer);
                }
                Err(fault) => fault,
            };
            let (Fault::NotSent(why) | Fault::Lost(why)) = &fault;
            let separator = if tried.is_empty() { "" } else { "; " };
            let shown = self.servers[server].address.shown();
            tried.push_str(&format!("{separator}{shown}: {why}"));
            let text = format!("etcd at {shown}: {why}");
            if round == 0 {
                log::warn(&text)
            } else {
                log::debug(|| text)
            }
            if self.current.get() == server {
                self.current.set((server + 1) % self.servers.len());
            }
            if matches!(fault, Fault::Lost(_)) {
                self.servers[server].prefer_others();
                if !call.repeatable {
                    return Err(WriteError::Unknown(self.unreachable(&tried)));
                }
            }
        }
        Err(WriteError::Failed(self.unreachable(&tried)))
    }

    fn unreachable(&self, tried: &str) -> Error {
        Error::Unreachable { tried: tried.to_owned(), defaulted: self.defaulted }
    }

    fn refusal(&self, answer: &Answer) -> Result<Refusal, Error> {
        match serde_json::from_slice(&answer.body) {
            Ok(refusal) => Ok(refusal),
            Err(_) if answer.status == 404 => {
                Err(Error::NotV2 { address: self.here().shown().to_owned() })
            }
            Err(_) => {
                let status = answer.status;
                Err(self.unreachable(&format!("{}: HTTP {status}", self.here().shown())))
            }
        }
    }
}

/// Where a key is in the API.
fn path(key: &str, query: &str) -> String {
    format!("/v2/keys{}{query}", utf8_percent_encode(key, IN_PATH))
}

fn refused(key: &str, refusal: &Refusal) -> Error {
    let Refusal { code, message, cause } = refusal;
    Error::Refused { key: key.to_owned(), cause: format!("{message} ({code}) {cause}") }
}

/// What needs no encoding anywhere, by RFC 3986.
const IN_VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const IN_PATH: &AsciiSet = &IN_VALUE.remove(b'/');

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoding_of_keys_and_values() {
        assert_eq!(path("/calico/v1/a b?c#d", ""), "/v2/keys/calico/v1/a%20b%3Fc%23d");
        let value = utf8_percent_encode("{\"a\":1}&/é", IN_VALUE).to_string();
        assert_eq!(value, "%7B%22a%22%3A1%7D%26%2F%C3%A9");
    }
}
