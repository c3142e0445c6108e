//! The settings of a run that every builder needs.

use crate::toolchain::Toolchain;
use base::{
    events::Reporter,
    failure::Class,
    process::{Process, Program},
    workspace::Workspace,
};

/// The settings of a run that every builder needs.
#[derive(Clone, Copy)]
pub struct Site<'a> {
    /// The checkout.
    pub workspace: &'a Workspace,
    /// Whether no network may be used.
    pub offline: bool,
    /// The Rust that crates are compiled with.
    pub toolchain: &'a Toolchain,
    /// Gets the events.
    pub reporter: &'a dyn Reporter,
}

impl<'a> Site<'a> {
    /// Prepares a program that the step `step` runs: `log` is the name of its log file, `class` the class of its
    /// failure.
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
