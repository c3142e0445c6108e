//! `--source NAME=PATH`: sources that the user brings along, for sites without a network. They are
//! taken only if they are what is pinned.

use std::path::Path;

use el7rpm::spec::Source;

use crate::failure::{Class, Failure};

/// The failure of a file that is not there.
pub(super) fn missing(source: &Source, path: &Path) -> Failure {
    Failure::new(
        Class::Usage,
        format!("--source {}={}: there is no such file", source.name, path.display()),
    )
}

/// The failure of what is not the pinned source.
pub(super) fn refused(source: &Source, path: &Path, why: &str) -> Failure {
    Failure::new(Class::Source, format!("--source {}={}: {why}", source.name, path.display()))
        .help("bring what package.toml pins; to build something else, use `--local NAME=PATH`")
}
