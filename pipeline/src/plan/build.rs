//! From descriptions to steps.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use el7rpm::{
    spec::{Build, ContainerBuild, Package, Source, Spec},
    stage::{EntryKind, StagedRoot},
};

use super::{
    ContainerWork, Need, PackageWork, PerStep, Plan, Shared, Staged, Step, StepId, Wanted, Work,
    inputs::{needed_specs, roots},
};
use crate::{cache::Cache, circumstances::Circumstances, last::LastInputs};
use base::{
    failure::{Class, Classify, Failure, Result},
    key::{Identity, KeyBuilder, Stamps},
    step::State,
    why::Subject,
    workspace::Workspace,
};
use builders::{
    container::Image,
    host_builder::HostBuild,
    rust::{self, Rust},
    target::Target,
    tools::Zig,
};

/// Changes when the way of compiling in a container does.
const VERSION: u32 = 2;

pub(super) struct Builder<'a> {
    circumstances: &'a Circumstances<'a>,
    cache: Cache,
    plan: Plan,
    /// Steps that several others need, each made once.
    tools: Option<StepId>,
    library: Option<StepId>,
    fetches: BTreeMap<String, StepId>,
    images: BTreeMap<String, StepId>,
    /// What has been planned of each description that is compiled in a container.
    compiled: BTreeMap<String, Compiled>,
    rust: Option<Rust>,
}

/// A planned compile, for those that need it.
#[derive(Clone)]
struct Compiled {
    step: StepId,
    sources: Vec<Wanted>,
    image: Image,
    /// All that it needs, and itself: their libraries are there on the host.
    release: Vec<Shared>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(circumstances: &'a Circumstances<'a>) -> Self {
        Self {
            circumstances,
            cache: Cache::peek(circumstances.workspace),
            plan: Plan {
                steps: PerStep::new(Vec::new()),
                along: Vec::new(),
                zig: None,
                compiler: None,
            },
            tools: None,
            library: None,
            fetches: BTreeMap::new(),
            images: BTreeMap::new(),
            compiled: BTreeMap::new(),
            rust: None,
        }
    }

    /// Plans the wanted packages of `specs`, all if none is named; a description comes after those that it
    /// needs.
    pub(super) fn all(mut self, specs: &[Spec], wanted: &BTreeSet<String>) -> Result<Plan> {
        let is_wanted = |p: &&Package| wanted.is_empty() || wanted.contains(&p.name);
        let mut compiled = needed_specs(specs, |s| s.packages.iter().any(|p| is_wanted(&p)));
        for spec in specs {
            let packages: Vec<_> = spec.packages.iter().filter(is_wanted).collect();
            let made = match &spec.build {
                Some(Build::Crate(dir)) if !packages.is_empty() => {
                    Made::Programs(self.host(spec, dir.clone())?)
                }
                Some(Build::Container(build)) if compiled.remove(&spec.name) => {
                    Made::Staged(Box::new(self.container(spec, build)?))
                }
                _ => Made::Nothing,
            };
            for package in packages {
                let step = self.package(spec, package, &made)?;
                self.sign(package, step);
            }
        }
        self.plan.mark_needless();
        self.say_why();
        Ok(self.plan)
    }

    /// Compares the inputs of what is to do with those of its last result.
    fn say_why(&mut self) {
        let last = LastInputs::of(self.circumstances.workspace);
        for step in self.plan.steps.iter_mut().filter(|step| step.state == State::ToDo) {
            step.why = Some(last.why(step.work.kind(), &step.name, &step.made_of));
        }
    }

    fn add(&mut self, mut step: Step) -> StepId {
        let root = format!("{}/", self.circumstances.workspace.root.display());
        for input in step.made_of.iter_mut().filter(|input| input.subject == Subject::Path) {
            if let Some(relative) = input.name.strip_prefix(&root) {
                input.name = relative.to_owned();
            }
        }
        let is_there = match &step.work {
            Work::Tools => self.plan.zig.as_ref().is_some_and(Zig::is_there),
            Work::Fetch(source) => self.circumstances.fetcher.is_there(source),
            // Only the engine knows; it is asked when a compile wants the image.
            Work::Image(_) | Work::Library => false,
            work => self.cache.get(work.kind(), &step.key).is_some(),
        };
        step.state = if is_there { State::Cached } else { State::ToDo };
        self.plan.steps.push(step)
    }

