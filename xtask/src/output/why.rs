//! Why a step is to be carried out, as it is printed.

use schemars::JsonSchema;
use serde::Serialize;

use super::{How, Subject};
use base::why;

/// An input that is not what it was.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Change {
    /// What it is.
    subject: Subject,
    /// Its path from the checkout, or its name.
    name: String,
    /// How it differs.
    change: How,
}

impl From<&why::Change> for Change {
    fn from(change: &why::Change) -> Self {
        let why::Change { subject, name, change } = change.clone();
        Self { subject: subject.into(), name, change: change.into() }
    }
}

/// Why a step is to be carried out.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub(crate) enum Why {
    /// It has not been done in this checkout.
    NeverDone,
    /// It has been done, but the note of what it was made from cannot be read.
    NoNote,
    /// All is as it was, but its result is not there any more.
    ResultGone,
    /// All is as it was; whether the result is there only the container engine knows.
    OnlyTheEngineKnows,
    /// Its inputs are others.
    Changed {
        /// Those that are.
        changes: Vec<Change>,
    },
}

impl From<&why::Why> for Why {
    fn from(reason: &why::Why) -> Self {
        match reason {
            why::Why::NeverDone => Self::NeverDone,
            why::Why::NoNote => Self::NoNote,
            why::Why::ResultGone => Self::ResultGone,
            why::Why::OnlyTheEngineKnows => Self::OnlyTheEngineKnows,
            why::Why::Changed { changes } => {
                Self::Changed { changes: changes.iter().map(Change::from).collect() }
            }
        }
    }
}
