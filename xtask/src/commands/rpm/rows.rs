//! What became of each RPM, for the report.

use crate::{
    events::Outcome,
    plan::{Plan, Work},
    publish,
    schedule::Ended,
    terminal::report::Row,
};

pub(super) fn rows(plan: &Plan, ended: &[Ended], published: &[publish::Published]) -> Vec<Row> {
    let names = plan.steps.iter().filter_map(|s| match s.work {
        Work::Sign { .. } => s.package.as_deref(),
        _ => None,
    });
    names.map(|name| row(name, plan, ended, published)).collect()
}

fn row(name: &str, plan: &Plan, ended: &[Ended], published: &[publish::Published]) -> Row {
    let published = published.iter().find(|p| p.name == name);
    let mut row = Row {
        package: name.to_owned(),
        file: published.map(|p| p.file.clone()),
        size: published.map(|p| p.size),
        steps: Vec::new(),
        held_back: None,
        help: None,
        log: None,
    };
    let own = |i: usize| plan.steps[i].package.as_deref() == Some(name);
    let needed = plan.needed_by(own);
    for (i, step) in plan.steps.iter().enumerate() {
        if needed.contains(&i) && ended[i].outcome == Outcome::Built {
            row.steps.push((step.work.kind().to_owned(), ended[i].time.as_millis()));
        }
        if let (true, Some(reason)) = (own(i), &ended[i].reason) {
            row.held_back = Some(reason.message.clone());
            row.help.clone_from(&reason.help);
            row.log.clone_from(&reason.log);
        }
    }
    row
}
