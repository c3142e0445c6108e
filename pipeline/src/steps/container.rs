//! `compile NAME`: compiles sources in a container. The result is the build tree, for other compiles that need it,
//! and the staged root, for packages.

use std::path::{Path, PathBuf};

use el7rpm::spec::{ContainerBuild, Spec};

use super::{BuildImage, Context, Draft, Fetch, Prerequisite, Step};
use crate::{cache::Cache, circumstances::Circumstances};
use base::{
    failure::{Result, Trouble},
    key::{Identity, Key, KeyBuilder},
    step::Kind,
};
use builders::container::{self, Compile};

/// Increase this number when the way of compiling in a container changes.
const VERSION: u32 = 3;

/// Compiles sources in a container.
#[derive(Debug)]
pub struct CompileInContainer {
    /// Name of the description.
    pub spec: String,
    /// Version of its first package.
    version: String,
    /// Whether a source is not the pinned one (`--local`).
    local: bool,
    /// SOURCE_DATE_EPOCH of the build, in seconds since 1970.
    source_date: u32,
    /// The sources.
    pub(crate) sources: Vec<Prerequisite<Fetch>>,
    /// Other compiles, whose sources, build trees and staged roots it reads.
    others: Vec<Prerequisite<CompileInContainer>>,
    /// The image to compile in.
    image: Prerequisite<BuildImage>,
    /// Its phases.
    build: ContainerBuild,
}

impl CompileInContainer {
    pub(crate) fn draft(
        spec: &Spec,
        build: &ContainerBuild,
        sources: Vec<Prerequisite<Fetch>>,
        others: Vec<Prerequisite<Self>>,
        image: Prerequisite<BuildImage>,
        circumstances: &Circumstances<'_>,
    ) -> Draft<Self> {
        let first = spec.packages.first();
        let work = Self {
            spec: spec.name.clone(),
            version: first.map(|package| package.version.clone()).unwrap_or_default(),
            local: spec.is_local(),
            source_date: first.map_or(0, |package| package.source_date()),
            sources,
            others,
            image,
            build: build.clone(),
        };
        let identity = work.identity(&spec.path, circumstances.farm);
        let mut needs: Vec<_> = work.sources.iter().map(|source| source.id).collect();
        needs.push(work.image.id);
        for other in &work.others {
            needs.extend(other.work.sources.iter().map(|source| source.id).chain([other.id]));
        }
        let inputs = vec![format!("specs/{}", spec.name)];
        Draft { needs, inputs, ..Draft::new(format!("compile {}", spec.name), identity, work) }
    }

    /// The key of everything that can change the result; `description` is the path of package.toml. The number of
    /// jobs, the engine and ccache are not in it, since they must not change a byte. Neither are `discard` and the
    /// file lists of packages, which are inputs of the package steps.
    fn identity(&self, description: &Path, farm: bool) -> Identity {
        let Self { build, .. } = self;
        let phases = format!("{:?} {:?} {:?}", build.env, build.switches, build.phases);
        let key = KeyBuilder::new("compile in container", VERSION);
        let mut key = self
            .image
            .work
            .image
            .add_to(key)
            .text("the description's name", &self.spec)
            .text("the version", &self.version)
            .text("the date of the newest change", &self.source_date.to_string())
            .text("--distcc", if farm { "yes" } else { "no" })
            .text_of("build", &phases, description);
        for source in &self.sources {
            let name = &source.work.source.name;
            key = key.text(&format!("the source {name}"), name);
            key = key.identity("content", &source.identity);
        }
        for other in &self.others {
            key = key.text("the compiles that it needs", &other.work.spec);
            key = key.step("build", &other.name, &other.identity.key);
        }
        key.identify()
    }

    pub(super) fn run(&self, step: &Step, context: &Context<'_>) -> Result<(), Trouble> {
        let builder = self.image.built(&step.name, context)?;
        let scratch = context.cache.scratch()?;
        let unpacked =
            |sources: &[Prerequisite<Fetch>]| -> Result<Vec<(String, PathBuf)>, Trouble> {
                let unpack = |source: &Prerequisite<Fetch>| {
                    Ok((source.work.source.name.clone(), source.unpack(scratch.path(), context)?))
                };
                sources.iter().map(unpack).collect()
            };
        let mut needs = Vec::new();
        for other in &self.others {
            let result = other.result(context)?;
            needs.push(container::Need {
                name: other.work.spec.clone(),
                build: result.join(container::BUILD),
                stage: result.join(container::STAGE),
                sources: unpacked(&other.work.sources)?,
            });
        }
        let compile = Compile {
            name: &self.spec,
            version: &self.version,
            local: self.local,
            sources: unpacked(&self.sources)?,
            needs,
            build: &self.build,
            source_date: self.source_date,
            options: context.compile_options,
        };
        context.cache.make(Kind::Compile, &step.key, |out| {
            compile.run(&builder, &context.site(), &step.name, out)
        })?;
        Ok(())
    }

    /// The name of the image, and the digest of the root that it was compiled in.
    pub(super) fn root(&self, key: &Key, cache: &Cache) -> Option<(String, String)> {
        let path = cache.get(Kind::Compile, key)?.join(container::ROOT);
        let digest = fs_err::read_to_string(path).ok()?;
        Some((self.image.work.image.name.clone(), digest))
    }

    /// The staged root of the build with this key.
    pub(super) fn staged_root(key: &Key, cache: &Cache) -> Option<PathBuf> {
        Some(cache.get(Kind::Compile, key)?.join(container::STAGE))
    }
}

impl Prerequisite<CompileInContainer> {
    fn result(&self, context: &Context<'_>) -> Result<PathBuf> {
        let result = context.cache.get(Kind::Compile, &self.identity.key);
        result.ok_or_else(|| context.gone(&self.name))
    }

    /// The ABI table of the system in which it was compiled, if it is known.
    pub(super) fn abi(&self, cache: &Cache) -> Option<PathBuf> {
        let path = cache.get(Kind::Compile, &self.identity.key)?.join(container::ABI);
        path.is_file().then_some(path)
    }

    /// The staged root.
    pub(super) fn staged_root(&self, cache: &Cache) -> Option<PathBuf> {
        CompileInContainer::staged_root(&self.identity.key, cache)
    }
}
