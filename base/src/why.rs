//! Why a step will be carried out: which of its inputs have changed since its last result.

use std::{collections::BTreeMap, fmt, path::Path};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Number of changes that a sentence names. JSON has all of them.
const NAMED: usize = 3;
/// Digits of a digest that are kept.
const DIGITS: usize = 16;
/// Stands for the digest of a missing file.
const MISSING: &str = "missing";

/// The kinds of inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// A file, folder or link.
    Path,
    /// A value, such as the compiler's version or a key of a description.
    Value,
    /// The result of another step.
    Step,
}

/// An input of a key: its kind, its name, and a digest of its content. The content itself is not kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// Its kind.
    pub subject: Subject,
    /// Its path or its name.
    pub name: String,
    /// The first digits of its content's SHA-256.
    pub digest: String,
}

impl Input {
    /// An input with this content.
    pub fn new(subject: Subject, name: String, content: &[u8]) -> Self {
        Self { subject, name, digest: short_digest(content) }
    }

    /// A missing file.
    pub fn missing(path: &Path) -> Self {
        let name = path.display().to_string();
        Self { subject: Subject::Path, name, digest: MISSING.into() }
    }
}

fn short_digest(content: &[u8]) -> String {
    let digest = Sha256::digest(content);
    digest.iter().take(DIGITS / 2).map(|b| format!("{b:02x}")).collect()
}

/// How an input has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It has another content.
    Changed,
    /// It is new.
    New,
    /// It has been removed.
    Gone,
}

/// An input that has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its kind.
    pub subject: Subject,
    /// Its path from the checkout, or its name.
    pub name: String,
    /// How it has changed.
    pub change: How,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match self.change {
            How::Changed => "changed",
            How::New => "is new",
            How::Gone => "is gone",
        };
        write!(f, "{} {how}", self.name)
    }
}

/// Why a step will be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// It has never been carried out in this checkout.
    NeverDone,
    /// It has been carried out, but the record of its inputs cannot be read.
    NoNote,
    /// Its inputs are the same, but its result has been removed.
    ResultGone,
    /// Its inputs are the same. Only the container engine knows whether the result exists.
    OnlyTheEngineKnows,
    /// Its inputs have changed.
    Changed {
        /// The inputs that have changed.
        changes: Vec<Change>,
    },
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let changes = match self {
            Self::NeverDone => return f.write_str("never done here"),
            Self::NoNote => return f.write_str("there is no note of its last inputs"),
            Self::ResultGone => return f.write_str("its result is gone"),
            Self::OnlyTheEngineKnows => return f.write_str("only the engine knows if it is there"),
            Self::Changed { changes } => changes,
        };
        for (i, change) in changes.iter().take(NAMED).enumerate() {
            write!(f, "{}{change}", if i == 0 { "" } else { ", " })?;
        }
        match changes.len().saturating_sub(NAMED) {
            0 => Ok(()),
            more => write!(f, ", and {more} more"),
        }
    }
}

/// The inputs that have changed: first those that still exist, in their order, then those that were removed. Inputs with the same
/// name, such as a file and its path in a package, count as one.
pub fn compare(last: &[Input], now: &[Input]) -> Vec<Change> {
    let (mut last, mut present) = (merged(last), merged(now));
    let mut changes = Vec::new();
    for input in now {
        let id = (input.subject, input.name.as_str());
        let Some(is) = present.remove(&id) else { continue };
        let was = last.remove(&id).unwrap_or_else(|| MISSING.into());
        let how = match (was.as_str(), is.as_str()) {
            (was, is) if was == is => continue,
            (MISSING, _) => How::New,
            (_, MISSING) => How::Gone,
            _ => How::Changed,
        };
        changes.push(Change { subject: input.subject, name: input.name.clone(), change: how });
    }
    let gone = last.into_iter().filter(|(_, was)| was != MISSING);
    let gone = gone.map(|((subject, name), _)| (subject, name.to_owned()));
    changes.extend(gone.map(|(subject, name)| Change { subject, name, change: How::Gone }));
    changes
}

/// One digest for each name.
fn merged(inputs: &[Input]) -> BTreeMap<(Subject, &str), String> {
    let mut all: BTreeMap<(Subject, &str), String> = BTreeMap::new();
    for input in inputs {
        let digest = all.entry((input.subject, &input.name)).or_default();
        *digest = match digest.is_empty() {
            true => input.digest.clone(),
            false => short_digest(format!("{digest} {}", input.digest).as_bytes()),
        };
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, content: &str) -> Input {
        Input::new(Subject::Path, name.into(), content.as_bytes())
    }

    fn said(last: &[Input], now: &[Input]) -> String {
        Why::Changed { changes: compare(last, now) }.to_string()
    }

    #[test]
    fn changed_new_and_removed_inputs_are_named() {
        let value =
            |content: &str| Input::new(Subject::Value, "the compiler".into(), content.as_bytes());
        assert_eq!(compare(&[file("a", "1"), value("1")], &[file("a", "1"), value("1")]), []);
        assert_eq!(said(&[file("a", "1"), value("1")], &[file("a", "2"), value("1")]), "a changed");
        assert_eq!(said(&[value("1")], &[value("2")]), "the compiler changed");
        assert_eq!(said(&[], &[file("a", "1")]), "a is new");
        assert_eq!(said(&[file("a", "1")], &[]), "a is gone");
    }

    #[test]
    fn a_missing_file_counts_as_an_input() {
        let missing = Input::missing(Path::new("a"));
        let missing = std::slice::from_ref(&missing);
        assert_eq!(said(missing, &[file("a", "1")]), "a is new");
        assert_eq!(said(&[file("a", "1")], missing), "a is gone");
        assert_eq!(compare(&[], missing), []);
        assert_eq!(compare(missing, &[]), []);
    }

    #[test]
    fn inputs_with_the_same_name_are_reported_once() {
        let twice = |one: &str, two: &str| [file("a", one), file("a", two)];
        assert_eq!(said(&twice("1", "2"), &twice("1", "3")), "a changed");
        assert_eq!(said(&[], &twice("1", "3")), "a is new");
        assert_eq!(said(&twice("1", "2"), &[]), "a is gone");
    }

    #[test]
    fn a_message_names_a_few_of_many_changes() {
        let all: Vec<_> = (0..10).map(|i| file(&format!("f{i}"), "1")).collect();
        assert_eq!(said(&[], &all), "f0 is new, f1 is new, f2 is new, and 7 more");
        assert_eq!(said(&[], &all[..3]), "f0 is new, f1 is new, f2 is new");
    }
}
