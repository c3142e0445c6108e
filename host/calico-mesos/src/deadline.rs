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

    /// The end of a part of the time that is left, where `parts` come one after the other.
    pub fn share(self, parts: usize) -> Self {
        match u32::try_from(parts) {
            Ok(parts @ 2..) => Self::after(self.left().unwrap_or_default() / parts),
            _ => self,
        }
    }

    /// The earlier one of this and the point `span` from now.
    pub fn within(self, span: Duration) -> Self {
        Self(self.0.min(Instant::now() + span))
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

    #[test]
    fn parts_of_the_time_that_is_left() {
        let hour = Deadline::after(Duration::from_secs(3600));
        let left = |deadline: Deadline| deadline.left().unwrap_or_default().as_secs().div_ceil(60);
        assert_eq!([hour.share(1), hour.share(2), hour.share(3)].map(left), [60, 30, 20]);
        assert_eq!(left(hour.within(Duration::from_secs(60))), 1);
        assert_eq!(left(hour.within(Duration::from_secs(7200))), 60);
    }
}
