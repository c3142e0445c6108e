//! A point in time after which no more work is begun.

use std::time::{Duration, Instant};

/// The end of the time that a request, or its rollback, may take.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    /// The point `span` from now.
    pub fn after(span: Duration) -> Self {
        Self(Instant::now() + span)
    }

    /// The time that is left, or nothing when it is over.
    pub fn left(self) -> Option<Duration> {
        self.0.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passed_deadline_leaves_nothing() {
        assert_eq!(Deadline::after(Duration::ZERO).left(), None);
        assert!(Deadline::after(Duration::from_secs(3600)).left().is_some());
    }
}
