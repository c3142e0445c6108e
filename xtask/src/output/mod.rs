//! All that `--json` prints, in one place: an object a line, each of which says what it is (`event`) and by which
//! version of this format (`format`). The schema that `cargo xtask schema` prints is made from these types.
//!
//! These types are separate from those of the other crates, so that a renamed field there does not change the format.

mod from_run;
mod rows;
mod schema;
mod why;
mod words;

use schemars::JsonSchema;
use serde::Serialize;

use words::FORMAT;

pub(crate) use rows::{
    AlongObject, CheckObject, Checks, Failed, Finished, LockedChange, Measured, SourceObject,
    StepObject, UnmetObject,
};
pub(crate) use schema::schema;
pub(crate) use why::WhyObject;
pub(crate) use words::{CheckState, Class, How, Kind, LockState, Outcome, State, Subject};

/// One object of standard output.
#[allow(clippy::enum_variant_names, reason = "the names are those of the format")]
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(crate) enum Output {
    /// Another run holds the lock; this one waits.
    Waiting {
        /// The lock's file.
        path: String,
    },
    /// A stage of a run begins.
    Started {
        /// How many steps it has.
        steps: usize,
    },
    /// Something worth knowing that stops nothing.
    Note {
        /// A sentence.
        message: String,
    },
    /// A step begins.
    StepStarted {
        /// Its name.
        step: String,
        /// What it does.
        kind: Kind,
    },
    /// A part of a step begins.
    Phase {
        /// The step's name.
        step: String,
        /// The phase's.
        phase: String,
    },
    /// A part of a step ended.
    PhaseEnded {
        /// The step's name.
        step: String,
        /// The phase's.
        phase: String,
        /// Lines of its output that are a compiler's warnings.
        warnings: usize,
        /// How long it took.
        millis: u64,
    },
    /// A step printed a line.
    StepOutput {
        /// The step's name.
        step: String,
        /// The line, without its end.
        line: String,
    },
    /// A program that a step runs has printed nothing for some time.
    Silent {
        /// The step's name.
        step: String,
        /// The program's.
        program: String,
        /// For how long.
        millis: u64,
        /// What else is known of it.
        #[serde(skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
    },
    /// A step ended.
    StepFinished {
        /// Its name.
        step: String,
        /// How it ended.
        outcome: Outcome,
        /// How long it took.
        millis: u64,
    },
    /// A package will not be built.
    HeldBack {
        /// Its name.
        package: String,
        /// Why.
        reason: String,
    },
    /// The packages that are ready are published, before the rest is compiled, which may take long.
    Published {
        /// How many packages.
        packages: usize,
        /// Names of the descriptions that are compiled now.
        rest: Vec<String>,
        /// How long that took when it was last done.
        #[serde(skip_serializing_if = "Option::is_none")]
        last_millis: Option<u64>,
    },
    /// A signal ends the run.
    Interrupted {
        /// Its name, such as `SIGINT`.
        signal: String,
    },
    /// The run ended, and a repository is there; a failure may follow.
    Finished(Finished),
    /// The command ends with another code than 0. This is its last object.
    Failed(Failed),
    /// The result of `plan`.
    Plan {
        /// The steps; those that a step needs come before it.
        steps: Vec<StepObject>,
        /// Packages that were not named, but are built since a named package requires them.
        along: Vec<AlongObject>,
        /// Requirements on versions that the checkout does not build.
        unmet: Vec<UnmetObject>,
    },
    /// The result of `fetch`.
    Fetched {
        /// The result for each source.
        sources: Vec<SourceObject>,
    },
    /// The result of `verify`, if all holds.
    Verified {
        /// Fingerprint of the key.
        key: String,
        /// The key's user ids.
        user_ids: Vec<String>,
        /// Name, version and architecture of each package.
        packages: Vec<String>,
        /// The checks of each package.
        checks: Vec<Checks>,
        /// Whether the key was given by `--public-key`, and not taken from the repository itself.
        trusted: bool,
        /// Files beside an index that no signature covers.
        uncovered: Vec<String>,
        /// Why newer systems than CentOS 7 refuse the key.
        caveats: Vec<String>,
    },
    /// The result of `lock`.
    Locked {
        /// The image.
        image: String,
        /// How many packages it has.
        packages: usize,
        /// Whether the lock was written.
        state: LockState,
        /// Packages that differ from the old lock.
        changes: Vec<LockedChange>,
    },
    /// The result of `root`.
    Root {
        /// The image.
        image: String,
        /// The folder that is the root's `/`.
        folder: String,
        /// Whether the root existed before.
        was_there: bool,
        /// How many packages.
        packages: usize,
        /// How many paths of regular files.
        files: usize,
        /// Bytes in the files.
        bytes: u64,
        /// SHA-256 over the tree: paths, kinds, permissions, times and contents.
        digest: String,
    },
    /// The result of `unpack`.
    Unpacked {
        /// The folder.
        folder: String,
        /// How many packages.
        packages: usize,
        /// How many paths of regular files.
        files: usize,
        /// Bytes in the files.
        bytes: u64,
        /// SHA-256 over the tree: paths, kinds, permissions, times and contents.
        digest: String,
        /// How many devices, pipes and sockets were left out.
        special: usize,
        /// How many files lost their set-id bits.
        set_id: usize,
        /// Whether signatures were checked.
        signed: bool,
    },
    /// The result of `index`.
    Indexed {
        /// How many packages.
        packages: usize,
        /// Kinds of the metadata of others that was kept: `group`, `updateinfo`.
        kept: Vec<String>,
    },
    /// The result of `doctor`.
    Doctor {
        /// The checks of this machine.
        checks: Vec<CheckObject>,
    },
    /// The result of `clean`.
    Cleaned {
        /// How many results were removed.
        removed: usize,
    },
    /// The result of `bench`: rows, or the lines that the plugin's benchmark printed.
    Bench {
        /// What was measured.
        #[serde(skip_serializing_if = "Option::is_none")]
        rows: Option<Vec<Measured>>,
        /// The lines that the plugin's benchmark printed.
        #[serde(skip_serializing_if = "Option::is_none")]
        lines: Option<Vec<String>>,
    },
}

/// A value with the version of the format, as it is printed.
#[derive(Serialize)]
struct Line<'a> {
    format: u32,
    #[serde(flatten)]
    output: &'a Output,
}

impl Output {
    /// One line of JSON.
    pub(crate) fn line(&self) -> String {
        serde_json::to_string(&Line { format: FORMAT, output: self }).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
