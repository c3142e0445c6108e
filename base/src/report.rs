//! The outcome of a run: which packages were made, how long it took, and which were held back or failed, with the reasons.

use std::path::PathBuf;

use crate::why::Why;

/// The outcome of a run.
#[derive(Debug)]
pub struct RunReport {
    /// The packages.
    pub packages: Vec<Row>,
    /// The repository.
    pub repository: PathBuf,
    /// Whether it was written; `false` if it existed already.
    pub written: bool,
    /// Packages that failed now but are in the existing repository, which was therefore kept.
    pub kept_for: Vec<String>,
    /// Fingerprint of the signing key.
    pub signed_by: String,
    /// Whether that is the development key.
    pub development: bool,
    /// With `--check-reproducible`: in which ways the second build, which gave the same bytes, was different.
    pub reproducible: Option<String>,
    /// Duration of the whole run, in milliseconds.
    pub millis: u128,
}

/// The outcome for one package.
#[derive(Debug)]
pub struct Row {
    /// Name of the package.
    pub package: String,
    /// File name; `None` if held back or failed.
    pub file: Option<String>,
    /// Size in bytes.
    pub size: Option<u64>,
    /// Steps that were carried out, with their time in milliseconds.
    pub steps: Vec<(String, u128)>,
    /// Names of steps that were carried out, with the reasons.
    pub why: Vec<(String, Why)>,
    /// Why it was held back.
    pub held_back: Option<String>,
    /// Why it failed.
    pub failed: Option<String>,
    /// What to do to get it.
    pub help: Option<String>,
    /// The log of the step that failed.
    pub log: Option<PathBuf>,
}
