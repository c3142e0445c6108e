//! Reads configuration files and folders, and nothing that is not one.
//!
//! A folder in /etc collects more than configuration: copies that a package
//! manager or an editor left, sockets, fifos. None of these may become a flag,
//! and a fifo must not even be opened, for that would wait for ever.

use std::ffi::OsString;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::report::Problem;

/// More than this is no configuration file.
const LARGEST: u64 = 1 << 20;

/// One thing in a configuration folder.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// A regular file, or a symbolic link to one.
    File(OsString, PathBuf),
    /// A folder, or a symbolic link to one.
    Folder(OsString, PathBuf),
    /// Something that is left alone, with the reason.
    Skipped(PathBuf, &'static str),
}

/// Everything in a folder, sorted by name; nothing if there is no such folder.
///
/// An entry that should be a file but cannot be looked at is a problem of its own.
pub(crate) fn list(folder: &Path) -> Result<Vec<Result<Entry, Problem>>, Problem> {
    let entries = match fs_err::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(&error)),
    };
    let mut names = entries
        .map(|entry| entry.map(|entry| entry.file_name()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unreadable(&error))?;
    names.sort();
    Ok(names.into_iter().map(|name| classify(folder, name)).collect())
}

fn classify(folder: &Path, name: OsString) -> Result<Entry, Problem> {
    let path = folder.join(&name);
    if let Some(why) = leftover(&name.to_string_lossy()) {
        return Ok(Entry::Skipped(path, why));
    }
    match fs_err::metadata(&path) {
        Ok(found) if found.is_file() => Ok(Entry::File(name, path)),
        Ok(found) if found.is_dir() => Ok(Entry::Folder(name, path)),
        Ok(_) => Ok(Entry::Skipped(path, "it is not a regular file")),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(Problem::new(format!(
            "{} is a symbolic link to a file that does not exist",
            path.display()
        ))
        .hint("make the file that it points to, or remove the link")),
        Err(error) => Err(unreadable(&error)),
    }
}

/// Says what left this file behind, if its name shows that something did.
fn leftover(name: &str) -> Option<&'static str> {
    const ENDINGS: &[(&str, &str)] = &[
        (".rpmnew", "it was left by a package update"),
        (".rpmsave", "it was left by a package update"),
        (".rpmorig", "it was left by a package update"),
        (".orig", "it is a backup"),
        (".bak", "it is a backup"),
        ("~", "it is an editor's backup"),
        (".swp", "it is an editor's swap file"),
    ];
    if name.starts_with('.') {
        return Some("it is hidden");
    }
    if name.starts_with('#') && name.ends_with('#') {
        return Some("it is an editor's backup");
    }
    if name.contains(".dpkg-") {
        return Some("it was left by a package update");
    }
    ENDINGS.iter().find(|(ending, _)| name.ends_with(ending)).map(|&(_, why)| why)
}

/// Reads a regular file that may be missing.
pub(crate) fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, Problem> {
    match fs_err::metadata(path) {
        Ok(found) if found.is_file() => read(path).map(Some),
        Ok(_) => Err(Problem::new(format!("{} is not a regular file", path.display()))),
        // A link into nowhere was put there by somebody: that is not "no file".
        Err(error) if error.kind() == ErrorKind::NotFound && !path.is_symlink() => Ok(None),
        Err(error) => Err(unreadable(&error)),
    }
}

/// Reads a file that is known to be a regular one.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Problem> {
    // Some files of /proc are regular, and whoever reads them waits.
    let mut options = fs_err::OpenOptions::new();
    options.read(true).options_mut().custom_flags(nix::libc::O_NONBLOCK);
    let file = options.open(path).map_err(|error| unreadable(&error))?;
    let mut content = Vec::new();
    // The limit holds while reading, not by the size that the file claims to have.
    file.take(LARGEST + 1).read_to_end(&mut content).map_err(|error| unreadable(&error))?;
    if content.len() as u64 > LARGEST {
        return Err(Problem::new(format!(
            "{} is larger than 1 MiB and cannot be configuration",
            path.display()
        ))
        .hint("for a large value, let the flag say file:///path/of/the/value"));
    }
    Ok(content)
}

fn unreadable(error: &std::io::Error) -> Problem {
    let problem = Problem::new(error.to_string());
    match error.kind() {
        ErrorKind::PermissionDenied => problem.hint("run as root, as systemd does"),
        _ => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_are_known_by_name() {
        for name in [
            "quorum.rpmnew",
            "quorum.rpmsave",
            "quorum.rpmorig",
            "quorum.orig",
            "quorum.bak",
            "quorum~",
            ".quorum.swp",
            "quorum.swp",
            ".hidden",
            "#quorum#",
            "quorum.dpkg-old",
            "quorum.dpkg-dist",
        ] {
            assert!(leftover(name).is_some(), "{name}");
        }
    }

    #[test]
    fn flags_are_no_leftovers() {
        for name in ["quorum", "?no-switch_user", "work_dir", "orig", "rpmnew", "#1"] {
            assert_eq!(leftover(name), None, "{name}");
        }
    }

    #[test]
    fn a_missing_folder_is_an_empty_one() {
        let folder = tempfile::tempdir().expect("temporary folder");
        assert_eq!(list(&folder.path().join("none")), Ok(Vec::new()));
        assert_eq!(read_if_there(&folder.path().join("none")), Ok(None));
    }

    #[test]
    fn a_folder_is_listed_by_name() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let at = |name: &str| folder.path().join(name);
        for name in ["b", "a", "C"] {
            fs_err::write(at(name), "").expect("file");
        }
        fs_err::create_dir(at("d")).expect("folder");
        let expected = vec![
            Ok(Entry::File("C".into(), at("C"))),
            Ok(Entry::File("a".into(), at("a"))),
            Ok(Entry::File("b".into(), at("b"))),
            Ok(Entry::Folder("d".into(), at("d"))),
        ];
        assert_eq!(list(folder.path()), Ok(expected));
    }

    #[test]
    fn one_mebibyte_is_read_and_a_byte_more_is_not() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("large");
        fs_err::write(&path, vec![b'x'; 1 << 20]).expect("file");
        assert_eq!(read(&path).map(|content| content.len()), Ok(1 << 20));
        fs_err::write(&path, vec![b'x'; (1 << 20) + 1]).expect("file");
        let problem = read(&path).expect_err("too large").to_string();
        assert!(problem.contains("larger than 1 MiB"), "{problem}");
    }
}
