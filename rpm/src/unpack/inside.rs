//! Finds folders inside a root as the kernel would after chroot: links are followed, and none leads out.
//! Linux 5.6 and later have one call for it; on other kernels the path is walked here, by the same rules.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use rustix::{
    fs::{self, AtFlags, FileType, Mode, OFlags},
    io::Errno,
};

/// A folder in which paths are looked up.
pub(super) struct Root {
    fd: OwnedFd,
    /// Whether the kernel has openat2. Cleared when the call fails.
    by_kernel: AtomicBool,
}

/// How folders are opened: only to look up names in them, where there is a flag for it.
#[cfg(target_os = "linux")]
const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
#[cfg(not(target_os = "linux"))]
const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC);
/// Most links that one path may go through, as in the kernel.
const LINKS: usize = 40;
/// Most repetitions that the kernel may ask for: something was renamed meanwhile.
#[cfg(target_os = "linux")]
const AGAIN: usize = 100;

impl Root {
    /// Opens the folder itself.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let fd = fs::open(path, FOLDER, Mode::empty())?;
        Ok(Self { fd, by_kernel: AtomicBool::new(true) })
    }

    #[cfg(test)]
    pub(super) fn without_kernel(self) -> Self {
        self.by_kernel.store(false, Ordering::Relaxed);
        self
    }

    /// Opens the folder at a path inside the root.
    pub(super) fn folder(&self, path: &str) -> io::Result<OwnedFd> {
        if self.by_kernel.load(Ordering::Relaxed) {
            match self.ask(path) {
                // Kernels before 5.6, and containers whose filter does not know the call.
                Err(Errno::NOSYS | Errno::PERM) => self.by_kernel.store(false, Ordering::Relaxed),
                found => return Ok(found?),
            }
        }
        self.walk(path)
    }

    #[cfg(not(target_os = "linux"))]
    fn ask(&self, _: &str) -> Result<OwnedFd, Errno> {
        Err(Errno::NOSYS)
    }

    #[cfg(target_os = "linux")]
    fn ask(&self, path: &str) -> Result<OwnedFd, Errno> {
        use rustix::fs::ResolveFlags;
        let path = if path.is_empty() { "/" } else { path };
        let how = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let mut tries = 0;
        loop {
            match fs::openat2(&self.fd, path, FOLDER, Mode::empty(), how) {
                Err(Errno::AGAIN) if tries < AGAIN => tries += 1,
                ended => return ended,
            }
        }
    }

    fn walk(&self, path: &str) -> io::Result<OwnedFd> {
        // The open folders from the root to the current one.
        let mut inside: Vec<OwnedFd> = Vec::new();
        let mut rest = parts(path.as_bytes());
        let mut links = 0;
        while let Some(part) = rest.pop() {
            if part == b".." {
                inside.pop();
                continue;
            }
            let at = inside.last().map_or(self.fd.as_fd(), OwnedFd::as_fd);
            match step(at, &part)? {
                Step::Folder(fd) => inside.push(fd),
                Step::Link(target) => {
                    links += 1;
                    if links > LINKS {
                        return Err(Errno::LOOP.into());
                    }
                    if target.starts_with(b"/") {
                        inside.clear();
                    }
                    rest.extend(parts(&target));
                }
            }
        }
        match inside.pop() {
            Some(fd) => Ok(fd),
            None => Ok(fs::openat(&self.fd, ".", FOLDER, Mode::empty())?),
        }
    }
}

/// The parts of a path, the first one last.
fn parts(path: &[u8]) -> Vec<Vec<u8>> {
    let parts = path.split(|b| *b == b'/').filter(|part| !part.is_empty() && *part != b".");
    parts.map(<[u8]>::to_vec).rev().collect()
}

enum Step {
    Folder(OwnedFd),
    Link(Vec<u8>),
}

fn step(at: BorrowedFd<'_>, part: &[u8]) -> io::Result<Step> {
    let kind = fs::statat(at, part, AtFlags::SYMLINK_NOFOLLOW)?.st_mode;
    match FileType::from_raw_mode(kind) {
        FileType::Symlink => Ok(Step::Link(fs::readlinkat(at, part, Vec::new())?.into_bytes())),
        // A link that has taken its place meanwhile is not followed.
        _ => Ok(Step::Folder(fs::openat(at, part, FOLDER | OFlags::NOFOLLOW, Mode::empty())?)),
    }
}

/// Device and inode of a folder: the same for all paths to it.
pub(super) fn identity(folder: &OwnedFd) -> io::Result<(u64, u64)> {
    let stat = fs::fstat(folder)?;
    #[allow(clippy::unnecessary_cast, reason = "other systems have smaller numbers")]
    Ok((stat.st_dev as u64, stat.st_ino))
}

/// The type of the entry with this name in a folder, if there is one.
pub(super) fn found(folder: &OwnedFd, name: &str) -> io::Result<Option<FileType>> {
    match fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(FileType::from_raw_mode(stat.st_mode))),
        Err(Errno::NOENT) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// openat2 and the fallback find the same folder, or both find none.
    #[test]
    fn links_are_followed_inside_the_root_only() {
        let outside = tempfile::tempdir().unwrap();
        let root = outside.path().join("root");
        fs_err::create_dir_all(root.join("a/b")).unwrap();
        fs_err::create_dir_all(root.join("etc")).unwrap();
        fs_err::create_dir_all(outside.path().join("secret")).unwrap();
        fs_err::write(root.join("file"), "").unwrap();
        let link = |name: &str, target: &str| {
            fs_err::os::unix::fs::symlink(target, root.join(name)).unwrap();
        };
        link("up", "../../../..");
        link("out", outside.path().join("secret").to_str().unwrap());
        link("etc/abs", "/a/b");
        link("loop", "loop2");
        link("loop2", "loop");
        link("a/climb", "../../secret");
        link("through", "etc/abs/../../etc");
        let expect = [
            ("", Some("")),
            ("a/b", Some("a/b")),
            ("up", Some("")),
            ("up/etc", Some("etc")),
            ("etc/abs", Some("a/b")),
            ("through", Some("etc")),
            ("out", None),
            ("a/climb", None),
            ("../secret", None),
            ("../../a", Some("a")),
            ("loop", None),
            ("file", None),
            ("none", None),
        ];
        let ways = [Root::open(&root).unwrap(), Root::open(&root).unwrap().without_kernel()];
        for (path, end) in expect {
            for way in &ways {
                let found = way.folder(path).ok().map(|fd| identity(&fd).unwrap());
                let wanted = end.map(|end| {
                    let end = fs::open(root.join(end), FOLDER, Mode::empty()).unwrap();
                    identity(&end).unwrap()
                });
                assert_eq!(found, wanted, "{path}");
            }
        }
    }
}
