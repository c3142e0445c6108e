//! Steps that make an RPM of files, and that sign it.

use std::{collections::BTreeSet, path::Path};

use el7rpm::{
    abi::{AbiTable, sonames},
    debug,
    lint::{self, Finding, Places},
    package::{Prepared, UnsignedRpm},
    signature,
    spec::{Arch, Symbols},
    stage::{StagedRoot, leftover, taken},
};

use super::Context;
use crate::{
    cache::changed,
    plan::{self, PackageWork, Shared, Staged, Step, StepId, Work},
};
use base::{
    failure::{Class, Classify, Failure, Result},
    step::Kind,
};
use builders::container;

/// Files that a message names.
const NAMED: usize = 12;

impl Context<'_> {
    pub(super) fn package(&self, step: &Step, work: &PackageWork) -> Result<()> {
        let package = &work.package;
        let build = work.build.map(|b| self.result(b)).transpose()?;
        let build = match &work.staged {
            None => build,
            Some(staged) => {
                let root = build.map(|b| b.join(container::STAGE));
                root.as_deref().map_or(Ok(()), |root| nothing_forgotten(root, staged))?;
                root
            }
        };
        let roots = plan::roots(self.workspace, package, build);
        let root = StagedRoot::collect(package, &roots).class(Class::Source)?;
        if StagedRoot::inputs(package, &roots).class(Class::Source)? != work.inputs {
            let dir = self.workspace.relative(&package.spec_dir).display();
            return Err(Failure::new(
                Class::Source,
                format!("{dir} was changed while it was being built from"),
            )
            .help("run again; nothing was kept of this step"));
        }
        let stripped = self.cache.scratch()?;
        let root = debug::refine(package, root, stripped.path()).class(Class::Source)?;
        if root.entries().is_empty() && matches!(package.symbols, Symbols::DebugInfo { .. }) {
            self.cache.make(Kind::Package, &step.key, |_| step.stamps.check())?;
            return Ok(());
        }
        let mut options = work.options.clone();
        let share = self.budget.take();
        options.compression.threads = share.threads.max(1);
        let prepared = Prepared::new(package, &root, &options).class(Class::Package)?;
        self.abi_gate(package.arch, work.staged.as_deref(), &root, &prepared)?;
        // Debug information is read by debuggers alone, and names the sources where they were compiled.
        if !matches!(package.symbols, Symbols::DebugInfo { .. }) {
            let places = self.places(work.staged.as_deref());
            lint_gate(lint::check(package, &root, prepared.facts(), &places)?)?;
        }
        self.cache.make(Kind::Package, &step.key, |out| {
            prepared.write(&out.join(package.file_name())).class(Class::Output)?;
            step.stamps.check()
        })?;
        Ok(())
    }

    pub(super) fn sign(&self, step: &Step, of: StepId, file_name: &str) -> Result<()> {
        let unsigned = self.result(of)?;
        if is_nothing(&unsigned)? {
            self.cache.make(Kind::Sign, &step.key, |_| Ok::<_, Failure>(()))?;
            return Ok(());
        }
        let opened = UnsignedRpm::open(&unsigned.join(file_name)).class(Class::Output);
        let unsigned = opened.map_err(|f| changed(f, &unsigned))?;
        self.cache.make(Kind::Sign, &step.key, |out| {
            signature::sign(&unsigned, self.signer, &out.join(file_name)).class(Class::Output)?;
            Ok::<_, Failure>(())
        })?;
        Ok(())
    }

    /// What no package may lead to. Texts are looked through where a build has made them: others may speak of
    /// folders that are called like the builder's.
    fn places(&self, staged: Option<&Staged>) -> Places {
        let mut places = Places::default();
        places.foreign.extend(container::ROOTS.map(String::from));
        places.foreign.push(self.workspace.root.display().to_string());
        for Shared { step, .. } in staged.iter().flat_map(|s| &s.release) {
            if let Work::Container(work) = &self.plan.steps[*step].work {
                places.in_any = vec![container::STAGE_ROOT.into()];
                places.in_text.push(format!("{}/{}", container::BUILD_ROOT, work.spec));
                let source = |name: &str| format!("{}/{name}", container::SOURCE_ROOT);
                places.in_text.extend(work.sources.iter().map(|w| source(&w.source.name)));
            }
        }
        places
    }

    /// No RPM leaves whose programs CentOS 7 would refuse to start.
    fn abi_gate(
        &self,
        arch: Arch,
        staged: Option<&Staged>,
        root: &StagedRoot,
        prepared: &Prepared<'_>,
    ) -> Result<()> {
        let table = match staged.and_then(|s| s.abi.as_deref()) {
            Some(path) => AbiTable::load(path)?,
            None => AbiTable::el7()?,
        };
        let mut own = BTreeSet::new();
        for Shared { step, packages } in staged.iter().flat_map(|s| &s.release) {
            let root = self.result(*step)?.join(container::STAGE);
            let files = taken(&root, packages).class(Class::Source)?;
            own.extend(sonames(files.iter().map(|path| root.join(&path[1..])))?);
        }
        let violations = table.check(arch, root, prepared.facts(), &own)?;
        let Some(first) = violations.first() else { return Ok(()) };
        let mut failure = Failure::new(Class::Package, format!("ABI gate: {first}")).help(
            "build the file for CentOS 7 (glibc 2.17, gcc 4.8), or ship the library in this release, or, if the \
             host has it, add it to rpm/data/el7-abi.toml or to abi.toml of the builder image \
             (docs/package-toml.md, The ABI gate)",
        );
        failure.last_lines = violations.iter().map(ToString::to_string).collect();
        Err(failure)
    }
}

/// No RPM leaves with paths of the builder, or with libraries looked for in places that are not a package's.
fn lint_gate(findings: Vec<Finding>) -> Result<()> {
    let Some(first) = findings.first() else { return Ok(()) };
    let mut failure = Failure::new(Class::Package, first.to_string()).help(first.help());
    failure.last_lines = named(findings.iter().map(ToString::to_string).collect());
    Err(failure)
}

/// As many as a message can take.
fn named(mut lines: Vec<String>) -> Vec<String> {
    let more = lines.len().saturating_sub(NAMED);
    lines.truncate(NAMED);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines
}

/// Whether a result is empty: there was no debug information to make a package of.
///
/// # Errors
/// An I/O error that names the folder.
pub fn is_nothing(result: &Path) -> Result<bool> {
    Ok(fs_err::read_dir(result).class(Class::Output)?.next().is_none())
}

/// What is built and then forgotten is missed on the hosts only.
fn nothing_forgotten(root: &Path, staged: &Staged) -> Result<()> {
    let packages = staged.release.last().map(|own| own.packages.as_slice()).unwrap_or_default();
    let left = leftover(root, packages, &staged.discard).class(Class::Source)?;
    if left.is_empty() {
        return Ok(());
    }
    let message = format!("the build staged {} files that no package takes", left.len());
    let mut failure = Failure::new(Class::Package, message)
        .help("give them to a package with `staged = ...`, or name them in `build.discard`");
    failure.last_lines = named(left.into_iter().collect());
    Err(failure)
}
