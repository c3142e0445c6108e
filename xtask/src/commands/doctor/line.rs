//! A line of the list.

use crate::output::{CheckObject, CheckState};

/// A check with its result, and what to do if something is missing.
pub(super) fn check(
    what: impl Into<String>,
    state: CheckState,
    detail: impl Into<String>,
) -> CheckObject {
    CheckObject { what: what.into(), state, detail: detail.into() }
}
