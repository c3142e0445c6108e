//! What a plan depends on beside the descriptions.

use el7rpm::package::WriteOptions;

use base::{
    failure::{Class, Classify, Failure, Result},
    key::{Key, KeyBuilder},
    workspace::Workspace,
};
use builders::toolchain::{self, Toolchain};
use sources::Fetcher;

/// What a plan depends on beside the descriptions.
pub struct Circumstances<'a> {
    /// The checkout.
    pub workspace: &'a Workspace,
    /// Names of the packages to make; all if empty.
    pub wanted: &'a [String],
    /// Fingerprint of the signing key.
    pub signing_key: &'a str,
    /// Whether only the pinned compiler driver will do.
    pub release: bool,
    /// What crates are compiled with.
    pub toolchain: &'a Toolchain,
    /// Whether other machines compile along: nobody has pinned their compilers.
    pub farm: bool,
    /// Build arguments of images.
    pub image_args: &'a [String],
    /// What xtask itself is: it writes the packages.
    pub xtask: Key,
    /// How they are written.
    pub write_options: WriteOptions,
    /// Knows which sources are there.
    pub fetcher: &'a Fetcher<'a>,
}

impl<'a> Circumstances<'a> {
    /// Those of a run without options.
    ///
    /// # Errors
    /// [`Class::Usage`] for a SOURCE_DATE_EPOCH that is not a number; [`Class::Source`] if this program cannot be read.
    pub fn plain(
        workspace: &'a Workspace,
        wanted: &'a [String],
        signing_key: &'a str,
        fetcher: &'a Fetcher<'a>,
    ) -> Result<Self> {
        Ok(Self {
            workspace,
            wanted,
            signing_key,
            release: false,
            toolchain: &toolchain::PRESENT,
            farm: false,
            image_args: &[],
            xtask: own_code()?,
            write_options: write_options()?,
            fetcher,
        })
    }
}

/// SOURCE_DATE_EPOCH is honoured, as everywhere in the field.
fn write_options() -> Result<WriteOptions> {
    let source_date = match std::env::var("SOURCE_DATE_EPOCH") {
        Err(_) => None,
        Ok(text) => Some(text.parse().map_err(|_| {
            Failure::new(
                Class::Usage,
                format!("SOURCE_DATE_EPOCH is `{text}`, not a number of seconds since 1970"),
            )
        })?),
    };
    Ok(WriteOptions { source_date, ..WriteOptions::default() })
}

/// The code that writes packages is itself an input of what it writes.
fn own_code() -> Result<Key> {
    let program = std::env::current_exe().class(Class::Source)?;
    Ok(KeyBuilder::new("xtask", 1).file("program", &program)?.finish())
}
