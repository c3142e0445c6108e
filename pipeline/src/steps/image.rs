//! `image NAME`: builds a builder image, which the container engine keeps. [`Image::load`] makes the key. The result
//! is the engine with the image; each is looked for once in a run.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use super::{Context, Draft, Prerequisite, Step};
use base::failure::Trouble;
use builders::{
    container::{BuiltImage, Engine, EngineKind, Image},
    site::Site,
};

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
        context.images.get(&self.image, &context.site(), &step.name).map(drop)
    }
}

impl Prerequisite<BuildImage> {
    /// The engine, and the image in it.
    pub(super) fn built(
        &self,
        step: &str,
        context: &Context<'_>,
    ) -> Result<(Engine, BuiltImage), Trouble> {
        context.images.get(&self.work.image, &context.site(), step)
    }
}

/// The engine and the images that were looked for so far. A failure is kept as well: nothing is tried twice.
pub struct Images {
    choice: Option<EngineKind>,
    found: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    engine: Option<Result<Engine, Trouble>>,
    images: BTreeMap<String, Result<BuiltImage, Trouble>>,
}

impl Images {
    /// `choice` is the engine of `--builder`.
    pub fn new(choice: Option<EngineKind>) -> Self {
        Self { choice, found: Mutex::default() }
    }

    /// Whether there is an engine to compile with.
    pub fn has_engine(&self) -> bool {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.engine.get_or_insert_with(|| Engine::find(self.choice)).is_ok()
    }

    /// The image, which is built if the engine does not have it.
    ///
    /// # Errors
    /// [`Trouble::Unavailable`] without an engine, or if a registry or mirror cannot be reached.
    fn get(
        &self,
        image: &Image,
        site: &Site<'_>,
        step: &str,
    ) -> Result<(Engine, BuiltImage), Trouble> {
        // Locked while an image is built: a second image would need the same network and disk.
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let find = || Engine::find(self.choice);
        let engine = found.engine.get_or_insert_with(find).clone()?;
        let make = || image.ensure(&engine, site, step);
        let built = found.images.entry(image.name.clone()).or_insert_with(make).clone()?;
        Ok((engine, built))
    }
}
