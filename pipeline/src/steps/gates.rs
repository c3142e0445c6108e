//! The gates of a package: checks that it must pass before its RPM is written.

use std::path::Path;

use el7rpm::{
    abi::{AbiTable, Offered},
    lint::{self, Places},
    package::Prepared,
    spec::Package,
    stage::{StagedRoot, leftover, taken},
};

use super::{Context, Shared, Staged};
use base::failure::{Class, Classify, Failure, Result};
use builders::container;

/// How many files a message names.
const NAMED: usize = 12;

/// Fails if the package contains paths of the builder, or libraries with a search path that is not a package's.
pub(super) fn check_lints(
    package: &Package,
    staged: Option<&Staged>,
    root: &StagedRoot,
    prepared: &Prepared<'_>,
    context: &Context<'_>,
) -> Result<()> {
    let findings = lint::check(package, root, prepared.facts(), &places(staged, context))?;
    let Some(first) = findings.first() else { return Ok(()) };
    let lines = findings.iter().map(ToString::to_string).collect();
    Err(refused(first.to_string(), first.help(), lines))
}

/// Paths that no package may contain. Texts are searched only if a build has made them: other texts may mention
/// folders with the names of the builder's.
fn places(staged: Option<&Staged>, context: &Context<'_>) -> Places {
    let mut places = Places::default();
    places.foreign.extend(container::ROOTS.map(String::from));
    places.foreign.push(context.workspace.root.display().to_string());
    for Shared { compile, .. } in staged.iter().flat_map(|s| &s.release) {
        places.in_any = vec![container::STAGE_ROOT.into()];
        for root in [container::BUILD_ROOT, container::NEEDS_ROOT] {
            places.in_text.push(format!("{root}/{}", compile.work.spec));
        }
        let source = |name: &str| format!("{}/{name}", container::SOURCE_ROOT);
        let sources = compile.work.sources.iter();
        places.in_text.extend(sources.map(|fetch| source(&fetch.work.source.name)));
    }
    places
}

/// The ABI gate: fails if CentOS 7 could not start a program, or load a library, of the package.
pub(super) fn check_abi(
    package: &Package,
    staged: Option<&Staged>,
    root: &StagedRoot,
    prepared: &Prepared<'_>,
    context: &Context<'_>,
) -> Result<()> {
    let table = table(staged, context)?;
    let mut rest = Offered::default();
    for Shared { compile, packages } in staged.iter().flat_map(|s| &s.release) {
        let root = compile.staged_root(context.cache);
        let root = root.ok_or_else(|| context.gone(&compile.name))?;
        let files = taken(&root, packages).class(Class::Source)?;
        rest.add_staged(&root, &files)?;
        packages.iter().for_each(|package| rest.declare(package));
    }
    let violations = table.check(package, root, prepared.facts(), &rest)?;
    let Some(first) = violations.first() else { return Ok(()) };
    let help = match staged {
        None => {
            "build the file for CentOS 7 (glibc 2.17, gcc 4.8), or ship the library in this release, or, if hosts \
             have it, add it to rpm/data/el7-abi.toml (docs/package-toml.md, The ABI gate)"
        }
        Some(_) => {
            "ship the library in this release, or, if hosts have it, add its package to image.toml of the builder \
             image, or a line to abi.toml beside that (docs/package-toml.md, The ABI gate)"
        }
    };
    let lines = violations.iter().map(ToString::to_string).collect();
    Err(refused(format!("ABI gate: {first}"), help, lines))
}

/// What the target offers: the libraries of the root in which the package was compiled, or else of CentOS 7; and those of the
/// image's abi.toml.
fn table(staged: Option<&Staged>, context: &Context<'_>) -> Result<AbiTable> {
    let own = staged.and_then(|staged| staged.release.last());
    let table = match own.and_then(|own| own.compile.abi(context.cache)) {
        Some(of_root) => AbiTable::load(&of_root)?,
        None => AbiTable::el7()?,
    };
    match staged.and_then(|staged| staged.abi.as_deref()) {
        Some(more) => Ok(table.and(more)?),
        None => Ok(table),
    }
}

/// The failure of a gate, with the first of `lines` and the number of the rest.
fn refused(message: String, help: impl Into<String>, mut lines: Vec<String>) -> Failure {
    let more = lines.len().saturating_sub(NAMED);
    lines.truncate(NAMED);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    let mut failure = Failure::new(Class::Package, message).help(help);
    failure.last_lines = lines;
    failure
}

/// Fails if the build has staged files that no package takes: a forgotten file would be missed only on the hosts.
pub(super) fn check_all_is_taken(root: &Path, staged: &Staged) -> Result<()> {
    let packages = staged.release.last().map(|own| own.packages.as_slice()).unwrap_or_default();
    let left = leftover(root, packages, &staged.discard).class(Class::Source)?;
    if left.is_empty() {
        return Ok(());
    }
    let message = format!("the build staged {} files that no package takes", left.len());
    let help = "give them to a package with `staged = ...`, or name them in `build.discard`";
    Err(refused(message, help, left.into_iter().collect()))
}
