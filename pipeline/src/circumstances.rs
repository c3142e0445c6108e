//! Everything that a plan depends on, apart from the descriptions.

use el7rpm::package::WriteOptions;

use base::{
    failure::{Class, Classify, Failure, Result},
    key::{Key, KeyBuilder},
    workspace::Workspace,
};
use builders::{
    root::Mirror,
    toolchain::{self, Toolchain},
};
use sources::Fetcher;

/// Everything that a plan depends on, apart from the descriptions.
pub struct Circumstances<'a> {
    /// The checkout.
    pub workspace: &'a Workspace,
    /// Names of the packages to build; all packages if it is empty.
    pub wanted: &'a [String],
    /// Fingerprint of the signing key.
    pub signing_key: &'a str,
    /// Whether it is a release: only pinned tools are used.
    pub release: bool,
    /// The Rust that crates are compiled with.
    pub toolchain: &'a Toolchain,
    /// Whether other machines take part in compiles; their compilers are not pinned.
    pub farm: bool,
    /// Base addresses of repositories that are tried before those of image.toml.
    pub mirrors: &'a [Mirror],
    /// The key of the xtask program, which writes the packages.
    pub xtask: Key,
    /// How packages are written.
    pub write_options: WriteOptions,
    /// Knows which sources are in the store.
    pub fetcher: &'a Fetcher<'a>,
}

impl<'a> Circumstances<'a> {
    /// The circumstances of a run without options.
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
            mirrors: &[],
            xtask: own_code()?,
            write_options: write_options()?,
            fetcher,
        })
    }
}

/// The default options, with the date of SOURCE_DATE_EPOCH if it is set.
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

/// The key of this program: another version may write other packages.
fn own_code() -> Result<Key> {
    let program = std::env::current_exe().class(Class::Source)?;
    Ok(KeyBuilder::new("xtask", 1).file("program", &program)?.finish())
}
