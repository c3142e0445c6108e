//! What a step does, whatever its kind. Every question that has an answer for each kind is asked here, and has no answer
//! for the rest: the compiler shows where a new kind has to decide.

use std::{path::PathBuf, sync::Arc};

use el7rpm::spec::Spec;

use super::{
    AddLibrary, BuildImage, CompileCrate, CompileInContainer, Context, Fetch, InstallTools,
    SignPackage, Step, WritePackage,
};
use crate::{cache::Cache, schedule::Resource};
use base::{
    failure::{Result, Trouble},
    key::Key,
    step::Kind,
};
use sources::Fetcher;

/// Declares the enum with one variant for each kind, and how each becomes one.
macro_rules! work {
    ($($(#[$doc:meta])* $variant:ident($work:ident),)+) => {
        /// What a step does.
        #[derive(Clone, Debug)]
        pub enum Work { $($(#[$doc])* $variant(Arc<$work>)),+ }

        $(impl From<Arc<$work>> for Work {
            fn from(work: Arc<$work>) -> Self {
                Self::$variant(work)
            }
        })+

        impl Work {
            pub(super) fn run(&self, step: &Step, context: &Context<'_>) -> Result<(), Trouble> {
                match self { $(Self::$variant(work) => work.run(step, context)),+ }
            }
        }
    };
}

work! {
    /// Install the compiler driver.
    Tools(InstallTools),
    /// Add Rust's library for musl.
    Library(AddLibrary),
    /// Compile a crate.
    Crate(CompileCrate),
    /// Get a source.
    Fetch(Fetch),
    /// Make a builder image.
    Image(BuildImage),
    /// Compile sources in a container.
    Container(CompileInContainer),
    /// Stage the files and write the RPM.
    Package(WritePackage),
    /// Sign it.
    Sign(SignPackage),
}

impl Work {
    /// Of what kind the step is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Tools(_) => Kind::Tools,
            Self::Library(_) => Kind::Library,
            Self::Crate(_) | Self::Container(_) => Kind::Compile,
            Self::Fetch(_) => Kind::Fetch,
            Self::Image(_) => Kind::Image,
            Self::Package(_) => Kind::Package,
            Self::Sign(_) => Kind::Sign,
        }
    }

    /// Whether the result with this key is there.
    pub(crate) fn is_there(&self, key: &Key, cache: &Cache, fetcher: &Fetcher<'_>) -> bool {
        match self {
            Self::Tools(work) => work.is_there(),
            Self::Fetch(work) => fetcher.is_there(&work.source),
            // Only the engine knows; it is asked when a compile wants the image. Of the library only rustup knows.
            Self::Image(_) | Self::Library(_) => false,
            Self::Crate(_) | Self::Container(_) | Self::Package(_) | Self::Sign(_) => {
                cache.get(self.kind(), key).is_some()
            }
        }
    }

    /// The folder that packages of `spec` take files from, if this step makes it and the result with this key is there.
    pub(crate) fn packed_folder(&self, spec: &Spec, key: &Key, cache: &Cache) -> Option<PathBuf> {
        match self {
            Self::Crate(work) => work.programs(spec, key, cache),
            Self::Container(work) => {
                (work.spec == spec.name).then(|| CompileInContainer::staged_root(key, cache))?
            }
            Self::Tools(_)
            | Self::Library(_)
            | Self::Fetch(_)
            | Self::Image(_)
            | Self::Package(_)
            | Self::Sign(_) => None,
        }
    }

    /// Whether a run is to end with the result, whether or not another step takes it.
    pub(crate) fn is_asked_for(&self) -> bool {
        match self {
            Self::Sign(_) => true,
            Self::Tools(_)
            | Self::Library(_)
            | Self::Crate(_)
            | Self::Fetch(_)
            | Self::Image(_)
            | Self::Container(_)
            | Self::Package(_) => false,
        }
    }

    /// Whether keys of other steps change with the result, so that they are not known before it is there.
    pub(crate) fn changes_keys(&self) -> bool {
        match self {
            Self::Library(_) => true,
            Self::Image(work) => work.image.lock().is_none(),
            Self::Tools(_)
            | Self::Crate(_)
            | Self::Fetch(_)
            | Self::Container(_)
            | Self::Package(_)
            | Self::Sign(_) => false,
        }
    }

    /// Whether it may take an hour.
    pub(super) fn is_long(&self) -> bool {
        match self {
            Self::Container(_) => true,
            Self::Tools(_)
            | Self::Library(_)
            | Self::Crate(_)
            | Self::Fetch(_)
            | Self::Image(_)
            | Self::Package(_)
            | Self::Sign(_) => false,
        }
    }

    /// What no other step may use while this one is carried out.
    pub fn resource(&self) -> Option<Resource> {
        match self {
            Self::Container(_) => Some(Resource::AllCores),
            Self::Tools(_)
            | Self::Library(_)
            | Self::Crate(_)
            | Self::Fetch(_)
            | Self::Image(_)
            | Self::Package(_)
            | Self::Sign(_) => None,
        }
    }

    /// Whether it cannot be done without a network.
    pub fn needs_network(&self) -> bool {
        match self {
            Self::Tools(_) | Self::Library(_) | Self::Fetch(_) => true,
            // Some images are made from what is on this machine; where one is not, its step says so. A crate's
            // dependencies may have been fetched for another one.
            Self::Image(_)
            | Self::Crate(_)
            | Self::Container(_)
            | Self::Package(_)
            | Self::Sign(_) => false,
        }
    }
}
