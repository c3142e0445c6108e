//! `calico_mesos repair`: mends the faults that `check` finds in etcd, as far as no question is left. It can be
//! said at any time, also while agents are at work.

use std::process::ExitCode;

use super::{agent::Environment, survey::by_hand};
use crate::{
    error::{Error, Result},
    etcd::Client,
    settings::Settings,
    survey::{self, Fault, Topic},
};

/// Mends what can be mended and prints a line for each fault.
pub fn run() -> ExitCode {
    let mut text = String::new();
    let left = match repair(&mut text) {
        Ok(left) => left,
        Err(error) => {
            text.push_str(&format!("FAIL    {error}\n"));
            1
        }
    };
    text.push_str(&match left {
        0 => "nothing is left to be done\n".to_owned(),
        left => format!("{left} left to be done\n"),
    });
    crate::cli::print(&text, if left == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// How many faults are left; `text` gets a line for each that was found.
fn repair(text: &mut String) -> Result<usize> {
    let environment = Environment::find();
    if !environment.is_known() {
        // The default address may be another cluster's.
        let text = "the agent's settings are not known: see calico_mesos check, check agent";
        return Err(Error::Request(text.to_owned()));
    }
    let settings = Settings::from(|name| environment.get(name))?;
    let client = survey::client(&settings)?;
    let mut left = 0;
    for topic in Topic::ALL {
        for fault in survey::faults(&client, topic)? {
            let (line, is_left) = mend(&client, &fault);
            text.push_str(&line);
            left += usize::from(is_left);
        }
    }
    Ok(left)
}

/// Mends one fault: its line, and whether it is left.
fn mend(client: &Client, fault: &Fault) -> (String, bool) {
    if !fault.is_mendable() {
        return (format!("LEFT    {fault}\n        -> {}\n", by_hand(fault.topic)), true);
    }
    match fault.mend(client) {
        Ok(true) => (format!("mended  {fault}\n"), false),
        Ok(false) => (format!("gone    {fault}\n"), false),
        Err(error) => (format!("FAIL    {fault}: {error}\n"), true),
    }
}
