//! Carries out one step of the plan. Each puts its result into the cache, under the step's key.

use std::{collections::BTreeSet, path::PathBuf};

use el7rpm::{
    abi::AbiTable,
    debug,
    openpgp::Signer,
    package::{Prepared, UnsignedRpm},
    signature,
    stage::StagedRoot,
};

use crate::{
    cache::Cache,
    events::Reporter,
    failure::{Class, Classify, Failure, Result},
    plan::{self, PackageWork, Plan, Step, Work},
    schedule::{Done, Trouble},
    tools::{self, Zig},
    workspace::Workspace,
};

/// What all steps share.
pub(crate) struct Context<'a> {
    pub(crate) workspace: &'a Workspace,
    pub(crate) cache: &'a Cache,
    pub(crate) plan: &'a Plan,
    pub(crate) signer: &'a dyn Signer,
    pub(crate) reporter: &'a dyn Reporter,
    pub(crate) offline: bool,
    /// Threads that one package may compress with.
    pub(crate) threads: u32,
}

impl Context<'_> {
    /// Carries out the step at `index`, unless its result is there.
    pub(crate) fn run(&self, index: usize) -> Result<Done, Trouble> {
        let step = &self.plan.steps[index];
        if step.cached {
            return Ok(Done::Cached);
        }
        let done = match &step.work {
            Work::Tools => {
                // Without them others can still be built.
                tools::install(self.workspace, self.offline, &step.name, self.reporter)
                    .map_err(Trouble::Unavailable)?;
                Ok(())
            }
            Work::Compile(_) => self.compile(step),
            Work::Package(work) => self.package(step, work),
            Work::Sign { of, file_name } => self.sign(step, *of, file_name),
        };
        done.map_err(|f: Failure| Trouble::Failed(f.in_step(&step.name, step.package.as_deref())))?;
        Ok(Done::Built)
    }

    /// The folder with the result of the step at `index`.
    fn result(&self, index: usize) -> Result<PathBuf> {
        let step = &self.plan.steps[index];
        self.cache.get(step.work.kind(), &step.key).ok_or_else(|| {
            Failure::new(
                Class::Output,
                format!(
                    "the result of `{}` is gone from {}",
                    step.name,
                    self.workspace.cache().display()
                ),
            )
            .help("something else removes files there; run again")
        })
    }

    fn compile(&self, step: &Step) -> Result<()> {
        let Work::Compile(build) = &step.work else { return Ok(()) };
        let zig = Zig::locate(self.workspace);
        self.cache.make("compile", &step.key, |out| {
            build.run(self.workspace, &zig, self.offline, &step.name, self.reporter, out)
        })?;
        Ok(())
    }

    fn package(&self, step: &Step, work: &PackageWork) -> Result<()> {
        let build = work.build.map(|b| self.result(b)).transpose()?;
        let package = &work.package;
        let root = StagedRoot::collect(package, &plan::roots(self.workspace, package, build))
            .class(Class::Source)?;
        let stripped = self.cache.scratch()?;
        let root = debug::refine(package, root, stripped.path()).class(Class::Source)?;
        let mut options = work.options.clone();
        options.compression.threads = self.threads;
        let prepared = Prepared::new(package, &root, &options).class(Class::Package)?;
        abi_gate(&root, &prepared)?;
        self.cache.make("package", &step.key, |out| {
            prepared.write(&out.join(format!("{}.rpm", package.nvra()))).class(Class::Output)?;
            Ok(())
        })?;
        Ok(())
    }

    fn sign(&self, step: &Step, of: usize, file_name: &str) -> Result<()> {
        let path = self.result(of)?.join(file_name);
        let size = fs_err::metadata(&path).class(Class::Output)?.len();
        let unsigned = UnsignedRpm { path, size };
        self.cache.make("sign", &step.key, |out| {
            signature::sign(&unsigned, self.signer, &out.join(file_name)).class(Class::Output)?;
            Ok(())
        })?;
        Ok(())
    }
}

/// No RPM leaves whose programs CentOS 7 would refuse to start.
fn abi_gate(root: &StagedRoot, prepared: &Prepared<'_>) -> Result<()> {
    let violations = AbiTable::el7()?.check(root, prepared.facts(), &BTreeSet::new())?;
    let Some(first) = violations.first() else { return Ok(()) };
    let mut failure = Failure::new(Class::Package, format!("ABI gate: {first}")).help(
        "build the file for CentOS 7 (glibc 2.17, gcc 4.8), or ship the library in this release",
    );
    failure.last_lines = violations.iter().map(ToString::to_string).collect();
    Err(failure)
}
