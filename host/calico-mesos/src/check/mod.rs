//! `calico_mesos check`: is this host ready for the plugin? The questions are in [`etcd`] (what is in
//! etcd), [`names`] (host names, as the guide of 2015 demands) and [`machine`] (namespaces, log, modules.json).

mod agent;
mod etcd;
mod machine;
mod names;
pub mod repair;
pub mod report;
mod survey;

use std::process::ExitCode;

use self::report::{Finding, Report};

/// Asks everything and prints the answers.
pub fn run(json: bool) -> ExitCode {
    let environment = agent::Environment::find();
    let mut report = Report::default();
    report.add(environment.finding());
    report.add(etcd::authority(&environment));
    report.extend(names::findings());
    report.extend(machine::findings(&environment));
    report.extend(etcd::findings(&environment));
    let text = if json { report.json() } else { report.text() };
    let status = if report.is_ready() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    crate::cli::print(&text, status)
}

/// A finding for a question that another's answer makes pointless.
fn skipped(name: &'static str, why: &str) -> Finding {
    Finding::skip(name, format!("not asked: {why}"))
}
