//! `image NAME`: makes a builder image: a root for the sandbox, or the same root imported into a container engine. The result is
//! the builder with the image; each is looked for once in a run.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use super::{Context, Draft, Prerequisite, Step};
use base::{
    events::{Event, Reporter},
    failure::{Failure, Result, Trouble},
};
use builders::{
    container::{Builder, BuilderKind, Engine, Image},
    sandbox::Sandbox,
    site::Site,
};
use sources::Fetcher;

/// Makes a builder image.
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

/// What the user asks of the builder.
#[derive(Clone, Copy, Debug, Default)]
pub struct BuilderChoice {
    /// The builder of `--builder`. Without one it is the sandbox, where this machine allows it, or else an engine.
    pub asked: Option<BuilderKind>,
    /// Whether compiles need a network, which the sandbox does not have.
    pub network: bool,
}

/// The builder and the images that were looked for so far. A failure is kept as well: nothing is tried twice.
pub struct Images {
    choice: BuilderChoice,
    found: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    builder: Option<Result<Found, Trouble>>,
    images: BTreeMap<String, Result<Builder, Trouble>>,
}

#[derive(Clone)]
enum Found {
    Sandbox(Sandbox),
    Engine(Engine),
}

impl Images {
    /// None was looked for yet.
    pub fn new(choice: BuilderChoice) -> Self {
        Self { choice, found: Mutex::default() }
    }

    /// Whether there is a builder to compile with.
    pub fn has_builder(&self, reporter: &dyn Reporter) -> bool {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.builder.get_or_insert_with(|| find(self.choice, reporter)).is_ok()
    }

    /// The builder with the image, which is made if it is not there.
    ///
    /// # Errors
    /// [`Trouble::Unavailable`] without a builder, or if the image's packages cannot be reached.
    fn get(
        &self,
        image: &Image,
        fetcher: &Fetcher<'_>,
        site: &Site<'_>,
        step: &str,
    ) -> Result<Builder, Trouble> {
        // Locked while an image is made: a second image would need the same network and disk.
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let Known { builder, images } = &mut *found;
        let make = || {
            let builder = builder.get_or_insert_with(|| find(self.choice, site.reporter));
            Ok(match builder.clone()? {
                Found::Sandbox(sandbox) => {
                    Builder::Sandbox(sandbox, image.make_root(fetcher, site, step)?)
                }
                Found::Engine(engine) => {
                    let imported = image.import(&engine, fetcher, site, step)?;
                    Builder::Container(engine, imported)
                }
            })
        };
        let built = images.entry(image.name.clone()).or_insert_with(make).clone()?;
        // A later plan of the run may have read another setup.sh or lock.
        match image.is_the_image_of(&built) {
            true => Ok(built),
            false => Err(image.was_changed_since().into()),
        }
    }
}

/// Finds the builder. Where this machine allows no sandbox, the run goes on with an engine, and says why.
fn find(choice: BuilderChoice, reporter: &dyn Reporter) -> Result<Found, Trouble> {
    let refused = match choice.asked {
        Some(BuilderKind::Engine(kind)) => return Engine::find(Some(kind)).map(Found::Engine),
        None if choice.network => return Engine::find(None).map(Found::Engine),
        None | Some(BuilderKind::Sandbox) => match Sandbox::find() {
            Ok(sandbox) => return Ok(Found::Sandbox(sandbox)),
            Err(refused) => refused,
        },
    };
    let engine = Engine::find(None).map_err(|trouble| neither(&refused, trouble))?;
    let switch = refused.help.as_deref().unwrap_or_default();
    let message =
        format!("{} ({switch}); {} compiles instead", refused.message, engine.kind.name());
    reporter.event(&Event::Note { message: &message });
    Ok(Found::Engine(engine))
}

/// The trouble if there is neither a sandbox nor an engine.
fn neither(sandbox: &Failure, engine: Trouble) -> Trouble {
    let (Trouble::Unavailable(mut engine) | Trouble::Failed(mut engine)) = engine;
    let help = |failure: &Failure| failure.help.clone().unwrap_or_default();
    let help = format!("{}; or {}", help(sandbox), help(&engine));
    engine.message = format!("{}; and {}", sandbox.message, engine.message);
    Trouble::Unavailable(engine.help(help))
}
