//! `image NAME`: makes a builder image: one that a container engine keeps ([`Image::load`] makes the key), or a root for
//! the sandbox ([`Image::of_root`]). The result is the builder with the image; each is looked for once in a run.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use super::{Context, Draft, Prerequisite, Step};
use base::failure::Trouble;
use builders::{
    container::{Builder, Engine, EngineKind, Image},
    sandbox::Sandbox,
    site::Site,
};
use sources::Fetcher;

/// Builds a builder image.
#[derive(Debug)]
pub struct BuildImage {
    /// The image.
    pub image: Image,
}

impl BuildImage {
    pub(crate) fn draft(image: Image) -> Draft<Self> {
        let inputs = vec![format!("containers/{}", image.name)];
        let (name, identity) = (format!("image {}", image.name), image.identity().clone());
        Draft { inputs, ..Draft::new(name, identity, Self { image }) }
    }

    pub(super) fn run(&self, step: &Step, context: &Context<'_>) -> Result<(), Trouble> {
        let images = context.images;
        images.get(&self.image, context.fetcher, &context.site(), &step.name).map(drop)
    }
}

impl Prerequisite<BuildImage> {
    /// The builder that has the image.
    pub(super) fn built(&self, step: &str, context: &Context<'_>) -> Result<Builder, Trouble> {
        context.images.get(&self.work.image, context.fetcher, &context.site(), step)
    }
}

/// The builder of the run.
#[derive(Clone, Copy, Debug)]
pub enum BuilderChoice {
    /// The sandbox.
    Sandbox(Sandbox),
    /// This engine, or whichever answers.
    Engine(Option<EngineKind>),
}

/// The engine and the images that were looked for so far. A failure is kept as well: nothing is tried twice.
pub struct Images {
    choice: BuilderChoice,
    found: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    engine: Option<Result<Engine, Trouble>>,
    images: BTreeMap<String, Result<Builder, Trouble>>,
}

impl Images {
    /// None was looked for yet.
    pub fn new(choice: BuilderChoice) -> Self {
        Self { choice, found: Mutex::default() }
    }

    /// Whether there is a builder to compile with.
    pub fn has_builder(&self) -> bool {
        let BuilderChoice::Engine(kind) = self.choice else { return true };
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.engine.get_or_insert_with(|| Engine::find(kind)).is_ok()
    }

    /// The builder with the image, which is made if it is not there.
    ///
    /// # Errors
    /// [`Trouble::Unavailable`] without an engine, or if what the image consists of cannot be reached.
    fn get(
        &self,
        image: &Image,
        fetcher: &Fetcher<'_>,
        site: &Site<'_>,
        step: &str,
    ) -> Result<Builder, Trouble> {
        // Locked while an image is made: a second image would need the same network and disk.
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let Known { engine, images } = &mut *found;
        let make = || match self.choice {
            BuilderChoice::Sandbox(sandbox) => {
                let root = image.make_root(fetcher, site, step)?;
                Ok(Builder::Sandbox(sandbox, root))
            }
            BuilderChoice::Engine(kind) => {
                let engine = engine.get_or_insert_with(|| Engine::find(kind)).clone()?;
                let built = image.ensure(&engine, site, step)?;
                Ok(Builder::Container(engine, built))
            }
        };
        images.entry(image.name.clone()).or_insert_with(make).clone()
    }
}
