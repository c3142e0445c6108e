//! The work of a step of any kind. Properties that every kind has are matches without a `_` arm: for a new kind, the
//! compiler shows every property that it has to decide.

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

/// Declares the enum with a variant for each kind, the conversions into it, and `run`.
macro_rules! work {
    ($($(#[$doc:meta])* $variant:ident($work:ident),)+) => {
        /// The work of a step.
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
    /// The kind of the step.
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
            // Only the builder knows whether it has the image; it is asked when a compile needs it. Only rustup knows
            // the library.
            Self::Image(_) | Self::Library(_) => false,
            Self::Crate(_) | Self::Container(_) | Self::Package(_) | Self::Sign(_) => {
                cache.get(self.kind(), key).is_some()
            }
        }
    }

    /// The folder with the files for packages of `spec`, if this step makes it and has been carried out.
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

    /// The image in which this step has compiled, and the digest of its root, if both are known.
    pub(crate) fn root(&self, key: &Key, cache: &Cache) -> Option<(String, String)> {
        match self {
            Self::Container(work) => work.root(key, cache),
            Self::Tools(_)
            | Self::Library(_)
            | Self::Crate(_)
            | Self::Fetch(_)
            | Self::Image(_)
            | Self::Package(_)
            | Self::Sign(_) => None,
        }
    }

    /// Whether the result is a result of the run, even if no other step needs it.
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

    /// Whether the result changes the keys of other steps, so that they are known only after this step.
    pub(crate) fn changes_keys(&self) -> bool {
        match self {
            Self::Library(_) => true,
            Self::Image(work) => !work.image.is_locked(),
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

    /// The resource that no other step may use while this one runs.
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
            // The packages of an image may be in the store, and a crate's dependencies may be there already. If not, the
            // step itself reports it.
            Self::Image(_)
            | Self::Crate(_)
            | Self::Container(_)
            | Self::Package(_)
            | Self::Sign(_) => false,
        }
    }
}
