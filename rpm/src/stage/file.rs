//! Checks whether an RPM can hold a file.

use std::{os::unix::fs::MetadataExt, path::Path};

use super::EntryKind;
use crate::{Error, Result, limits, spec::Package};

/// The entry for a regular file; an error for other kinds and for files that are too large.
pub(super) fn regular(
    package: &Package,
    path: &Path,
    meta: &std::fs::Metadata,
) -> Result<EntryKind> {
    let name = path.display();
    if !meta.is_file() {
        // Opening a FIFO would wait for ever, and a device has no content.
        return Err(Error::source(
            &package.name,
            format!("{name} is not a regular file"),
            "a package is made of files; leave devices, sockets and FIFOs out",
        ));
    }
    if meta.len() > limits::FILE {
        return Err(Error::stage_help(
            &package.name,
            format!(
                "{name} has {} bytes; rpm 4.11 of CentOS 7 holds at most {} per file",
                meta.len(),
                limits::FILE
            ),
            "split or strip the file",
        ));
    }
    let inode = (meta.nlink() > 1).then(|| (meta.dev(), meta.ino()));
    Ok(EntryKind::File { source: path.to_owned(), size: meta.len(), inode })
}
