//! The table at the end of a run: what was made, how long it took, what was held back or failed and
//! why, where it lies, and what to type next.

use std::{fmt::Write, path::PathBuf};

use serde::Serialize;

/// The outcome of a run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// One row an RPM.
    pub(crate) packages: Vec<Row>,
    /// The repository.
    pub(crate) repository: PathBuf,
    /// Whether it was written, or was there already.
    pub(crate) written: bool,
    /// Packages for whose sake the former repository was left as it is: it has them, and they failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) kept_for: Vec<String>,
    /// Fingerprint of the signing key.
    pub(crate) signed_by: String,
    /// Whether that is the development key.
    pub(crate) development: bool,
    /// What was varied in a second build that gave the same bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reproducible: Option<String>,
    /// The whole run, in milliseconds.
    pub(crate) millis: u128,
}

/// What became of one RPM.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) package: String,
    /// File name; `None` if held back or failed.
    pub(crate) file: Option<String>,
    /// In bytes.
    pub(crate) size: Option<u64>,
    /// Steps that were carried out, with their time in milliseconds.
    pub(crate) steps: Vec<(String, u128)>,
    /// Why it was held back.
    pub(crate) held_back: Option<String>,
    /// Why it failed.
    pub(crate) failed: Option<String>,
    /// How to get it after all.
    pub(crate) help: Option<String>,
    /// The whole output of what could not be done.
    pub(crate) log: Option<PathBuf>,
}

impl Report {
    /// For people.
    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        let width = |f: fn(&Row) -> usize| self.packages.iter().map(f).max().unwrap_or(0);
        let file = width(|r| r.file.as_deref().unwrap_or(&r.package).chars().count());
        for row in &self.packages {
            let name = row.file.as_deref().unwrap_or(&row.package);
            let size = row.size.map(size).unwrap_or_default();
            let _ = writeln!(out, "  {name:<file$}  {size:>9}  {}", row.state());
        }
        self.missing(&mut out, "held back:", |row| row.held_back.as_deref());
        self.missing(&mut out, "failed:", |row| row.failed.as_deref());
        let _ = writeln!(out, "repository: {} ({})", self.repository.display(), self.state());
        if let Some(varied) = &self.reproducible {
            let _ = writeln!(
                out,
                "reproducible: a second build gave the same bytes; varied were {varied}"
            );
        }
        let kind = if self.development { "the development key, not for release" } else { "key" };
        let _ = writeln!(out, "signed by:  {} ({kind})", self.signed_by);
        let _ = writeln!(
            out,
            "next:       copy the folder to a host; there: sudo rpm --import RPM-GPG-KEY-mesos-calico && rpm -K *.rpm && sudo yum --setopt=localpkg_gpgcheck=1 -y install ./*.rpm"
        );
        out
    }
}

impl Report {
    /// What became of the repository.
    fn state(&self) -> String {
        if !self.kept_for.is_empty() {
            return format!(
                "left as it was: it has {}, which failed now",
                self.kept_for.join(", ")
            );
        }
        match self.written {
            true => format!("written and verified in {:.1} s", self.millis as f64 / 1000.0),
            false if self.packages.iter().any(|row| row.failed.is_some()) => {
                "the rest of it is up to date".into()
            }
            false => "nothing to do: all is up to date".into(),
        }
    }

    /// Each reason once, with all packages that there are not for its sake.
    fn missing(&self, out: &mut String, title: &str, reason: impl Fn(&Row) -> Option<&str>) {
        let mut reasons: Vec<(&Row, Vec<&str>)> = Vec::new();
        for row in self.packages.iter().filter(|r| reason(r).is_some()) {
            match reasons.iter_mut().find(|(first, _)| reason(first) == reason(row)) {
                Some((_, names)) => names.push(&row.package),
                None => reasons.push((row, vec![&row.package])),
            }
        }
        for (row, names) in reasons {
            let reason = reason(row).unwrap_or_default();
            let _ = writeln!(out, "{title:<11} {}: {reason}", names.join(", "));
            if let Some(help) = &row.help {
                let what = if names.len() == 1 { "it" } else { "them" };
                let _ = writeln!(out, "            to get {what}: {help}");
            }
            if let Some(log) = &row.log {
                let _ = writeln!(out, "            log: {}", log.display());
            }
        }
    }
}

impl Row {
    fn state(&self) -> String {
        if self.held_back.is_some() {
            return "HELD BACK".into();
        }
        if self.failed.is_some() {
            return "FAILED".into();
        }
        if self.steps.is_empty() {
            return "cached".into();
        }
        let step =
            |(name, millis): &(String, u128)| format!("{name} {:.1} s", *millis as f64 / 1000.0);
        self.steps.iter().map(step).collect::<Vec<_>>().join(", ")
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..10_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(size(9_999), "9999 B");
        assert_eq!(size(12_345), "12.3 kB");
        assert_eq!(size(123_456_789), "123.5 MB");
    }
}
