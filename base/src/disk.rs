//! Syncs files to the disk, and removes folders.

use std::{io::ErrorKind, os::unix::fs::PermissionsExt, path::Path};

use crate::failure::{Class, Classify, Result};

/// From this number of files on, one sync of the whole file system is faster than one of each file.
#[cfg(target_os = "linux")]
const FEW: usize = 100;

/// Syncs all files below `dir`, so that they survive a loss of power.
pub fn sync_all(dir: &Path) -> Result<()> {
    let mut few = Vec::new();
    for entry in walkdir::WalkDir::new(dir).contents_first(true) {
        let entry = entry.map_err(std::io::Error::from).class(Class::Output)?;
        #[cfg(target_os = "linux")]
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

/// Removes a folder with everything in it, if it exists. Folders in it may be closed to their owner.
pub fn remove_folder(dir: &Path) -> Result<()> {
    let removed = match fs_err::remove_dir_all(dir) {
        Err(e) if e.kind() == ErrorKind::PermissionDenied => {
            open_all(dir);
            fs_err::remove_dir_all(dir)
        }
        other => other,
    };
    match removed {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(e).class(Class::Output),
        _ => Ok(()),
    }
}

/// Lets the owner into all folders, as far as this is allowed.
fn open_all(dir: &Path) {
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        let _ = fs_err::set_permissions(&folder, PermissionsExt::from_mode(0o700));
        for entry in fs_err::read_dir(&folder).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(entry.path());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_closed_folders_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let closed = dir.path().join("a/b");
        fs_err::create_dir_all(closed.join("c")).unwrap();
        for folder in ["a/b/c", "a/b"] {
            let path = dir.path().join(folder);
            fs_err::set_permissions(path, PermissionsExt::from_mode(0o000)).unwrap();
        }
        remove_folder(&dir.path().join("a")).unwrap();
        assert!(!dir.path().join("a").exists());
    }
}
