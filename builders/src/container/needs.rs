//! The staged roots of other builds, as a build sees them.
//!
//! Their files have the modes that packages ship. Builds are different users: the owner of the files, another one, or root of an
//! engine elsewhere. If not all of them could read and execute the same, every one gets a copy with modes that are the same for all.

use std::{
    collections::BTreeMap,
    fs::Metadata,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use walkdir::WalkDir;

use crate::modes::{is_for_all, set_for_all};
use base::failure::{Class, Classify, Result};

/// A folder with the content of `stage` that all users read in the same way: `stage` itself, or a copy at the path `copy`.
pub(super) fn readable_by_all(stage: &Path, copy: &Path) -> Result<PathBuf> {
    if is_even(stage)? {
        return Ok(stage.to_owned());
    }
    let mut first: BTreeMap<(u64, u64), PathBuf> = BTreeMap::new();
    for entry in WalkDir::new(stage) {
        let entry = entry.map_err(std::io::Error::from).class(Class::Output)?;
        let below = entry.path().strip_prefix(stage).unwrap_or(entry.path());
        let to = copy.join(below);
        let meta = fs_err::symlink_metadata(entry.path()).class(Class::Output)?;
        if meta.is_dir() {
            fs_err::create_dir_all(&to).class(Class::Output)?;
            set_for_all(&to, &meta)?;
        } else if meta.is_symlink() {
            let target = fs_err::read_link(entry.path()).class(Class::Output)?;
            fs_err::os::unix::fs::symlink(target, &to).class(Class::Output)?;
        } else if let Some(other) = first.get(&(meta.dev(), meta.ino())) {
            fs_err::hard_link(other, &to).class(Class::Output)?;
        } else if meta.is_file() {
            fs_err::copy(entry.path(), &to).class(Class::Output)?;
            keep_time(&meta, &to)?;
            set_for_all(&to, &meta)?;
            first.insert((meta.dev(), meta.ino()), to);
        }
    }
    Ok(copy.to_owned())
}

fn is_even(stage: &Path) -> Result<bool> {
    for entry in WalkDir::new(stage) {
        let entry = entry.map_err(std::io::Error::from).class(Class::Output)?;
        let meta = entry.metadata().map_err(std::io::Error::from).class(Class::Output)?;
        if !meta.is_symlink() && !is_for_all(&meta) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// make compares the times of files.
fn keep_time(from: &Metadata, to: &Path) -> Result<()> {
    // The copy may be a file that nobody may write to.
    let writable = PermissionsExt::from_mode(0o600);
    fs_err::set_permissions(to, writable).class(Class::Output)?;
    let file = fs_err::OpenOptions::new().append(true).open(to).class(Class::Output)?;
    file.file().set_modified(from.modified().class(Class::Output)?).class(Class::Output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_staged_root_is_copied_if_users_would_see_it_differently() {
        let dir = tempfile::tempdir().unwrap();
        let (stage, copy) = (dir.path().join("stage"), dir.path().join("copy"));
        fs_err::create_dir_all(stage.join("etc")).unwrap();
        fs_err::write(stage.join("etc/x"), "x").unwrap();
        fs_err::hard_link(stage.join("etc/x"), stage.join("etc/y")).unwrap();
        fs_err::os::unix::fs::symlink("/no/where", stage.join("link")).unwrap();
        let set = |path: &str, mode| {
            fs_err::set_permissions(stage.join(path), PermissionsExt::from_mode(mode)).unwrap();
        };
        let mode = |path: &Path| fs_err::metadata(path).unwrap().permissions().mode() & 0o7777;
        set("", 0o755);
        set("etc", 0o755);
        for plain in [0o644, 0o755, 0o555] {
            set("etc/x", plain);
            assert_eq!(readable_by_all(&stage, &copy).unwrap(), stage);
        }
        for (odd, even) in
            [(0o600, 0o644), (0o750, 0o755), (0o744, 0o755), (0o4755, 0o755), (0, 0o444)]
        {
            set("etc/x", odd);
            let seen = readable_by_all(&stage, &copy);
            // Root reads what has no mode; others cannot copy it.
            if odd == 0 && seen.is_err() {
                continue;
            }
            assert_eq!(seen.unwrap(), copy);
            assert_eq!((mode(&copy.join("etc/x")), mode(&stage.join("etc/x"))), (even, odd));
            let links = fs_err::metadata(copy.join("etc/y")).unwrap().nlink();
            assert_eq!(links, 2);
            set("etc/x", 0o644);
            fs_err::remove_dir_all(&copy).unwrap();
        }
        // A folder alone is a reason, too.
        set("etc", 0o700);
        assert_eq!(readable_by_all(&stage, &copy).unwrap(), copy);
        assert_eq!(mode(&copy.join("etc")), 0o755);
        assert_eq!(fs_err::read_link(copy.join("link")).unwrap(), Path::new("/no/where"));
        let time = |path: PathBuf| fs_err::metadata(path).unwrap().modified().unwrap();
        assert_eq!(time(copy.join("etc/x")), time(stage.join("etc/x")));
    }
}
