//! The staged roots of other builds, as a build sees them.
//!
//! Their files have the modes that packages ship. If the build is another user than the one who runs xtask, it could not read
//! all of them: then it gets a copy that it can read.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use rustix::process::geteuid;
use walkdir::WalkDir;

use super::user::User;
use base::failure::{Class, Classify, Result};

/// The bits that a file needs for others to read it.
const FILE: u32 = 0o444;
/// The bits that a folder needs for others to look into it.
const FOLDER: u32 = 0o555;

/// A folder with the content of `stage` that `user` can read: `stage` itself, or a copy at the path `copy`.
pub(super) fn readable_by(user: User, stage: &Path, copy: &Path) -> Result<PathBuf> {
    if user.uid == geteuid().as_raw() || is_readable(stage)? {
        return Ok(stage.to_owned());
    }
    for entry in WalkDir::new(stage) {
        let entry = entry.map_err(std::io::Error::from).class(Class::Output)?;
        let below = entry.path().strip_prefix(stage).unwrap_or(entry.path());
        let to = copy.join(below);
        let kind = entry.file_type();
        if kind.is_dir() {
            fs_err::create_dir_all(&to).class(Class::Output)?;
            allow(&to, 0o755)?;
        } else if kind.is_symlink() {
            let target = fs_err::read_link(entry.path()).class(Class::Output)?;
            fs_err::os::unix::fs::symlink(target, &to).class(Class::Output)?;
        } else if kind.is_file() {
            fs_err::copy(entry.path(), &to).class(Class::Output)?;
            allow(&to, FILE)?;
            keep_time(entry.path(), &to)?;
        }
    }
    Ok(copy.to_owned())
}

fn is_readable(stage: &Path) -> Result<bool> {
    for entry in WalkDir::new(stage) {
        let entry = entry.map_err(std::io::Error::from).class(Class::Output)?;
        let mode = entry.metadata().map_err(std::io::Error::from).class(Class::Output)?;
        let mode = mode.permissions().mode();
        let wanted = if entry.file_type().is_dir() { FOLDER } else { FILE };
        if !entry.file_type().is_symlink() && mode & wanted != wanted {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Adds these bits to the mode, and takes those away that change a program's user.
fn allow(path: &Path, bits: u32) -> Result<()> {
    let mode = fs_err::metadata(path).class(Class::Output)?.permissions().mode();
    let mode = PermissionsExt::from_mode((mode & 0o1777) | bits);
    fs_err::set_permissions(path, mode).class(Class::Output)
}

/// make compares the times of files.
fn keep_time(from: &Path, to: &Path) -> Result<()> {
    let time = fs_err::metadata(from).and_then(|meta| meta.modified()).class(Class::Output)?;
    let file = fs_err::OpenOptions::new().append(true).open(to).class(Class::Output)?;
    file.file().set_modified(time).class(Class::Output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_staged_root_is_copied_only_for_a_user_who_cannot_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let (stage, copy) = (dir.path().join("stage"), dir.path().join("copy"));
        fs_err::create_dir_all(stage.join("etc")).unwrap();
        fs_err::write(stage.join("etc/x"), "x").unwrap();
        fs_err::os::unix::fs::symlink("/no/where", stage.join("link")).unwrap();
        let set = |path: &str, mode| {
            fs_err::set_permissions(stage.join(path), PermissionsExt::from_mode(mode)).unwrap();
        };
        set("", 0o755);
        set("etc", 0o755);
        set("etc/x", 0o644);
        let own = geteuid().as_raw();
        let as_user = |uid| readable_by(User { uid, gid: uid }, &stage, &copy).unwrap();
        assert_eq!(as_user(own + 1), stage);
        set("etc/x", 0o600);
        assert_eq!(as_user(own), stage);
        assert_eq!(as_user(own + 1), copy);
        let mode = |path: &Path| fs_err::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode(&copy.join("etc/x")), mode(&stage.join("etc/x"))), (0o644, 0o600));
        assert_eq!(fs_err::read_link(copy.join("link")).unwrap(), Path::new("/no/where"));
        let time = |path: PathBuf| fs_err::metadata(path).unwrap().modified().unwrap();
        assert_eq!(time(copy.join("etc/x")), time(stage.join("etc/x")));
        // A folder alone is a reason, too.
        fs_err::remove_dir_all(&copy).unwrap();
        set("etc/x", 0o755);
        set("etc", 0o700);
        assert_eq!(as_user(own + 1), copy);
        assert_eq!(mode(&copy.join("etc")), 0o755);
    }
}
