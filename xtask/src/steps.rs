//! Carries out one step of the plan. Each puts its result into the cache, under the step's key.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use el7rpm::{
    abi::AbiTable,
    debug,
    openpgp::Signer,
    package::{Prepared, UnsignedRpm},
    signature,
    spec::Arch,
    stage::StagedRoot,
};

use crate::{
    cache::Cache,
    events::Reporter,
    failure::{Class, Classify, Failure, Result},
    host_builder::{HostBuild, Site, steers_the_build},
    keys::Secrets,
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
    pub(crate) secrets: Secrets,
    /// Whether only the pinned compiler driver will do.
    pub(crate) release: bool,
    /// Threads that all packages in flight compress with.
    pub(crate) budget: Budget,
}

/// A number of threads, shared out among the packages that are being written.
pub(crate) struct Budget {
    free: Mutex<u32>,
}

/// Threads that one package holds until it is written.
struct Share<'a> {
    budget: &'a Budget,
    threads: u32,
}

impl Budget {
    pub(crate) fn new(threads: u32) -> Self {
        Self { free: Mutex::new(threads) }
    }

    /// All that no other package holds, but at least one: a step has a core of its own anyway.
    fn take(&self) -> Share<'_> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = std::mem::take(&mut *free);
        Share { budget: self, threads: taken }
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        *self.budget.free.lock().unwrap_or_else(PoisonError::into_inner) += self.threads;
    }
}

impl Context<'_> {
    /// Carries out the step at `index`, unless its result is there.
    pub(crate) fn run(&self, index: usize) -> Result<Done, Trouble> {
        let step = &self.plan.steps[index];
        if step.cached {
            return Ok(Done::Cached);
        }
        let hides = |name: &str| self.secrets.contains(name);
        let hides_more = |name: &str| self.secrets.contains(name) || steers_the_build(name);
        let site = Site {
            workspace: self.workspace,
            offline: self.offline,
            reporter: self.reporter,
            secrets_filter: &hides,
            build_filter: &hides_more,
        };
        let done = match &step.work {
            Work::Tools => tools::install(&site, &step.name),
            Work::Compile(build) => self.compile(step, build, &site),
            Work::Package(work) => self.package(step, work).map_err(Trouble::Failed),
            Work::Sign { of, file_name } => {
                self.sign(step, *of, file_name).map_err(Trouble::Failed)
            }
        };
        done.map_err(|trouble| trouble.in_step(&step.name, step.package.as_deref()))?;
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

    fn compile(&self, step: &Step, build: &HostBuild, site: &Site<'_>) -> Result<(), Trouble> {
        let zig = Zig::locate(self.workspace, self.release);
        build.fetch(site, &zig, &step.name)?;
        self.cache.make("compile", &step.key, |out| {
            build.run(site, &zig, &step.name, out)?;
            step.stamps.check()
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
        let share = self.budget.take();
        options.compression.threads = share.threads.max(1);
        let prepared = Prepared::new(package, &root, &options).class(Class::Package)?;
        abi_gate(package.arch, &root, &prepared)?;
        self.cache.make("package", &step.key, |out| {
            prepared.write(&out.join(format!("{}.rpm", package.nvra()))).class(Class::Output)?;
            step.stamps.check()
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
fn abi_gate(arch: Arch, root: &StagedRoot, prepared: &Prepared<'_>) -> Result<()> {
    let violations = AbiTable::el7()?.check(arch, root, prepared.facts(), &BTreeSet::new())?;
    let Some(first) = violations.first() else { return Ok(()) };
    let mut failure = Failure::new(Class::Package, format!("ABI gate: {first}")).help(
        "build the file for CentOS 7 (glibc 2.17, gcc 4.8), or ship the library in this release",
    );
    failure.last_lines = violations.iter().map(ToString::to_string).collect();
    Err(failure)
}
