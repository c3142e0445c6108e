//! Where and how a program is built: what every builder gets from the run.

use crate::{
    events::Reporter,
    failure::Class,
    process::{Process, Program},
    toolchain::Toolchain,
    workspace::Workspace,
};

/// What programs are built with, and how.
#[derive(Clone, Copy)]
pub(crate) struct Site<'a> {
    pub(crate) workspace: &'a Workspace,
    pub(crate) offline: bool,
    /// What crates are compiled with.
    pub(crate) toolchain: &'a Toolchain,
    pub(crate) reporter: &'a dyn Reporter,
}

impl<'a> Site<'a> {
    /// A program that a step runs, with the name of its log and the class of its failure.
    pub(crate) fn process(
        &self,
        program: Program,
        log: impl Into<String>,
        class: Class,
        step: &'a str,
    ) -> Process<'a> {
        let (log, Self { workspace, reporter, .. }) = (log.into(), *self);
        Process { program, workspace, log, class, step, reporter, probe: None }
    }
}
