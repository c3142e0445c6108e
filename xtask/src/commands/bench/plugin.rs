//! Measures the network plugin of the package, and a bare client that sends the same requests to etcd.

use std::path::PathBuf;

use super::{BenchFolder, clock::time};
use crate::{cli::SourceArgs, commands::inputs, output::Output, terminal};
use base::{
    events::Reporter,
    failure::{Class, Classify, Failure, Result},
    process::Program,
    workspace::Workspace,
};
use pipeline::{cache::Cache, circumstances::Circumstances, plan::Plan, steps::Work};
use sources::{Fetcher, Store};

const PACKAGE: &str = "calico-mesos";
const PROGRAM: &str = "calico_mesos";

/// The benchmark of the plugin's crate measures and prints. With `--json` its lines are printed together at the end.
pub(super) fn measure(workspace: &Workspace, reporter: &dyn Reporter, json: bool) -> Result<()> {
    let program = shipped(workspace, reporter)?;
    let bench = ["cargo", "bench", "--quiet", "--package", PACKAGE, "--bench", "latency"];
    // If the processor runs other programs in the middle of a request, a process that is just starting is delayed far
    // more than a running one; this is not the plugin's fault.
    let first = ["chrt", "--fifo", "10"].map(str::to_owned);
    let may = Program::new("chrt").args(["--fifo", "10", "true"]).output();
    let words: Vec<String> = match may.is_ok_and(|tried| tried.status.success()) {
        true => first.into_iter().chain(bench.map(str::to_owned)).collect(),
        false => bench.map(str::to_owned).to_vec(),
    };
    let mut bench = Program::new(&words[0]);
    bench.args(&words[1..]).current_dir(&workspace.root).env("PLUGIN", program);
    let status = if json {
        let output = bench.output().class(Class::Tool)?;
        let said = [output.stdout, output.stderr].concat();
        let lines: Vec<_> = String::from_utf8_lossy(&said).lines().map(str::to_owned).collect();
        terminal::json(&Output::Bench { rows: None, lines: Some(lines) });
        output.status
    } else {
        bench.on_terminal().class(Class::Tool)?
    };
    match status.success() {
        true => Ok(()),
        false => Err(Failure::new(Class::Tool, format!("{} failed", words.join(" ")))
            .help("the lines above say why: a limit was missed, or something is not installed")),
    }
}

/// The program in the package, which is built if it is missing.
fn shipped(workspace: &Workspace, reporter: &dyn Reporter) -> Result<PathBuf> {
    let scratch = BenchFolder::new(workspace)?;
    let xtask = std::env::current_exe().class(Class::Tool)?;
    let mut build = Program::new(xtask);
    build.arg("--root").arg(&workspace.root).args(["rpm", PACKAGE, "--out"]);
    time(build.arg(scratch.dir.join("el7")))?;
    let specs = inputs::specs(workspace, &SourceArgs::default())?;
    let store = Store::open(workspace)?;
    let fetcher = Fetcher::new(&store, workspace, reporter);
    let wanted = [PACKAGE.to_owned()];
    let plan = Plan::of(&specs, &Circumstances::plain(workspace, &wanted, "", &fetcher)?)?;
    let cache = Cache::peek(workspace);
    let compiled = plan.steps.iter().find(|step| matches!(step.work, Work::Crate(_)));
    let dir = compiled.and_then(|step| cache.get(step.work.kind(), &step.key));
    dir.map(|dir| dir.join(PROGRAM))
        .ok_or_else(|| Failure::new(Class::Output, format!("{PACKAGE} was built, and is gone")))
}
