//! `package NAME`: stages the files of a package and writes the RPM. The result is the unsigned RPM. It is empty for
//! a debug package without any debug information.

use std::path::{Path, PathBuf};

use el7rpm::{
    debug,
    package::{Prepared, UnsignedRpm, WriteOptions},
    spec::{Package, Spec, Symbols},
    stage::{EntryKind, Inputs, Roots, StagedRoot},
};

use super::{Compiled, Context, Draft, Prerequisite, Step, gates};
use crate::{
    cache::{Cache, changed},
    circumstances::Circumstances,
};
use base::{
    failure::{Class, Classify, Failure, Result, Trouble},
    key::{Identity, KeyBuilder},
    step::Kind,
    workspace::Workspace,
};

/// Part of the key. The xtask program itself is in the key, too, so this number rarely has to change.
const VERSION: u32 = 2;

/// Writes an RPM.
#[derive(Debug)]
pub struct WritePackage {
    /// The package.
    pub package: Package,
    /// The result of its compile step.
    compiled: Compiled,
    /// How the RPM is written.
    options: WriteOptions,
    /// The files that are known before anything is compiled.
    inputs: Inputs,
}

impl WritePackage {
    pub(crate) fn draft(
        spec: &Spec,
        package: &Package,
        compiled: Compiled,
        circumstances: &Circumstances<'_>,
    ) -> Result<Draft<Self>> {
        let name = format!("package {}", package.name);
        let workspace = circumstances.workspace;
        let inputs = Inputs::find(package, &roots(workspace, package, None));
        let inputs = inputs.class(Class::Source);
        let inputs = inputs.map_err(|f| f.in_step(&name, Some(&package.name)))?;
        let mut files: Vec<_> = inputs.sources().map(Path::to_owned).collect();
        files.sort();
        files.dedup();
        refuse_own_state(workspace, package, &files)
            .map_err(|f| f.in_step(&name, Some(&package.name)))?;
        let options = circumstances.write_options.clone();
        let work = Self { package: package.clone(), compiled, options, inputs };
        let identity = work.identity(&spec.path, &files, circumstances)?;
        let relative = |path: &PathBuf| workspace.relative(path).display().to_string();
        Ok(Draft {
            package: Some(package.name.clone()),
            needs: work.compiled.steps(),
            inputs: files.iter().map(relative).collect(),
            ..Draft::new(name, identity, work)
        })
    }

    /// The key of everything that can change the RPM; `description` is the path of package.toml. The signing key is
    /// not in it: a package is written once, and signed for each key.
    fn identity(
        &self,
        description: &Path,
        files: &[PathBuf],
        circumstances: &Circumstances<'_>,
    ) -> Result<Identity> {
        let options = &self.options;
        let mut key = KeyBuilder::new("package", VERSION)
            .key("xtask itself", &circumstances.xtask)
            .text_of("package", &format!("{:?}", self.package), description)
            .text("the compression", options.compression.format.as_str())
            .text("the compression", &options.compression.level.to_string())
            .text("SOURCE_DATE_EPOCH", &format!("{:?}", options.source_date));
        if let Some((name, identity)) = self.compiled.compile() {
            key = key.step("build", name, &identity.key);
        }
        if let Some(staged) = self.compiled.staged() {
            // The files that the other packages take decide whether a staged file is left over.
            for shared in &staged.release {
                let packages = format!("{:?}", shared.packages);
                key = key.text("the list of packages that share the files", &packages);
            }
            key = key.text_of("discard", &format!("{:?}", staged.discard), description);
            if let Some(table) = &staged.abi {
                key = key.file("abi", table)?;
            }
        }
        for path in files {
            key = key.file(&path.to_string_lossy(), path)?;
        }
        // Links and empty folders have no content, so their target and mode are added.
        for entry in self.inputs.entries() {
            let kind = match &entry.kind {
                EntryKind::File { .. } => String::new(),
                other => format!("{other:?}"),
            };
            let text = format!("{kind} {:o}", entry.mode);
            key = match &entry.kind {
                EntryKind::File { source, .. } => key.text_of(&entry.path, &text, source),
                _ => key.text(&entry.path, &text),
            };
        }
        Ok(key.identify())
    }