    fn tools(&mut self) -> (StepId, Zig) {
        let zig = self
            .plan
            .zig
            .get_or_insert_with(|| {
                Zig::locate(self.circumstances.workspace, self.circumstances.release)
            })
            .clone();
        let index = self.tools.unwrap_or_else(|| {
            let key =
                KeyBuilder::new("tools", 1).text("zig or cargo-zigbuild", &zig.identity).identify();
            let inputs = vec!["builders/tools/requirements.txt".into()];
            self.add(Step { inputs, ..Step::new("tools".into(), key, Work::Tools) })
        });
        self.tools = Some(index);
        (index, zig)
    }

    fn host(&mut self, spec: &Spec, crate_dir: PathBuf) -> Result<StepId> {
        let (tools, zig) = self.tools();
        let programs =
            spec.packages.iter().flat_map(Package::programs).map(str::to_owned).collect();
        let rust = self.rust()?;
        let release = self.circumstances.release;
        let target = if release { Target::Musl } else { rust.target() };
        let build = HostBuild { crate_dir, programs, target };
        let identity = build.identity(self.circumstances.workspace, &rust.identity, &zig)?;
        let dir = build.crate_dir.display().to_string();
        let mut needs = vec![tools];
        let mut wishes = Vec::new();
        // A release is the same wherever it is made.
        (if release { &mut needs } else { &mut wishes }).extend(self.library(&rust));
        Ok(self.add(Step {
            needs,
            wishes,
            inputs: vec![dir.clone(), "Cargo.lock".into()],
            ..Step::new(format!("compile {dir}"), identity, Work::Host(build))
        }))
    }

    /// The compiler, which is asked once.
    fn rust(&mut self) -> Result<Rust> {
        let rust = match &self.rust {
            Some(rust) => rust.clone(),
            None => Rust::ask(&self.circumstances.workspace.root, self.circumstances.toolchain)?,
        };
        self.plan.compiler = rust.identity.lines().next().map(str::to_owned);
        self.rust = Some(rust.clone());
        Ok(rust)
    }

    /// The step that gets the library for musl, where it is missing and can be asked for, or must be.
    fn library(&mut self, rust: &Rust) -> Option<StepId> {
        let Circumstances { release, fetcher, toolchain, .. } = self.circumstances;
        let may_ask = !fetcher.offline && rust::has_rustup();
        if rust.has(Target::Musl) || !(may_ask || *release) {
            return None;
        }
        self.library = Some(self.library.unwrap_or_else(|| {
            let key = KeyBuilder::new("library", 1).text("the compiler", &rust.identity).identify();
            self.add(Step::new(toolchain.how_to_add(Target::Musl), key, Work::Library))
        }));
        self.library
    }

    fn fetch(&mut self, source: &Source) -> Result<StepId> {
        let name = format!("fetch {}", source.name);
        let identity = sources::identity(source).map_err(|f| f.in_step(&name, None))?;
        match self.fetches.get(&source.name) {
            Some(id) if self.plan.steps[*id].key == identity.key => Ok(*id),
            Some(_) => Err(Failure::new(
                Class::Spec,
                format!("two descriptions call different things the source {}", source.name),
            )),
            None => {
                let workspace = self.circumstances.workspace;
                let relative = |path: &PathBuf| workspace.relative(path).display().to_string();
                let inputs = source.patches.iter().map(relative).collect();
                let step = Step::new(name, identity, Work::Fetch(source.clone()));
                let id = self.add(Step { inputs, ..step });
                self.fetches.insert(source.name.clone(), id);
                Ok(id)
            }
        }
    }

    /// An image is worth making if one of the builds that want it has its sources.
    fn image(&mut self, image: &Image, fetches: &[StepId]) -> StepId {
        let there = self.images.get(&image.name).copied();
        let index = there.unwrap_or_else(|| {
            let inputs = vec![format!("containers/{}", image.name)];
            let name = format!("image {}", image.name);
            let step = Step::new(name, image.identity().clone(), Work::Image(image.clone()));
            self.add(Step { inputs, ..step })
        });
        self.images.insert(image.name.clone(), index);
        self.plan.steps[index].needs_any.push(fetches.to_vec());
        index
    }

