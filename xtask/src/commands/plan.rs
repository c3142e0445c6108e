//! `plan`: prints the steps that `rpm` would carry out.

use super::inputs;
use crate::{cli::PlanArgs, output::Output, terminal};
use base::{events::Reporter, failure::Result, workspace::Workspace};
use pipeline::{
    circumstances::Circumstances,
    keys,
    plan::{self, Plan},
};
use sources::{Fetcher, Store};

pub(super) fn run(
    args: &PlanArgs,
    workspace: &Workspace,
    reporter: &dyn Reporter,
    json: bool,
) -> Result<()> {
    // `plan` creates nothing, not even a development key: without a key all sign steps are to do.
    let signing_key = keys::development_fingerprint(workspace)?;
    let signing_key = signing_key.unwrap_or_else(|| "no development key yet".into());
    let specs = inputs::specs(workspace, &args.sources)?;
    // The plan as JSON is one document.
    if !json {
        inputs::report_notes(&specs, reporter);
    }
    let store = Store::open(workspace)?;
    let fetcher = Fetcher::new(&store, workspace, reporter);
    let plan = Plan::of(
        &specs,
        &Circumstances::plain(workspace, &args.packages, &signing_key, &fetcher)?,
    )?;
    if json {
        terminal::json(&Output::Plan {
            steps: plan.steps.iter().map(Into::into).collect(),
            along: plan.along.iter().map(Into::into).collect(),
            unmet: plan.unmet.iter().map(Into::into).collect(),
        });
    } else if args.dot {
        terminal::text(&plan::dot(&plan));
    } else {
        terminal::text(&plan::text(&plan));
    }
    Ok(())
}
