//! The rows of the table: one for each RPM.

use el7rpm::signature::SignedRpm;

use base::{events::Outcome, key::Key, report::Row};
use pipeline::{
    plan::Plan,
    schedule::Ended,
    steps::{PerStep, StepId},
};

pub(super) fn rows(plan: &Plan, ended: &PerStep<Ended>, ready: &[(Key, SignedRpm)]) -> Vec<Row> {
    let rpm = |key: &Key| ready.iter().find(|(k, _)| k == key).map(|(_, rpm)| rpm);
    let rows = plan
        .signing()
        .map(|(_, step, sign)| row(&sign.unsigned.work.package.name, plan, ended, rpm(&step.key)));
    // A debug package without debug information has none of the three states, and no row.
    let has_state =
        |row: &Row| row.file.is_some() || row.held_back.is_some() || row.failed.is_some();
    rows.filter(has_state).collect()
}

fn row(name: &str, plan: &Plan, ended: &PerStep<Ended>, rpm: Option<&SignedRpm>) -> Row {
    let file = |rpm: &SignedRpm| Some(rpm.path().file_name()?.to_string_lossy().into_owned());
    let mut row = Row {
        package: name.to_owned(),
        file: rpm.and_then(file),
        size: rpm.map(|rpm| rpm.size()),
        steps: Vec::new(),
        why: Vec::new(),
        held_back: None,
        failed: None,
        help: None,
        log: None,
    };
    let own = |i: StepId| plan.steps[i].package.as_deref() == Some(name);
    let needed = plan.needed_by(own);
    for (i, step) in plan.steps.with_ids() {
        if needed.contains(&i) && ended[i].outcome == Outcome::Built {
            row.steps.push((step.work.kind().name().to_owned(), ended[i].time.as_millis()));
            row.why.extend(step.why.clone().map(|why| (step.name.clone(), why)));
        }
        if let (true, Some(reason)) = (own(i), &ended[i].reason) {
            let why = Some(reason.message.clone());
            match ended[i].outcome {
                Outcome::Failed => row.failed = why,
                _ => row.held_back = why,
            }
            row.help.clone_from(&reason.help);
            row.log.clone_from(&reason.log);
        }
    }
    row
}
