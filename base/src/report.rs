//! The outcome of a run, as values: what was made, how long it took, and what was held back or failed and why.

use std::path::PathBuf;

use crate::why::Why;

/// The outcome of a run.
#[derive(Debug)]
pub struct Report {
    /// One row an RPM.
    pub packages: Vec<Row>,
    /// The repository.
    pub repository: PathBuf,
    /// Whether it was written, or was there already.
    pub written: bool,
    /// Packages for whose sake the former repository was left as it is: it has them, and they failed.
    pub kept_for: Vec<String>,
    /// Fingerprint of the signing key.
    pub signed_by: String,
    /// Whether that is the development key.
    pub development: bool,
    /// What was varied in a second build that gave the same bytes.
    pub reproducible: Option<String>,
    /// The whole run, in milliseconds.
    pub millis: u128,
}

/// What became of one RPM.
#[derive(Debug)]
pub struct Row {
    /// Name of the package.
    pub package: String,
    /// File name; `None` if held back or failed.
    pub file: Option<String>,
    /// In bytes.
    pub size: Option<u64>,
    /// Steps that were carried out, with their time in milliseconds.
    pub steps: Vec<(String, u128)>,
    /// Why these steps were carried out, each with its name.
    pub why: Vec<(String, Why)>,
    /// Why it was held back.
    pub held_back: Option<String>,
    /// Why it failed.
    pub failed: Option<String>,
    /// How to get it after all.
    pub help: Option<String>,
    /// The whole output of what could not be done.
    pub log: Option<PathBuf>,
}
