//! Reading ahead: keys that a request will surely need are read on a second thread and connection while
//! the request does something else. What comes is used once, by the first `get` of the key.
//! It may have become old by then; whatever is decided from it is written by compare-and-swap,
//! so that costs a second try and nothing more.

use std::{
    cell::RefCell,
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
};

use super::{Client, Error, Node};
use crate::deadline::Deadline;

/// The thread makes HTTP calls and nothing else.
const STACK: usize = 512 << 10;

type Answer = Result<Option<Node>, Error>;

/// What is being read ahead.
#[derive(Default)]
pub(super) struct Ahead(RefCell<Vec<Pending>>);

struct Pending {
    key: String,
    answer: Receiver<Answer>,
}

impl Ahead {
    /// Reads `keys` one after the other. Where there is no thread to be had, nothing is read ahead.
    pub(super) fn start(&self, client: Client, keys: Vec<String>) {
        let mut jobs = Vec::with_capacity(keys.len());
        for key in keys {
            let (sender, answer) = channel();
            jobs.push((key.clone(), sender));
            self.0.borrow_mut().push(Pending { key, answer });
        }
        let work = move || {
            for (key, sender) in jobs {
                // Nobody waits any more once the request has failed.
                if sender.send(client.get(&key)).is_err() {
                    break;
                }
            }
        };
        // Not waited for at the end: what nobody has asked for by then is not needed.
        let _ = thread::Builder::new().stack_size(STACK).spawn(work);
    }

    /// The answer for a key, if it is being read ahead: it is waited for. None where it has to be read now.
    pub(super) fn take(&self, key: &str, deadline: Deadline) -> Option<Answer> {
        let pending = {
            let mut all = self.0.borrow_mut();
            let at = all.iter().position(|pending| pending.key == key)?;
            all.swap_remove(at)
        };
        match pending.answer.recv_timeout(deadline.left().unwrap_or_default()) {
            Ok(answer) => Some(answer),
            Err(RecvTimeoutError::Timeout) => Some(Err(Error::OutOfTime)),
            Err(RecvTimeoutError::Disconnected) => None,
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        self.0.borrow_mut().clear();
    }
}
