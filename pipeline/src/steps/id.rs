//! The id of a step in a plan, and lists with one entry per step.

use std::ops::{Index, IndexMut};

/// The id of a step in one plan. Another plan gives other ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StepId(usize);

impl StepId {
    /// Its place in the plan, from 0.
    pub fn place(self) -> usize {
        self.0
    }
}

/// One value for each step of a plan, in its order.
#[derive(Clone, Debug)]
pub struct PerStep<T>(Vec<T>);

impl<T> PerStep<T> {
    /// A list of these values, in order of the plan.
    pub fn new(values: Vec<T>) -> Self {
        Self(values)
    }

    /// The number of steps.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no step.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All values.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.0.iter()
    }

    /// The ids of all steps, in order of the plan.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = StepId> + ExactSizeIterator + use<T> {
        (0..self.0.len()).map(StepId)
    }

    /// The ids of all steps, each with its value.
    pub fn with_ids(&self) -> impl DoubleEndedIterator<Item = (StepId, &T)> {
        self.ids().zip(&self.0)
    }

    /// The id of the value that is pushed next.
    pub(crate) fn next_id(&self) -> StepId {
        StepId(self.0.len())
    }

    pub(crate) fn iter_mut(&mut self) -> std::slice::IterMut<'_, T> {
        self.0.iter_mut()
    }

    pub(crate) fn push(&mut self, value: T) {
        self.0.push(value);
    }
}

impl<T> Index<StepId> for PerStep<T> {
    type Output = T;

    fn index(&self, id: StepId) -> &T {
        &self.0[id.0]
    }
}

impl<T> IndexMut<StepId> for PerStep<T> {
    fn index_mut(&mut self, id: StepId) -> &mut T {
        &mut self.0[id.0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_by_the_id_of_its_step() {
        let mut list = PerStep::new(vec!["a"]);
        let id = list.next_id();
        list.push("b");
        assert_eq!((list[id], id.place(), list.len()), ("b", 1, 2));
        list[id] = "c";
        assert_eq!(
            list.with_ids().map(|(id, v)| (id.place(), *v)).collect::<Vec<_>>(),
            [(0, "a"), (1, "c")]
        );
    }
}