    fn container(&mut self, spec: &Spec, build: &ContainerBuild) -> Result<Compiled> {
        let image =
            Image::load(self.circumstances.workspace, &build.image, self.circumstances.image_args)
                .map_err(|f| f.in_step(&format!("image {}", build.image), None))?;
        let want = |source: &Source| -> Result<Wanted> {
            Ok(Wanted { fetch: self.fetch(source)?, source: source.clone() })
        };
        let sources: Vec<Wanted> = spec.sources.iter().map(want).collect::<Result<_>>()?;
        let fetches: Vec<StepId> = sources.iter().map(|s| s.fetch).collect();
        let image_step = self.image(&image, &fetches);
        let needed: Vec<_> = build.needs.iter().map(|n| (n, &self.compiled[n])).collect();
        let (version, source_date) = dated(spec);
        let identity = self.container_identity(spec, build, &image, &sources);
        let mut needs = fetches.clone();
        needs.push(image_step);
        needs.extend(
            needed.iter().flat_map(|(_, c)| c.sources.iter().map(|s| s.fetch).chain([c.step])),
        );
        let mut release: Vec<_> = needed.iter().flat_map(|(_, c)| c.release.clone()).collect();
        let work = ContainerWork {
            spec: spec.name.clone(),
            version: version.to_owned(),
            local: spec.is_local(),
            source_date,
            sources: sources.clone(),
            needs: needed
                .iter()
                .map(|(name, c)| Need {
                    name: (*name).clone(),
                    step: c.step,
                    sources: c.sources.clone(),
                })
                .collect(),
            image: image.clone(),
            build: build.clone(),
        };
        let step = self.add(Step {
            needs,
            inputs: vec![format!("specs/{}", spec.name)],
            ..Step::new(format!("compile {}", spec.name), identity, Work::Container(Box::new(work)))
        });
        release.push(Shared { step, packages: Arc::new(spec.packages.clone()) });
        let compiled = Compiled { step, sources, image, release };
        self.compiled.insert(spec.name.clone(), compiled.clone());
        Ok(compiled)
    }

    /// Everything that a compile in a container is made from, and how.
    fn container_identity(
        &self,
        spec: &Spec,
        build: &ContainerBuild,
        image: &Image,
        sources: &[Wanted],
    ) -> Identity {
        let (version, source_date) = dated(spec);
        let phases = format!("{:?} {:?} {:?}", build.env, build.switches, build.phases);
        let mut key = image
            .add_to(KeyBuilder::new("compile in container", VERSION))
            .text("the description's name", &spec.name)
            .text("the version", version)
            .text("the date of the newest change", &source_date.to_string())
            .text("--distcc", if self.circumstances.farm { "yes" } else { "no" })
            .text_of("build", &phases, &spec.path);
        for Wanted { source, fetch } in sources {
            let Step { key: content, made_of, .. } = &self.plan.steps[*fetch];
            let fetched = Identity {
                key: content.clone(),
                inputs: made_of.clone(),
                stamps: Stamps::default(),
            };
            let what = format!("the source {}", source.name);
            key = key.text(&what, &source.name).identity("content", &fetched);
        }
        for name in &build.needs {
            let step = &self.plan.steps[self.compiled[name].step];
            key = key.text("the compiles that it needs", name).step("build", &step.name, &step.key);
        }
        key.identify()
    }

