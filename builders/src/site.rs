//! Where and how a program is built: what every builder gets from the run.

use crate::toolchain::Toolchain;
use base::{
    events::Reporter,
    failure::Class,
    process::{Process, Program},
    workspace::Workspace,
};

/// What programs are built with, and how.
#[derive(Clone, Copy)]
pub struct Site<'a> {
    /// The checkout.
    pub workspace: &'a Workspace,
    /// Whether no network may be used.
    pub offline: bool,
    /// What crates are compiled with.
    pub toolchain: &'a Toolchain,
    /// Who is told what happens.
    pub reporter: &'a dyn Reporter,
}

impl<'a> Site<'a> {
    /// A program that a step runs, with the name of its log and the class of its failure.
    pub fn process(
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
