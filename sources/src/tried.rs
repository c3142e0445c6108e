//! The locations of a source that were tried, and the message about them.

use std::path::PathBuf;

use el7rpm::spec::Source;

use super::{address, hosts::LocationProblem};
use base::failure::{Class, Failure, Trouble};

/// Locations that did not give the source.
pub(super) struct Tried<'a> {
    source: &'a Source,
    ended: Vec<(String, LocationProblem)>,
    /// The log, if there is one.
    pub(super) log: Option<PathBuf>,
}

impl<'a> Tried<'a> {
    pub(super) fn new(source: &'a Source) -> Self {
        Self { source, ended: Vec::new(), log: None }
    }

    pub(super) fn add(&mut self, url: &str, problem: LocationProblem) {
        self.ended.push((address::shown(url), problem));
    }

    /// A failure, if a location gave other bytes, which is a mistake or an attack. Otherwise the source is
    /// unavailable.
    pub(super) fn trouble(self) -> Trouble {
        let log = self.log.clone().filter(|log| log.exists());
        let with_log = |mut failure: Failure| {
            failure.log = log;
            failure
        };
        let name = &self.source.name;
        let wrong = self.ended.iter().any(|(_, p)| matches!(p, LocationProblem::Wrong(_)));
        let reasons: Vec<_> =
            self.ended.iter().map(|(url, p)| format!("{url}: {}", p.text())).collect();
        if wrong {
            let message = format!("no location of `{name}` has what package.toml pins");
            let mut failure = Failure::new(Class::Source, message)
                .help("nothing was kept; find out why it differs before you pin something else");
            failure.last_lines = reasons;
            return Trouble::Failed(with_log(failure));
        }
        let message = format!("the source `{name}` cannot be fetched: {}", self.summary());
        let mut failure = Failure::new(Class::Source, message)
            .help(format!("connect to a network, or bring it: `--source {name}=PATH`"));
        failure.last_lines = reasons;
        Trouble::Unavailable(with_log(failure))
    }

    /// The hosts with their problems, in one line.
    fn summary(&self) -> String {
        let mut parts: Vec<String> = Vec::new();
        for (url, problem) in &self.ended {
            let part = match problem {
                LocationProblem::Unreachable { .. } => problem.text(),
                other => {
                    let place = address::host(url).unwrap_or_else(|| url.clone());
                    format!("{place}: {}", other.text())
                }
            };
            if !parts.contains(&part) {
                parts.push(part);
            }
        }
        parts.join("; ")
    }
}
