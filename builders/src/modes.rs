//! Modes of files that builds of several users see. The sandbox of an ordinary user is the owner of the files, that of root is not, and
//! the files of an engine belong to root: with modes of their own they would see different files.

use std::{
    fs::Metadata,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

use base::failure::{Class, Classify, Result};

/// The mode with which everybody may do what the owner may, but write, and without set-id bits. The owner reads all files, and
/// enters all folders.
fn for_all(mode: u32, is_folder: bool) -> u32 {
    let own = mode | if is_folder { 0o700 } else { 0o400 };
    (own | (own & 0o500) >> 3 | (own & 0o500) >> 6) & 0o1777
}

/// Whether all users see a file or folder with this mode in the same way.
pub(crate) fn is_for_all(meta: &Metadata) -> bool {
    let mode = meta.mode() & 0o7777;
    for_all(mode, meta.is_dir()) == mode
}

/// Gives a path the mode for all users of a file or folder with this one.
pub(crate) fn set_for_all(path: &Path, like: &Metadata) -> Result<()> {
    let mode = PermissionsExt::from_mode(for_all(like.mode() & 0o7777, like.is_dir()));
    fs_err::set_permissions(path, mode).class(Class::Output)
}

#[cfg(test)]
mod tests {
    #[test]
    fn everybody_may_do_what_the_owner_may_but_write() {
        let files = [(0o600, 0o644), (0o750, 0o755), (0o4755, 0o755), (0, 0o444), (0o664, 0o664)];
        for (mode, expected) in files {
            assert_eq!(super::for_all(mode, false), expected, "{mode:o}");
        }
        for (mode, expected) in [(0o555, 0o755), (0, 0o755), (0o2770, 0o775), (0o1777, 0o1777)] {
            assert_eq!(super::for_all(mode, true), expected, "{mode:o}");
        }
    }
}
