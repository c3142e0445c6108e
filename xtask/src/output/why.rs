//! Why a step is to be carried out, as it is printed.

use schemars::JsonSchema;
use serde::Serialize;

use super::{How, Subject};
use base::why;

/// A changed input.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Change")]
pub(crate) struct ChangeObject {
    /// What it is.
    subject: Subject,
    /// Its path from the checkout, or its name.
    name: String,
    /// How it differs.
    change: How,
}

impl From<&why::Change> for ChangeObject {
    fn from(change: &why::Change) -> Self {
        let why::Change { subject, name, change } = change.clone();
        Self { subject: subject.into(), name, change: change.into() }
    }
}

/// Why a step is to be carried out.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Why")]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub(crate) enum WhyObject {
    /// It has not been done in this checkout.
    NeverDone,
    /// It has been done, but the note of what it was made from cannot be read.
    NoNote,
    /// All is as it was, but its result is not there any more.
    ResultGone,
    /// All is as it was; whether the result is there only the container engine knows.
    OnlyTheEngineKnows,
    /// Its inputs have changed.
    Changed {
        /// The changed inputs.
        changes: Vec<ChangeObject>,
    },
}

impl From<&why::Why> for WhyObject {
    fn from(reason: &why::Why) -> Self {
        match reason {
            why::Why::NeverDone => Self::NeverDone,
            why::Why::NoNote => Self::NoNote,
            why::Why::ResultGone => Self::ResultGone,
            why::Why::OnlyTheEngineKnows => Self::OnlyTheEngineKnows,
            why::Why::Changed { changes } => {
                Self::Changed { changes: changes.iter().map(ChangeObject::from).collect() }
            }
        }
    }
}
