//! The digest over a whole tree.

use std::{
    io,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
};

use sha2::{Digest, Sha256};
use walkdir::{DirEntry, WalkDir};

use super::tree::{Tree, named};
use crate::{Result, payload::hex};

/// A digest of the tree on disk: paths, kinds, permissions, times, contents and targets, in order of the paths.
/// Link counts are not part of it: a build does not depend on whether two paths are one file.
pub(super) fn of(tree: &Tree) -> Result<String> {
    let mut hash = Sha256::new_with_prefix(b"tree 1\n");
    let walk =
        WalkDir::new(&tree.path).min_depth(1).sort_by(|a, b| a.file_name().cmp(b.file_name()));
    for entry in walk {
        let entry = entry.map_err(io::Error::from)?;
        add(&mut hash, tree, &entry)?;
    }
    Ok(hex(&hash.finalize()))
}

fn add(hash: &mut Sha256, tree: &Tree, entry: &DirEntry) -> Result<()> {
    let found = entry.metadata().map_err(io::Error::from)?;
    let path = entry.path().strip_prefix(&tree.path).unwrap_or(entry.path());
    let (kind, content): (u8, Vec<u8>) = if found.is_dir() {
        (b'd', Vec::new())
    } else if found.is_symlink() {
        (b'l', fs_err::read_link(entry.path())?.into_os_string().as_bytes().to_vec())
    } else {
        let known = tree.contents.get(&(found.dev(), found.ino()));
        let odd = || io::Error::other("it appeared while packages were unpacked");
        let sha256 = known.ok_or_else(|| named(odd(), entry.path().display()))?;
        (b'f', sha256.to_vec())
    };
    // The permissions of a link depend on the system.
    let mode = if kind == b'l' { 0 } else { found.mode() & 0o7777 };
    hash.update([kind]);
    hash.update(mode.to_be_bytes());
    hash.update(found.mtime().to_be_bytes());
    for part in [path.as_os_str().as_bytes(), &content] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    Ok(())
}
