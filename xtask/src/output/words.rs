//! The words for states and kinds in the output.

use schemars::JsonSchema;
use serde::Serialize;

/// Increased if something is removed or changes its meaning, but not if something is added.
pub(super) const FORMAT: u32 = 1;

/// Declares an enum of the format with the variants of an enum of the program. A variant that is added there must be
/// added here.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident from $from:path: $($word:ident)+) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
        #[serde(rename_all = "kebab-case")]
        pub(crate) enum $name { $(#[allow(missing_docs)] $word),+ }

        impl From<$from> for $name {
            fn from(word: $from) -> Self {
                use $from as Word;
                match word { $(Word::$word => Self::$word),+ }
            }
        }
    };
}

words! {
    /// What a step does.
    Kind from base::step::Kind:
    Tools Library Fetch Image Compile Package Sign
}

words! {
    /// What a plan finds of a step.
    State from base::step::State:
    Cached ToDo NotNeeded
}

words! {
    /// How a step ended.
    Outcome from base::events::Outcome:
    Cached NotNeeded Built HeldBack Failed
}

words! {
    /// What an input is.
    Subject from base::why::Subject:
    Path Value Step
}

words! {
    /// How an input differs from what it was.
    How from base::why::How:
    Changed New Gone
}

words! {
    /// Classes of failure, each of which has an exit code of its own.
    Class from base::failure::Class:
    Usage Spec Source Tool Compile Package Key Verify Output HeldBack
}

/// Whether something is on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CheckState {
    /// It is.
    Ok,
    /// The run will see to it, or can do without.
    Note,
    /// It is not.
    Missing,
}

/// What became of a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LockState {
    /// The lock was right.
    Unchanged,
    /// The lock was written.
    Written,
    /// The lock is not right, and `--check` forbids to write it.
    Differs,
}
