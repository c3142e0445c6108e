//! The table at the end of a run: the packages with their times, packages that were held back or failed with the
//! reasons, the path of the repository, and the next commands.

use std::fmt::Write;

use base::{
    report::{Row, RunReport},
    why::{Change, Subject, Why},
};

/// The table as text.
pub(crate) fn text(report: &RunReport) -> String {
    let mut out = String::new();
    let width = |f: fn(&Row) -> usize| report.packages.iter().map(f).max().unwrap_or(0);
    let file = width(|r| r.file.as_deref().unwrap_or(&r.package).chars().count());
    for row in &report.packages {
        let name = row.file.as_deref().unwrap_or(&row.package);
        let size = row.size.map(size).unwrap_or_default();
        let _ = writeln!(out, "  {name:<file$}  {size:>9}  {}", how(row));
        if let Some(why) = because(row) {
            let _ = writeln!(out, "  {:<file$}  {:>9}  {why}", "", "");
        }
    }
    missing(report, &mut out, "held back:", |row| row.held_back.as_deref());
    missing(report, &mut out, "failed:", |row| row.failed.as_deref());
    let _ = writeln!(out, "repository: {} ({})", report.repository.display(), state(report));
    if let Some(varied) = &report.reproducible {
        let _ =
            writeln!(out, "reproducible: a second build gave the same bytes; varied were {varied}");
    }
    let kind = if report.development { "the development key, not for release" } else { "key" };
    let _ = writeln!(out, "signed by:  {} ({kind})", report.signed_by);
    let _ = writeln!(
        out,
        "next:       copy the folder to a host; there: sudo rpm --import RPM-GPG-KEY-mesos-calico && rpm -K *.rpm && sudo yum --setopt=localpkg_gpgcheck=1 -y install ./*.rpm"
    );
    out
}

/// Says whether the repository was written.
fn state(report: &RunReport) -> String {
    if !report.kept_for.is_empty() {
        return format!(
            "not replaced: it holds {}, which failed in this run",
            report.kept_for.join(", ")
        );
    }
    match report.written {
        true => format!("written and verified in {:.1} s", report.millis as f64 / 1000.0),
        false if report.packages.iter().any(|row| row.failed.is_some()) => {
            "the rest of it is up to date".into()
        }
        false => "nothing to do: all is up to date".into(),
    }
}

/// Each reason once, with all packages that are missing for this reason.
fn missing(
    report: &RunReport,
    out: &mut String,
    title: &str,
    reason: impl Fn(&Row) -> Option<&str>,
) {
    let mut reasons: Vec<(&Row, Vec<&str>)> = Vec::new();
    for row in report.packages.iter().filter(|r| reason(r).is_some()) {
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

/// The steps that were carried out, with their times.
fn how(row: &Row) -> String {
    if row.held_back.is_some() {
        return "HELD BACK".into();
    }
    if row.failed.is_some() {
        return "FAILED".into();
    }
    if row.steps.is_empty() {
        return "cached".into();
    }
    let step = |(name, millis): &(String, u128)| format!("{name} {:.1} s", *millis as f64 / 1000.0);
    row.steps.iter().map(step).collect::<Vec<_>>().join(", ")
}

/// The inputs that have changed, and the steps whose result is gone. Other reasons are not worth a line.
fn because(row: &Row) -> Option<String> {
    let mut changed: Vec<&Change> = Vec::new();
    let mut gone = Vec::new();
    for (step, why) in &row.why {
        match why {
            // It is obvious that a changed step repeats the steps that need it.
            Why::Changed { changes } => {
                changed.extend(changes.iter().filter(|c| c.subject != Subject::Step));
            }
            Why::ResultGone => gone.push(step.as_str()),
            Why::NeverDone | Why::NoNote | Why::OnlyTheEngineKnows => {}
        }
    }
    let mut seen = Vec::new();
    changed.retain(|change| {
        let is_new = !seen.contains(change);
        seen.push(*change);
        is_new
    });
    if !changed.is_empty() {
        let changes = changed.into_iter().cloned().collect();
        return Some(format!("because {}", Why::Changed { changes }));
    }
    (!gone.is_empty()).then(|| format!("because the result of {} was gone", gone.join(", ")))
}

/// A size for people.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..10_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        10_000_000..10_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
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
        assert_eq!(size(12_345_678_901), "12.3 GB");
    }
}
