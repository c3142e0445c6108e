//! The objects within those that are printed.

use schemars::JsonSchema;
use serde::Serialize;

use super::{CheckState, Class, Kind, Outcome, State, WhyObject};
use base::{
    failure::Failure,
    report::{Row, RunReport},
};
use pipeline::{plan, steps};

/// The table at the end of a run.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct Finished {
    /// One row an RPM.
    packages: Vec<RpmObject>,
    /// The repository.
    repository: String,
    /// Whether it was written, or was there already.
    written: bool,
    /// Packages for whose sake the former repository was left as it is: it has them, and they failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    kept_for: Vec<String>,
    /// Fingerprint of the signing key.
    signed_by: String,
    /// Whether that is the development key.
    development: bool,
    /// What was varied in a second build that gave the same bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    reproducible: Option<String>,
    /// How long the whole run took.
    millis: u64,
}

impl From<&RunReport> for Finished {
    fn from(report: &RunReport) -> Self {
        Self {
            packages: report.packages.iter().map(RpmObject::from).collect(),
            repository: report.repository.display().to_string(),
            written: report.written,
            kept_for: report.kept_for.clone(),
            signed_by: report.signed_by.clone(),
            development: report.development,
            reproducible: report.reproducible.clone(),
            millis: report.millis as u64,
        }
    }
}

/// The result for one RPM.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Rpm")]
struct RpmObject {
    /// Name of the package.
    package: String,
    /// File name; null if it was held back or failed.
    file: Option<String>,
    /// In bytes.
    size: Option<u64>,
    /// Steps that were carried out, each with its time in milliseconds.
    steps: Vec<(String, u64)>,
    /// Why each of its steps was to be carried out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    why: Vec<(String, WhyObject)>,
    /// Why it was held back.
    held_back: Option<String>,
    /// Why it failed.
    failed: Option<String>,
    /// A hint how to get it.
    help: Option<String>,
    /// The file with the whole output of what could not be done.
    log: Option<String>,
}

impl From<&Row> for RpmObject {
    fn from(row: &Row) -> Self {
        Self {
            package: row.package.clone(),
            file: row.file.clone(),
            size: row.size,
            steps: row.steps.iter().map(|(name, millis)| (name.clone(), *millis as u64)).collect(),
            why: row.why.iter().map(|(step, why)| (step.clone(), WhyObject::from(why))).collect(),
            held_back: row.held_back.clone(),
            failed: row.failed.clone(),
            help: row.help.clone(),
            log: row.log.as_ref().map(|log| log.display().to_string()),
        }
    }
}

/// Why a command failed.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct Failed {
    /// The code that the command ends with.
    exit_code: u8,
    /// Of what class the failure is.
    class: Class,
    /// What happened.
    message: String,
    /// The package that cannot be made.
    #[serde(skip_serializing_if = "Option::is_none")]
    package: Option<String>,
    /// The step of the plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<String>,
    /// The program with its arguments.
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
    /// How the program ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    /// The important lines of the output.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    last_lines: Vec<String>,
    /// The file with the whole output.
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<String>,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
}

impl From<&Failure> for Failed {
    fn from(failure: &Failure) -> Self {
        Self {
            exit_code: failure.class.exit_code(),
            class: failure.class.into(),
            message: failure.message.clone(),
            package: failure.package.clone(),
            step: failure.step.clone(),
            command: failure.command.clone(),
            status: failure.status.clone(),
            last_lines: failure.last_lines.clone(),
            log: failure.log.as_ref().map(|log| log.display().to_string()),
            help: failure.help.clone(),
        }
    }
}

/// A step of a plan.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Step")]
pub(crate) struct StepObject {
    /// Unique in the plan.
    pub(crate) name: String,
    /// The RPM that it makes, if it makes one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) package: Option<String>,
    /// Identity of its result.
    pub(crate) key: String,
    /// Places, from 0, of the steps before it.
    pub(crate) needs: Vec<usize>,
    /// Files and folders of the checkout that it reads.
    pub(crate) inputs: Vec<String>,
    /// Whether it is to be carried out.
    pub(crate) state: State,
    /// What it does.
    pub(crate) kind: Kind,
    /// Why it is to be carried out, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) why: Option<WhyObject>,
}

impl From<&steps::Step> for StepObject {
    fn from(step: &steps::Step) -> Self {
        Self {
            name: step.name.clone(),
            package: step.package.clone(),
            key: step.key.to_string(),
            needs: step.needs.iter().map(|need| need.place()).collect(),
            inputs: step.inputs.clone(),
            state: step.state.into(),
            kind: step.work.kind().into(),
            why: step.why.as_ref().map(WhyObject::from),
        }
    }
}

/// A package that is built, too, and the reason.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Along")]
pub(crate) struct AlongObject {
    /// The package that is built, too.
    pub(crate) package: String,
    /// The package that requires it.
    pub(crate) by: String,
    /// The requirement: the name of a package, a library or a file.
    pub(crate) requirement: String,
}

impl From<&plan::Along> for AlongObject {
    fn from(along: &plan::Along) -> Self {
        let plan::Along { package, by, requirement } = along.clone();
        Self { package, by, requirement }
    }
}

/// A requirement on a package of the checkout, in a version that the checkout does not build.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Unmet")]
pub(crate) struct UnmetObject {
    /// The package that requires it.
    pub(crate) package: String,
    /// The requirement, such as `foo >= 2`.
    pub(crate) requirement: String,
    /// The versions of this name that the checkout offers, such as `foo = 1-1.el7`.
    pub(crate) offered: Vec<String>,
}

impl From<&plan::Unmet> for UnmetObject {
    fn from(unmet: &plan::Unmet) -> Self {
        let plan::Unmet { package, requirement, offered } = unmet.clone();
        Self { package, requirement, offered }
    }
}

/// The result for a source.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Source")]
pub(crate) struct SourceObject {
    /// The description that it stands in.
    pub(crate) spec: String,
    /// Its name.
    pub(crate) source: String,
    /// How its step ended.
    pub(crate) outcome: Outcome,
    /// Why it could not be fetched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<Failed>,
}

/// The checks of one package.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Checks {
    /// Its name, version and architecture.
    pub(crate) package: String,
    /// Digests and signatures that hold.
    pub(crate) checked: Vec<String>,
    /// Digests that the package does not have, and that its writer does not make.
    pub(crate) not_there: Vec<String>,
}

/// Something that `doctor` looked for.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Check")]
pub(crate) struct CheckObject {
    /// What it is.
    pub(crate) what: String,
    /// Whether it is there.
    pub(crate) state: CheckState,
    /// Where or which it is, or how to get it.
    pub(crate) detail: String,
}

/// One measurement, beside that of a peer that does the same.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Measured {
    /// What was measured.
    pub(crate) what: String,
    /// How long it took.
    pub(crate) seconds: f64,
    /// The peer, and how long it took.
    pub(crate) peer: Option<(String, f64)>,
    /// A remark.
    pub(crate) note: String,
}

/// A package that differs between two locks.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct LockedChange {
    /// Its name.
    pub(crate) name: String,
    /// Version, architecture and repository in the old lock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) before: Option<String>,
    /// Version, architecture and repository in the new lock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) now: Option<String>,
}
