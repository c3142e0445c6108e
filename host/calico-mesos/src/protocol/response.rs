//! The answer: one JSON object, always below 64 KiB, because net-modules waits for the process to
//! end before it reads the pipe (facts 1.8).

use std::net::{Ipv4Addr, Ipv6Addr};

use serde_json::json;

use crate::error::Error;

/// An answer never gets as long as a pipe's buffer.
pub const MAX: usize = 64 * 1024;

/// Longer error texts are cut.
const TEXT_MAX: usize = 4096;

/// What a request comes to.
#[derive(Debug)]
pub enum Response {
    /// The answer to `allocate`.
    Allocated {
        /// The IPv4 addresses.
        ipv4: Vec<Ipv4Addr>,
        /// The IPv6 addresses.
        ipv6: Vec<Ipv6Addr>,
    },
    /// The answer to everything else that went well.
    Done,
    /// It did not go well.
    Failed(Error),
}

impl Response {
    /// The JSON text (facts 1.3). No newline follows it.
    pub fn to_json(&self) -> String {
        match self {
            Self::Allocated { ipv4, ipv6 } => {
                json!({"ipv4": ipv4, "ipv6": ipv6, "error": null}).to_string()
            }
            Self::Done => json!({"error": null}).to_string(),
            Self::Failed(error) => failure(&error.to_string()),
        }
    }

    /// 0 or 1 (facts 1.2).
    pub fn exit_status(&self) -> u8 {
        u8::from(matches!(self, Self::Failed(_)))
    }
}

/// The JSON text of a failure.
pub fn failure(text: &str) -> String {
    let end = text.char_indices().map(|(at, _)| at).find(|at| *at >= TEXT_MAX);
    json!({"error": &text[..end.unwrap_or(text.len())]}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::fields::COUNT_MAX;

    #[test]
    fn the_three_forms() {
        assert_eq!(Response::Done.to_json(), r#"{"error":null}"#);
        let ipv4 = vec![Ipv4Addr::new(192, 168, 0, 1)];
        let got = Response::Allocated { ipv4, ipv6: vec![] }.to_json();
        let got: serde_json::Value = serde_json::from_str(&got).unwrap();
        assert_eq!(got, json!({"ipv4": ["192.168.0.1"], "ipv6": [], "error": null}));
        let failed = Response::Failed(Error::request("Missing uid"));
        assert_eq!(failed.to_json(), r#"{"error":"Missing uid"}"#);
        assert_eq!((failed.exit_status(), Response::Done.exit_status()), (1, 0));
    }

    #[test]
    fn unhandled_errors_say_so() {
        let error = Error::Unhandled("of a kind".into());
        assert_eq!(Response::Failed(error).to_json(), r#"{"error":"Unhandled error of a kind"}"#);
    }

    #[test]
    fn the_longest_answers_fit_a_pipe() {
        // Control characters and quotes grow when they are escaped.
        for text in ["\u{1}".repeat(1 << 20), "\"ä".repeat(1 << 20), "x".repeat(1 << 20)] {
            assert!(failure(&text).len() < MAX);
        }
        let most = COUNT_MAX as usize;
        let answer = Response::Allocated {
            ipv4: vec![Ipv4Addr::BROADCAST; most],
            ipv6: vec![Ipv6Addr::from_bits(u128::MAX); most],
        };
        assert!(answer.to_json().len() < MAX);
    }
}