    fn package(&mut self, spec: &Spec, package: &Package, made: &Made) -> Result<StepId> {
        let workspace = self.circumstances.workspace;
        let roots = roots(workspace, package, None);
        let name = format!("package {}", package.name);
        let inputs = StagedRoot::inputs(package, &roots)
            .class(Class::Source)
            .map_err(|f| f.in_step(&name, Some(&package.name)))?;
        let mut files: Vec<_> = inputs.sources().map(Path::to_owned).collect();
        files.sort();
        files.dedup();
        refuse_own_state(workspace, package, &files)
            .map_err(|f| f.in_step(&name, Some(&package.name)))?;
        let options = &self.circumstances.write_options;
        let mut key = KeyBuilder::new("package", 2)
            .key("xtask itself", &self.circumstances.xtask)
            .text_of("package", &format!("{package:?}"), &spec.path)
            .text("the compression", options.compression.format.as_str())
            .text("the compression", &options.compression.level.to_string())
            .text("SOURCE_DATE_EPOCH", &format!("{:?}", options.source_date));
        let build = made.step();
        if let Some(build) = build {
            let step = &self.plan.steps[build];
            key = key.step("build", &step.name, &step.key);
        }
        let staged = made.staged(spec);
        if let Some(staged) = &staged {
            // What the others take decides whether something is left over or missing.
            for shared in &staged.release {
                let packages = format!("{:?}", shared.packages);
                key = key.text("the list of packages that share the files", &packages);
            }
            key = key.text_of("discard", &format!("{:?}", staged.discard), &spec.path);
            if let Some(table) = &staged.abi {
                key = key.file("abi", table)?;
            }
        }
        for path in &files {
            key = key.file(&path.to_string_lossy(), path)?;
        }
        // Links and empty folders have no content that could tell them.
        for entry in inputs.entries() {
            let place = |kind: &EntryKind| match kind {
                EntryKind::File { .. } => String::new(),
                other => format!("{other:?}"),
            };
            let text = format!("{} {:o}", place(&entry.kind), entry.mode);
            key = match &entry.kind {
                EntryKind::File { source, .. } => key.text_of(&entry.path, &text, source),
                _ => key.text(&entry.path, &text),
            };
        }
        let identity = key.identify();
        let relative = |p: &PathBuf| workspace.relative(p).display().to_string();
        let options = options.clone();
        let work = PackageWork { package: package.clone(), build, staged, options, inputs };
        Ok(self.add(Step {
            package: Some(package.name.clone()),
            needs: made.steps(),
            inputs: files.iter().map(relative).collect(),
            ..Step::new(name, identity, Work::Package(Box::new(work)))
        }))
    }

    fn sign(&mut self, package: &Package, of: StepId) {
        let unsigned = &self.plan.steps[of];
        let identity = KeyBuilder::new("sign", 1)
            .step("package", &unsigned.name, &unsigned.key)
            .text("the signing key", self.circumstances.signing_key)
            .identify();
        let work = Work::Sign { of, file_name: package.file_name() };
        self.add(Step {
            package: Some(package.name.clone()),
            needs: vec![of],
            ..Step::new(format!("sign {}", package.name), identity, work)
        });
    }
}

/// The version of what is built, and the date that it takes for now.
fn dated(spec: &Spec) -> (&str, u32) {
    spec.packages.first().map_or(("", 0), |p| (&p.version, p.source_date()))
}

/// No package is made of the keys and results of runs, wherever CARGO_TARGET_DIR has put them.
fn refuse_own_state(workspace: &Workspace, package: &Package, files: &[PathBuf]) -> Result<()> {
    let Ok(state) = fs_err::canonicalize(&workspace.state) else { return Ok(()) };
    let Some(own) = files.iter().find(|file| file.starts_with(&state)) else { return Ok(()) };
    let (name, own) = (&package.name, own.display());
    let message =
        format!("package {name}: a source leads to {own}, where keys and results of runs are");
    Err(Failure::new(Class::Source, message)
        .help("name a folder that holds sources, or leave it out with `exclude`"))
}

/// What a description's build makes.
enum Made {
    Nothing,
    Programs(StepId),
    Staged(Box<Compiled>),
}

impl Made {
    fn step(&self) -> Option<StepId> {
        match self {
            Self::Nothing => None,
            Self::Programs(step) => Some(*step),
            Self::Staged(compiled) => Some(compiled.step),
        }
    }

    /// Those whose results the package is made from, or judged by.
    fn steps(&self) -> Vec<StepId> {
        match self {
            Self::Nothing => Vec::new(),
            Self::Programs(step) => vec![*step],
            Self::Staged(compiled) => compiled.release.iter().map(|shared| shared.step).collect(),
        }
    }

    fn staged(&self, spec: &Spec) -> Option<Arc<Staged>> {
        let (Self::Staged(compiled), Some(Build::Container(build))) = (self, &spec.build) else {
            return None;
        };
        Some(Arc::new(Staged {
            discard: build.discard.clone(),
            release: compiled.release.clone(),
            abi: compiled.image.abi(),
        }))
    }
}
