//! What a check found, as text for people and as JSON for programs.

use serde::Serialize;

/// How one question was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Ok,
    /// Works, but look at it.
    Warn,
    /// The plugin cannot work.
    Fail,
    /// Could not be asked: nothing is known, so the host is not ready.
    Skip,
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// A stable name for programs.
    pub name: &'static str,
    /// How it stands.
    pub status: Status,
    /// What was found.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl Finding {
    fn new(name: &'static str, status: Status, message: String, help: Option<&str>) -> Self {
        Self { name, status, message, help: help.map(str::to_owned) }
    }

    /// As it should be.
    pub fn ok(name: &'static str, message: impl Into<String>) -> Self {
        Self::new(name, Status::Ok, message.into(), None)
    }

    /// Not asked, because of another answer.
    pub fn skip(name: &'static str, message: impl Into<String>) -> Self {
        Self::new(name, Status::Skip, message.into(), None)
    }

    /// Works, with an advice.
    pub fn warn(name: &'static str, message: impl Into<String>, help: &str) -> Self {
        Self::new(name, Status::Warn, message.into(), Some(help))
    }

    /// Does not work, with an advice.
    pub fn fail(name: &'static str, message: impl Into<String>, help: &str) -> Self {
        Self::new(name, Status::Fail, message.into(), Some(help))
    }
}

/// A finding for a question that another's answer makes pointless.
pub(super) fn skipped(name: &'static str, why: &str) -> Finding {
    Finding::skip(name, format!("not asked: {why}"))
}

/// All answers.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    ready: bool,
    checks: Vec<Finding>,
}

impl Report {
    /// Adds an answer.
    pub fn add(&mut self, finding: Finding) {
        self.checks.push(finding);
        let is_good = |finding: &Finding| matches!(finding.status, Status::Ok | Status::Warn);
        self.ready = self.checks.iter().all(is_good);
    }

    /// Adds answers.
    pub fn extend(&mut self, findings: Vec<Finding>) {
        findings.into_iter().for_each(|finding| self.add(finding));
    }

    /// Whether everything was asked, and nothing fails.
    pub fn is_ready(&self) -> bool {
        self.ready
    }

    /// One JSON object.
    pub fn json(&self) -> String {
        // Strings and a bool: there is nothing that could fail.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// A line for each answer, one more where something is to do, and a summary.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for Finding { name, status, message, help } in &self.checks {
            let word = match status {
                Status::Ok => "ok  ",
                Status::Warn => "warn",
                Status::Fail => "FAIL",
                Status::Skip => "skip",
            };
            text.push_str(&format!("{word}  {name:<12} {message}\n"));
            if let Some(help) = help {
                text.push_str(&format!("{:19}-> {help}\n", ""));
            }
        }
        let count = |status| self.checks.iter().filter(|f| f.status == status).count();
        let (failures, warnings) = (count(Status::Fail), count(Status::Warn));
        let verdict = if self.ready { "ready" } else { "NOT ready" };
        let skipped = match count(Status::Skip) {
            0 => String::new(),
            count => format!(", {count} not asked"),
        };
        text + &format!("{verdict}: {failures} failures, {warnings} warnings{skipped}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_that_was_not_made_is_not_ready() {
        let mut report = Report::default();
        report.extend(vec![Finding::ok("etcd", "there"), Finding::skip("pools", "not asked")]);
        assert!(!report.is_ready());
        let text = report.text();
        assert!(text.ends_with("NOT ready: 0 failures, 0 warnings, 1 not asked\n"), "{text}");
    }

    #[test]
    fn both_forms() {
        let mut report = Report::default();
        report.add(Finding::ok("etcd", "there"));
        report.add(Finding::warn("pools", "none for IPv6", "add one"));
        assert!(report.is_ready());
        assert_eq!(
            report.text(),
            "ok    etcd         there\n\
             warn  pools        none for IPv6\n                   -> add one\n\
             ready: 0 failures, 1 warnings\n"
        );
        report.add(Finding::fail("log", "no", "make it"));
        let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
        assert_eq!(json["ready"], false);
        assert_eq!(
            json["checks"][2],
            serde_json::json!({
            "name": "log", "status": "fail", "message": "no", "help": "make it"})
        );
        assert!(json["checks"][0].get("help").is_none());
    }
}
