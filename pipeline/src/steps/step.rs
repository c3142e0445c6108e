//! A step of a plan, and the parts that are common to all kinds.

use std::{fmt, sync::Arc};

use super::{StepId, Work};
use base::{
    key::{Identity, Key, Stamps},
    step::State,
    why::{Input, Why},
};

/// One step.
#[derive(Debug)]
pub struct Step {
    /// Unique in the plan: kind and object.
    pub name: String,
    /// The RPM that it makes, if it makes one.
    pub package: Option<String>,
    /// The key of its result.
    pub key: Key,
    /// The steps before it.
    pub needs: Vec<StepId>,
    /// Steps that make its result better, but are not required.
    pub wishes: Vec<StepId>,
    /// Skip this step unless all steps of at least one of these groups succeed.
    pub needs_any: Vec<Vec<StepId>>,
    /// The files that it reads, relative to the checkout.
    pub inputs: Vec<String>,
    /// Whether it is to be carried out.
    pub state: State,
    /// If it is, which of its inputs differ from those of its last result.
    pub why: Option<Why>,
    /// The inputs of its key.
    pub made_of: Vec<Input>,
    /// Size, inode and times of the input files when the key was taken.
    pub stamps: Stamps,
    /// Its work.
    pub work: Work,
}

impl Step {
    /// Whether it is to be carried out and may take an hour.
    pub fn is_long(&self) -> bool {
        self.state == State::ToDo && self.work.is_long()
    }
}

/// A step of one kind that is not in a plan yet.
pub(crate) struct Draft<W> {
    pub(crate) name: String,
    pub(crate) identity: Identity,
    pub(crate) work: W,
    pub(crate) package: Option<String>,
    pub(crate) inputs: Vec<String>,
    pub(crate) needs: Vec<StepId>,
    pub(crate) wishes: Vec<StepId>,
}

impl<W> Draft<W> {
    pub(crate) fn new(name: String, identity: Identity, work: W) -> Self {
        Self {
            name,
            identity,
            work,
            package: None,
            inputs: Vec::new(),
            needs: Vec::new(),
            wishes: Vec::new(),
        }
    }
}

impl<W> Draft<W>
where
    Work: From<Arc<W>>,
{
    /// Makes the step, and the value by which other steps take its result.
    pub(crate) fn placed(
        self,
        id: StepId,
        state: impl Fn(&Work, &Key) -> State,
    ) -> (Step, Prerequisite<W>) {
        let work = Arc::new(self.work);
        let needed = Prerequisite {
            id,
            name: self.name.clone(),
            identity: self.identity.clone(),
            work: Arc::clone(&work),
        };
        let Identity { key, inputs: made_of, stamps } = self.identity;
        let work = Work::from(work);
        let step = Step {
            name: self.name,
            package: self.package,
            needs: self.needs,
            wishes: self.wishes,
            needs_any: Vec::new(),
            inputs: self.inputs,
            state: state(&work, &key),
            why: None,
            key,
            made_of,
            stamps,
            work,
        };
        (step, needed)
    }
}

/// A step that another step needs. Its methods, which return the result, are in the file of its kind.
pub struct Prerequisite<W> {
    /// Its place in the plan.
    pub id: StepId,
    /// Its name.
    pub name: String,
    /// Its key, with the inputs.
    pub identity: Identity,
    /// Its work.
    pub work: Arc<W>,
}

impl<W> Clone for Prerequisite<W> {
    fn clone(&self) -> Self {
        let Self { id, name, identity, work } = self;
        let (name, identity, work) = (name.clone(), identity.clone(), Arc::clone(work));
        Self { id: *id, name, identity, work }
    }
}

impl<W> fmt::Debug for Prerequisite<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.identity.key)
    }
}
