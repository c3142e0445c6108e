//! Files that others may have put where this program, which is root, opens them: nothing endless is read, no pipe is
//! waited for.

use std::{
    io::{Error, Read, Result},
    path::Path,
};

use fs_err::os::unix::fs::OpenOptionsExt;

/// No file that is read has more: certificates, keys, modules.json.
const MAX: u64 = 1 << 20;

/// Reads a regular file to its end.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    read_up_to(path, MAX)
}

/// Reads a regular file that has no more than `max` bytes.
pub fn read_up_to(path: &Path, max: u64) -> Result<Vec<u8>> {
    let mut options = fs_err::OpenOptions::new();
    let file = options.read(true).custom_flags(nix::libc::O_NONBLOCK).open(path)?;
    let refuse = |what: &str| Err(Error::other(format!("{}: {what}", path.display())));
    if !file.metadata()?.is_file() {
        return refuse("not a regular file");
    }
    let mut content = Vec::new();
    file.take(max + 1).read_to_end(&mut content)?;
    if content.len() as u64 > max {
        return refuse(&format!("longer than {} MiB", max >> 20));
    }
    Ok(content)
}

/// Whether a path is that of a program that can be executed; the error is a text.
pub fn executable(path: &Path) -> std::result::Result<(), String> {
    let metadata = fs_err::metadata(path).map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err(format!("{}: not a regular file", path.display()));
    }
    // Not the mode alone: the mount may forbid it.
    nix::unistd::access(path, nix::unistd::AccessFlags::X_OK)
        .map_err(|errno| format!("{} cannot be executed: {}", path.display(), errno.desc()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_of_some_length_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs_err::write(at("file"), vec![b'x'; MAX as usize]).unwrap();
        assert_eq!(read(&at("file")).unwrap().len() as u64, MAX);
        fs_err::write(at("long"), vec![b'x'; MAX as usize + 1]).unwrap();
        nix::unistd::mkfifo(&at("pipe"), nix::sys::stat::Mode::S_IRUSR).unwrap();
        let cases = [
            (at("long"), "longer than"),
            (at("pipe"), "not a regular"),
            (folder.path().into(), "not a regular"),
            ("/dev/zero".into(), "not a regular"),
            (at("none"), "none"),
        ];
        for (path, why) in cases {
            let error = read(&path).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
