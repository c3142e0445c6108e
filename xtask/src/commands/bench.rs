//! `bench`: how fast the main job is, as ratios against peers, measured in one run.

use crate::{
    cli::BenchArgs,
    failure::{Class, Failure, Result},
    workspace::Workspace,
};

pub(super) fn run(_args: &BenchArgs, _workspace: &Workspace, _json: bool) -> Result<()> {
    Err(Failure::new(Class::Usage, "not yet"))
}