    pub(super) fn run(&self, step: &Step, context: &Context<'_>) -> Result<(), Trouble> {
        let Self { package, .. } = self;
        // Checked first, since other errors about a changed file would be misleading.
        step.stamps.check()?;
        let root = self.stage(context)?;
        let stripped = context.cache.scratch()?;
        let root = debug::refine(package, root, stripped.path()).class(Class::Source)?;
        let is_debuginfo = matches!(package.symbols, Symbols::DebugInfo { .. });
        if root.entries().is_empty() && is_debuginfo {
            context.cache.make(Kind::Package, &step.key, |_| step.stamps.check())?;
            return Ok(());
        }
        let mut options = self.options.clone();
        let threads = context.threads.take();
        options.compression.threads = threads.count.max(1);
        let prepared = Prepared::new(package, &root, &options).class(Class::Package)?;
        let staged = self.compiled.staged();
        gates::check_abi(package, staged, &root, &prepared, context)?;
        // Debug information contains the paths of the sources in the builder, and only debuggers read it.
        if !is_debuginfo {
            gates::check_lints(package, staged, &root, &prepared, context)?;
        }
        context.cache.make(Kind::Package, &step.key, |out| {
            prepared.write(&out.join(package.file_name())).class(Class::Output)?;
            step.stamps.check()
        })?;
        Ok(())
    }

    /// All files of the package, including the compiled ones.
    fn stage(&self, context: &Context<'_>) -> Result<StagedRoot> {
        let Self { package, compiled, .. } = self;
        let build = match compiled.compile() {
            None => None,
            Some((name, _)) => {
                Some(compiled.folder(context.cache).ok_or_else(|| context.gone(name))?)
            }
        };
        if let (Some(root), Some(staged)) = (&build, compiled.staged()) {
            gates::check_all_is_taken(root, staged)?;
        }
        let roots = roots(context.workspace, package, build);
        self.inputs.complete(package, &roots).class(Class::Source)
    }

    /// The folder with its compiled files, if the compile step has been carried out.
    pub(crate) fn build_folder(&self, cache: &Cache) -> Option<PathBuf> {
        self.compiled.folder(cache)
    }
}

/// The result for a package.
#[derive(Debug)]
pub enum PackageResult<T> {
    /// An RPM.
    Rpm(T),
    /// No RPM: there was no debug information to make one of.
    Nothing,
}

impl Prerequisite<WritePackage> {
    /// The unsigned RPM; `None` if the step has not been carried out.
    ///
    /// # Errors
    /// [`Class::Output`] if something else has changed it.
    pub fn rpm(&self, cache: &Cache) -> Result<Option<PackageResult<UnsignedRpm>>> {
        let dir = cache.get(Kind::Package, &self.identity.key);
        let Some(dir) = dir else { return Ok(None) };
        Ok(Some(match rpm_in(&dir, &self.work.package)? {
            PackageResult::Nothing => PackageResult::Nothing,
            PackageResult::Rpm(path) => {
                let opened = UnsignedRpm::open(&path).class(Class::Output);
                PackageResult::Rpm(opened.map_err(|failure| changed(failure, &dir))?)
            }
        }))
    }
}

/// The path of the RPM in the result of a package step or a sign step. An empty folder means that there is none.
pub(super) fn rpm_in(result: &Path, package: &Package) -> Result<PackageResult<PathBuf>> {
    match fs_err::read_dir(result).class(Class::Output)?.next() {
        None => Ok(PackageResult::Nothing),
        Some(_) => Ok(PackageResult::Rpm(result.join(package.file_name()))),
    }
}

/// The folders that a package's assets come from; `build` is the result of its compile step.
pub(crate) fn roots(workspace: &Workspace, package: &Package, build: Option<PathBuf>) -> Roots {
    Roots {
        spec: package.spec_dir.clone(),
        workspace: Some(workspace.root.clone()),
        crate_dir: package.crate_dir.as_ref().map(|dir| workspace.root.join(dir)),
        build,
    }
}

/// Refuses files below xtask's own folder, which has keys and results of runs, wherever CARGO_TARGET_DIR has put it.
fn refuse_own_state(workspace: &Workspace, package: &Package, files: &[PathBuf]) -> Result<()> {
    let Ok(state) = fs_err::canonicalize(&workspace.state) else { return Ok(()) };
    let Some(file) = files.iter().find(|file| file.starts_with(&state)) else { return Ok(()) };
    let (name, file) = (&package.name, file.display());
    let message =
        format!("package {name}: a source leads to {file}, where keys and results of runs are");
    Err(Failure::new(Class::Source, message)
        .help("name a folder that holds sources, or leave it out with `exclude`"))
}
