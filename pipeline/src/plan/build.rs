//! Makes the steps from the descriptions: which steps there are, and which steps each one needs. The keys are made in
//! the file of each kind of step (pipeline/src/steps).

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use el7rpm::spec::{Build, ContainerBuild, Package, Source, Spec};

use super::Plan;
use crate::{
    cache::Cache,
    circumstances::Circumstances,
    last::LastInputs,
    steps::{
        AddLibrary, BuildImage, CompileCrate, CompileInContainer, Compiled, Draft, Fetch,
        InstallTools, PerStep, Prerequisite, Shared, SignPackage, Staged, StepId, Work,
        WritePackage,
    },
};
use base::{
    failure::{Class, Failure, Result},
    key::Key,
    step::State,
    why::Subject,
};
use builders::{
    container::Image,
    host_builder::HostBuild,
    rust::{self, Rust},
    target::Target,
    tools::Zig,
};

pub(super) struct Builder<'a> {
    circumstances: &'a Circumstances<'a>,
    cache: Cache,
    plan: Plan,
    /// Steps that several others need, each made once.
    tools: Option<(StepId, Zig)>,
    library: Option<StepId>,
    fetches: BTreeMap<String, Prerequisite<Fetch>>,
    images: BTreeMap<String, Prerequisite<BuildImage>>,
    /// By description that is compiled in a container: the staged roots of all descriptions that it needs, and its
    /// own as the last. The libraries in them are together on a host.
    releases: BTreeMap<String, Vec<Shared>>,
    rust: Option<Rust>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(circumstances: &'a Circumstances<'a>) -> Self {
        Self {
            circumstances,
            cache: Cache::peek(circumstances.workspace),
            plan: Plan {
                steps: PerStep::new(Vec::new()),
                along: Vec::new(),
                unmet: Vec::new(),
                compiler: None,
            },
            tools: None,
            library: None,
            fetches: BTreeMap::new(),
            images: BTreeMap::new(),
            releases: BTreeMap::new(),
            rust: None,
        }
    }

    /// Plans the wanted packages of `specs`; all packages if `wanted` is empty. In `specs` a description must come
    /// after those that it needs.
    pub(super) fn all(mut self, specs: &[Spec], wanted: &BTreeSet<String>) -> Result<Plan> {
        let is_wanted = |p: &&Package| wanted.is_empty() || wanted.contains(&p.name);
        let mut compiled = needed_specs(specs, |s| s.packages.iter().any(|p| is_wanted(&p)));
        for spec in specs {
            let packages: Vec<_> = spec.packages.iter().filter(is_wanted).collect();
            let made = match &spec.build {
                Some(Build::Crate(dir)) if !packages.is_empty() => {
                    Compiled::Programs(self.compile_crate(spec, dir)?)
                }
                Some(Build::Container(build)) if compiled.remove(&spec.name) => {
                    Compiled::Staged(Arc::new(self.compile_in_container(spec, build)?))
                }
                _ => Compiled::Nothing,
            };
            for package in packages {
                let draft = WritePackage::draft(spec, package, made.clone(), self.circumstances)?;
                let unsigned = self.add(draft);
                self.add(SignPackage::draft(unsigned, self.circumstances.signing_key));
            }
        }
        self.check_mirrors()?;
        self.plan.mark_needless();
        self.say_why();
        Ok(self.plan)
    }

    /// Fails if a mirror is of no repository of any image.
    fn check_mirrors(&self) -> Result<()> {
        let is_known =
            |name: &str| self.images.values().any(|image| image.work.image.has_mirror(name));
        let mut names = self.circumstances.mirrors.iter().map(|(name, _)| name);
        match names.find(|name| !self.images.is_empty() && !is_known(name)) {
            None => Ok(()),
            Some(name) => {
                let message = format!("--mirror {name}=…: there is no such repository");
                let images: Vec<_> = self.images.keys().map(String::as_str).collect();
                let help = format!("images of this run are: {}", images.join(", "));
                Err(Failure::new(Class::Usage, message).help(help))
            }
        }
    }

    /// Compares the inputs of each step that is to do with the inputs of its last result.
    fn say_why(&mut self) {
        let last = LastInputs::of(self.circumstances.workspace);
        for step in self.plan.steps.iter_mut().filter(|step| step.state == State::ToDo) {
            step.why = Some(last.why(step.work.kind(), &step.name, &step.made_of));
        }
    }

    fn add<W>(&mut self, draft: Draft<W>) -> Prerequisite<W>
    where
        Work: From<Arc<W>>,
    {
        let Self { circumstances, cache, plan, .. } = self;
        let state = |work: &Work, key: &Key| match work.is_there(key, cache, circumstances.fetcher)
        {
            true => State::Cached,
            false => State::ToDo,
        };
        let (mut step, needed) = draft.placed(plan.steps.next_id(), state);
        let root = format!("{}/", circumstances.workspace.root.display());
        for input in step.made_of.iter_mut().filter(|input| input.subject == Subject::Path) {
            if let Some(relative) = input.name.strip_prefix(&root) {
                input.name = relative.to_owned();
            }
        }
        plan.steps.push(step);
        needed
    }

    fn tools(&mut self) -> (StepId, Zig) {
        if let Some(tools) = &self.tools {
            return tools.clone();
        }
        let Circumstances { workspace, release, .. } = self.circumstances;
        let zig = Zig::locate(workspace, *release);
        let id = self.add(InstallTools::draft(zig.clone())).id;
        self.tools.insert((id, zig)).clone()
    }

    fn compile_crate(
        &mut self,
        spec: &Spec,
        crate_dir: &Path,
    ) -> Result<Prerequisite<CompileCrate>> {
        let (tools, zig) = self.tools();
        let programs =
            spec.packages.iter().flat_map(Package::programs).map(str::to_owned).collect();
        let rust = self.rust()?;
        let release = self.circumstances.release;
        let target = if release { Target::Musl } else { rust.target() };
        let build = HostBuild { crate_dir: crate_dir.to_owned(), programs, target };
        let mut draft = CompileCrate::draft(build, &rust.identity, zig, self.circumstances)?;
        draft.needs.push(tools);
        // A release must give the same bytes on every machine, so it needs the library.
        let library = self.library(&rust);
        (if release { &mut draft.needs } else { &mut draft.wishes }).extend(library);
        Ok(self.add(draft))
    }

    /// The compiler; its version is asked for once.
    fn rust(&mut self) -> Result<Rust> {
        let rust = match &self.rust {
            Some(rust) => rust.clone(),
            None => Rust::ask(&self.circumstances.workspace.root, self.circumstances.toolchain)?,
        };
        self.plan.compiler = rust.identity.lines().next().map(str::to_owned);
        self.rust = Some(rust.clone());
        Ok(rust)
    }

    /// The step that adds Rust's library for musl, if it is missing and rustup can add it, or if a release needs it.
    fn library(&mut self, rust: &Rust) -> Option<StepId> {
        let Circumstances { release, fetcher, toolchain, .. } = self.circumstances;
        let may_ask = !fetcher.offline && rust::has_rustup();
        if rust.has(Target::Musl) || !(may_ask || *release) {
            return None;
        }
        if self.library.is_none() {
            self.library = Some(self.add(AddLibrary::draft(rust, toolchain)).id);
        }
        self.library
    }

    fn fetch(&mut self, source: &Source) -> Result<Prerequisite<Fetch>> {
        let draft = Fetch::draft(source, self.circumstances.workspace)?;
        match self.fetches.get(&source.name) {
            Some(fetch) if fetch.identity.key == draft.identity.key => Ok(fetch.clone()),
            Some(_) => Err(Failure::new(
                Class::Spec,
                format!("two descriptions call different things the source {}", source.name),
            )),
            None => {
                let fetch = self.add(draft);
                self.fetches.insert(source.name.clone(), fetch.clone());
                Ok(fetch)
            }
        }
    }

    /// The image's step. It is skipped unless at least one of the builds that want the image has its sources.
    fn image(&mut self, image: &Image, fetches: Vec<StepId>) -> Prerequisite<BuildImage> {
        let there = self.images.get(&image.name).cloned();
        let needed = there.unwrap_or_else(|| self.add(BuildImage::draft(image.clone())));
        self.images.insert(image.name.clone(), needed.clone());
        self.plan.steps[needed.id].needs_any.push(fetches);
        needed
    }

    fn compile_in_container(&mut self, spec: &Spec, build: &ContainerBuild) -> Result<Staged> {
        let Circumstances { workspace, mirrors, .. } = *self.circumstances;
        let image = Image::load(workspace, &build.image, mirrors);
        let image = image.map_err(|f| f.in_step(&format!("image {}", build.image), None))?;
        let fetch = |source: &Source| self.fetch(source);
        let sources: Vec<_> = spec.sources.iter().map(fetch).collect::<Result<_>>()?;
        let built = self.image(&image, sources.iter().map(|source| source.id).collect());
        let before: Vec<_> = build.needs.iter().map(|name| &self.releases[name]).collect();
        let others = before.iter().filter_map(|release| release.last());
        let others = others.map(|shared| shared.compile.clone()).collect();
        let mut release: Vec<Shared> = before.into_iter().flatten().cloned().collect();
        let compile = self.add(CompileInContainer::draft(
            spec,
            build,
            sources,
            others,
            built,
            self.circumstances,
        ));
        release.push(Shared { compile, packages: Arc::new(spec.packages.clone()) });
        self.releases.insert(spec.name.clone(), release.clone());
        Ok(Staged::new(build, release, image.abi()))
    }
}

/// Names of the descriptions that must be compiled: those that are `wanted`, and those that they need.
fn needed_specs(specs: &[Spec], wanted: impl Fn(&Spec) -> bool) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for spec in specs.iter().rev() {
        if wanted(spec) || names.contains(&spec.name) {
            names.insert(spec.name.clone());
            if let Some(Build::Container(build)) = &spec.build {
                names.extend(build.needs.iter().cloned());
            }
        }
    }
    names
}
