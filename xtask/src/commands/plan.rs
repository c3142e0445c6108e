//! `plan`: what `rpm` would do, without doing any of it.

use el7rpm::openpgp::{SecretKey, Signer};
use zeroize::Zeroizing;

use crate::{
    cli::PlanArgs,
    failure::Result,
    keys,
    plan::{self, Circumstances, Plan},
    terminal,
    workspace::Workspace,
};

pub(super) fn run(args: &PlanArgs, workspace: &Workspace, json: bool) -> Result<()> {
    let signing_key = development_fingerprint(workspace);
    let specs = workspace.specs()?;
    let plan = Plan::of(
        &specs,
        &Circumstances { workspace, wanted: &args.packages, signing_key: &signing_key },
    )?;
    if json {
        terminal::json(&plan);
    } else if args.dot {
        terminal::text(&plan::dot(&plan));
    } else {
        terminal::text(&plan::text(&plan));
    }
    Ok(())
}

/// A plan makes nothing, not even a key: without one the steps of signing are still to do.
fn development_fingerprint(workspace: &Workspace) -> String {
    let text = fs_err::read_to_string(keys::development_path(workspace)).map(Zeroizing::new);
    let key = text.ok().and_then(|t| SecretKey::from_armored(&t, || Ok(Zeroizing::default())).ok());
    key.map_or_else(|| "no development key yet".into(), |k| k.certificate().fingerprint())
}
