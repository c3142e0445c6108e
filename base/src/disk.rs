//! Syncs files to the disk, and removes folders.

use std::{io::ErrorKind, path::Path};

use crate::failure::{Class, Classify, Result};

/// From this number of files on, one sync of the whole file system is faster than one of each file.
const FEW: usize = 100;

/// Syncs all files below `dir`, so that they survive a loss of power.
pub fn sync_all(dir: &Path) -> Result<()> {
    let mut few = Vec::new();
    for entry in walkdir::WalkDir::new(dir).contents_first(true) {
        let entry = entry.map_err(std::io::Error::from).class(Class::Output)?;
        if few.len() == FEW {
            let dir = fs_err::File::open(dir).class(Class::Output)?;
            return rustix::fs::syncfs(&dir).map_err(std::io::Error::from).class(Class::Output);
        }
        few.push(entry);
    }
    few.iter().filter(|e| has_content(e)).try_for_each(|e| sync(e.path()))
}

/// Whether the entry can be opened and synced. Opening a pipe would wait for its other end, and a socket cannot be opened.
fn has_content(entry: &walkdir::DirEntry) -> bool {
    entry.file_type().is_file() || entry.file_type().is_dir()
}

/// Syncs a folder, so that renames in it survive a loss of power.
pub fn sync(dir: &Path) -> Result<()> {
    fs_err::File::open(dir).and_then(|d| d.sync_all()).class(Class::Output)
}

/// Removes a folder with everything in it, if it exists.
pub fn remove_folder(dir: &Path) -> Result<()> {
    match fs_err::remove_dir_all(dir) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(e).class(Class::Output),
        _ => Ok(()),
    }
}
