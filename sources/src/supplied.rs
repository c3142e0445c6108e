//! `--source NAME=PATH`: sources that the user brings, for machines without a network. They are
//! accepted only if they are the pinned ones.

use std::path::Path;

use el7rpm::spec::Source;

use base::failure::{Class, Classify, Failure, Result};

/// The failure for a missing file.
pub(super) fn missing(source: &Source, path: &Path) -> Failure {
    Failure::new(
        Class::Usage,
        format!("--source {}={}: there is no such file", source.name, path.display()),
    )
}

/// Refuses a device or a FIFO, because reading it might never end.
pub(super) fn check_file(source: &Source, path: &Path) -> Result<()> {
    match fs_err::metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(()),
        Ok(_) => Err(refused(source, path, "it is no file, and the source is one")),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(missing(source, path)),
        Err(e) => Err(e).class(Class::Source),
    }
}

/// The failure for a file that is not the pinned source.
pub(super) fn refused(source: &Source, path: &Path, why: &str) -> Failure {
    Failure::new(Class::Source, format!("--source {}={}: {why}", source.name, path.display()))
        .help("bring what package.toml pins; to build something else, use `--local NAME=PATH`")
}
