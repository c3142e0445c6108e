//! Opens files of unknown origin: repositories, keys, descriptions.
//!
//! Only regular files are read, because reading a FIFO or a device might never end. Each has a limit of size.
//! A file that cannot be examined is an error, and is not treated as missing.

use std::{
    io::{Error, ErrorKind, Read, Result},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// Whether a file of any kind has this name, even a link to a missing file.
///
/// # Errors
/// An I/O error that names the file, if this cannot be found out.
pub fn is_there(path: &Path) -> Result<bool> {
    match fs_err::symlink_metadata(path) {
        Ok(_) => Ok(true),
        // No file can lie below a regular file, or have a name that is too long.
        Err(e) => match e.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidFilename => {
                Ok(false)
            }
            _ => Err(e),
        },
    }
}

/// Opens a regular file, through links.
///
/// # Errors
/// An I/O error that names the file. Its kind is `NotFound` only if no file has this name; a link to a missing file gives
/// another kind.
pub fn open(path: &Path) -> Result<fs_err::File> {
    let odd =
        |what: &str| Error::new(ErrorKind::InvalidInput, format!("{} {what}", path.display()));
    let found = match fs_err::metadata(path) {
        Err(e) if e.kind() == ErrorKind::NotFound && is_there(path)? => {
            return Err(odd("is a link that leads nowhere"));
        }
        found => found?,
    };
    if !found.is_file() {
        return Err(odd("is not a regular file"));
    }
    let mut options = fs_err::OpenOptions::new();
    // The file may have been replaced meanwhile. Opening a pipe would wait for a writer.
    options
        .options_mut()
        .read(true)
        .custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    let file = options.open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(odd("is not a regular file")),
    }
}

/// The content of a regular file of at most `limit` bytes.
///
/// # Errors
/// As [`open`], or if it is larger.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > limit {
        true => {
            let message = format!("{} is larger than {limit} bytes", path.display());
            Err(Error::new(ErrorKind::FileTooLarge, message))
        }
        false => Ok(bytes),
    }
}

/// As [`read`], for text in UTF-8.
///
/// # Errors
/// As [`read`], or for other bytes.
pub fn read_text(path: &Path, limit: u64) -> Result<String> {
    String::from_utf8(read(path, limit)?).map_err(|_| {
        Error::new(ErrorKind::InvalidData, format!("{} is not text in UTF-8", path.display()))
    })
}

/// Limit in bytes for texts that people write: a description, a manifest, a key with many certifications.
pub const MAX_TEXT: u64 = 4 << 20;

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test may run a program as it likes")]
mod tests {
    use super::*;

    /// The error of reading a file that `make` creates, without the folder's name.
    fn says(name: &str, make: impl Fn(&Path)) -> String {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        make(&path);
        let error = read_text(&path, 8).unwrap_err().to_string();
        error.replace(dir.path().to_str().unwrap(), "")
    }

    #[test]
    fn only_regular_files_within_the_limit_are_read() {
        let fifo = |path: &Path| drop(duct::cmd!("mkfifo", path).run().unwrap());
        assert_eq!(says("fifo", fifo), "/fifo is not a regular file");
        let link =
            |to: &'static str| move |path: &Path| fs_err::os::unix::fs::symlink(to, path).unwrap();
        assert_eq!(says("zero", link("/dev/zero")), "/zero is not a regular file");
        assert_eq!(says("nowhere", link("none")), "/nowhere is a link that leads nowhere");
        let folder = |path: &Path| fs_err::create_dir(path).unwrap();
        assert_eq!(says("folder", folder), "/folder is not a regular file");
        let large = |path: &Path| fs_err::write(path, "123456789").unwrap();
        assert_eq!(says("large", large), "/large is larger than 8 bytes");
        let binary = |path: &Path| fs_err::write(path, b"\xff").unwrap();
        assert_eq!(says("binary", binary), "/binary is not text in UTF-8");
    }

    #[test]
    fn an_unreadable_file_is_not_treated_as_missing() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        assert!(!is_there(&path("none")).unwrap());
        fs_err::write(path("file"), "").unwrap();
        assert!(!is_there(&path("file/none")).unwrap());
        fs_err::os::unix::fs::symlink("loop", path("loop")).unwrap();
        assert!(is_there(&path("loop")).unwrap());
        assert!(is_there(&path("loop/none")).is_err());
        assert_eq!(read(&path("none"), 1).unwrap_err().kind(), ErrorKind::NotFound);
    }
}
