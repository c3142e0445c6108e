//! `calico_mesos check`: is this host ready for the plugin? Each question is asked of what the other party will use:
//! `agent` has the flags and variables that the agent gets, `modules` what it loads, `names` the host's names
//! (as the guide of 2015 demands) and the agent's address, `machine` namespaces, log and kernel, `etcd` what is in
//! etcd, `hosts` and `pools` a part of that.

mod agent;
mod command;
mod etcd;
mod hosts;
mod machine;
mod modules;
mod names;
mod pools;
pub mod repair;
pub mod report;
mod survey;

use std::process::ExitCode;

use self::report::Report;

/// Asks everything and prints the answers.
pub fn run(json: bool) -> ExitCode {
    let environment = agent::Environment::find();
    let mut report = Report::default();
    report.add(environment.agent_finding());
    report.extend(modules::findings(&environment));
    report.add(environment.finding());
    report.add(etcd::authority(&environment));
    report.extend(names::findings(&environment));
    report.extend(machine::findings(&environment));
    report.extend(etcd::findings(&environment));
    let text = if json { report.json() } else { report.text() };
    let status = if report.is_ready() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    crate::cli::print(&text, status)
}
