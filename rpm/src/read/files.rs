//! The files that the header of a package lists. The package may be hostile: every path is checked.

use std::collections::{HashMap, HashSet};

use rpm::IndexTag as T;

use super::Rpm;
use crate::{Error, Result, limits, spec::printable};

/// One path of a package.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Absolute, without `.`, `..` and double slashes.
    pub path: String,
    /// What it is.
    pub kind: ListedKind,
    /// Permission bits, those for set-id programs included.
    pub mode: u16,
    /// Seconds since 1970.
    pub time: u32,
    /// RPMFILE_GHOST: the package owns the path, and the payload does not hold it.
    pub is_ghost: bool,
    /// For hard links: the index in the list of the first name of the same file.
    pub same_as: Option<usize>,
}

/// The kind of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListedKind {
    /// A regular file.
    File {
        /// Bytes.
        size: u64,
        /// Its digest in hex.
        digest: String,
    },
    /// A folder.
    Folder,
    /// A symbolic link.
    Link {
        /// Where it leads.
        target: String,
    },
    /// A device, a pipe or a socket.
    Special,
}

/// The algorithm of the digests of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigestKind {
    /// The default, if the header states none.
    Md5,
    /// PGPHASHALGO_SHA1.
    Sha1,
    /// PGPHASHALGO_SHA256.
    Sha256,
    /// PGPHASHALGO_SHA512.
    Sha512,
}

impl DigestKind {
    fn of(number: u32) -> Option<Self> {
        Some(match number {
            1 => Self::Md5,
            2 => Self::Sha1,
            8 => Self::Sha256,
            10 => Self::Sha512,
            _ => return None,
        })
    }
}

/// All files of a package.
#[derive(Clone, Debug)]
pub struct FileList {
    /// In the header's order, which numbers them.
    pub files: Vec<Listed>,
    /// How their digests were taken.
    pub digest: DigestKind,
}

const GHOST: u32 = 1 << 6;

impl FileList {
    /// Reads the list; one that contradicts itself is an error.
    ///
    /// # Errors
    /// [`Error::Format`] that names the package's file.
    pub fn of(rpm: &Rpm) -> Result<Self> {
        let fail = |message: String| Error::format(rpm.path(), message);
        let columns = Columns::of(rpm).map_err(fail)?;
        let number = rpm.int(T::RPMTAG_FILEDIGESTALGO).unwrap_or(1);
        let digest = DigestKind::of(number)
            .ok_or_else(|| fail(format!("has digests of files of the unknown kind {number}")))?;
        let mut files = Vec::with_capacity(columns.names.len());
        let mut bytes = 0;
        let mut seen = HashSet::new();
        let mut links = HashMap::new();
        for at in 0..columns.names.len() {
            let mut file = columns.file(at).map_err(fail)?;
            bytes += file.path.len();
            if bytes > PATHS {
                return Err(fail("lists paths of more than 64 MiB".into()));
            }
            if !seen.insert(file.path.clone()) {
                return Err(fail(format!("lists {} twice", printable(&file.path))));
            }
            if matches!(file.kind, ListedKind::File { .. }) && !file.is_ghost {
                let inode = (columns.devices[at], columns.inodes[at]);
                file.same_as = Some(*links.entry(inode).or_insert(at));
            }
            files.push(file);
        }
        clear_single(&mut files);
        Ok(Self { files, digest })
    }
}

/// Clears `same_as` of files with one name.
fn clear_single(files: &mut [Listed]) {
    let mut count = HashMap::<usize, usize>::new();
    for first in files.iter().filter_map(|f| f.same_as) {
        *count.entry(first).or_default() += 1;
    }
    for file in files {
        file.same_as = file.same_as.filter(|first| count[first] > 1);
    }
}

/// The parallel lists of the header.
struct Columns<'a> {
    folders: Vec<&'a str>,
    folder_of: Vec<u32>,
    names: Vec<&'a str>,
    modes: Vec<u16>,
    sizes: Vec<u64>,
    digests: Vec<&'a str>,
    targets: Vec<&'a str>,
    flags: Vec<u32>,
    times: Vec<u32>,
    inodes: Vec<u32>,
    devices: Vec<u32>,
}

impl<'a> Columns<'a> {
    fn of(rpm: &'a Rpm) -> Result<Self, String> {
        let header = &rpm.metadata.header;
        if header.entry_is_present(T::RPMTAG_OLDFILENAMES) {
            return Err("lists its files as rpm did before version 4".into());
        }
        let names = rpm.strings(T::RPMTAG_BASENAMES);
        let long = header.get_entry_data_as_u64_array(T::RPMTAG_LONGFILESIZES);
        let sizes = long
            .unwrap_or_else(|_| rpm.ints(T::RPMTAG_FILESIZES).into_iter().map(u64::from).collect());
        let columns = Self {
            folders: rpm.strings(T::RPMTAG_DIRNAMES),
            folder_of: rpm.ints(T::RPMTAG_DIRINDEXES),
            modes: header.get_entry_data_as_u16_array(T::RPMTAG_FILEMODES).unwrap_or_default(),
            sizes,
            digests: rpm.strings(T::RPMTAG_FILEDIGESTS),
            targets: rpm.strings(T::RPMTAG_FILELINKTOS),
            flags: rpm.ints(T::RPMTAG_FILEFLAGS),
            times: rpm.ints(T::RPMTAG_FILEMTIMES),
            inodes: rpm.ints(T::RPMTAG_FILEINODES),
            devices: rpm.ints(T::RPMTAG_FILEDEVICES),
            names,
        };
        let lengths = [
            columns.folder_of.len(),
            columns.modes.len(),
            columns.sizes.len(),
            columns.digests.len(),
            columns.targets.len(),
            columns.flags.len(),
            columns.times.len(),
            columns.inodes.len(),
            columns.devices.len(),
        ];
        match lengths.iter().all(|length| *length == columns.names.len()) {
            true => Ok(columns),
            false => Err("has lists of files of different lengths in its header".into()),
        }
    }

    fn file(&self, at: usize) -> Result<Listed, String> {
        let folder = self.folders.get(self.folder_of[at] as usize);
        let folder = folder.ok_or("has a file in a folder that its header does not list")?;
        let path = format!("{folder}{}", self.names[at]);
        check(&path)?;
        let kind = match self.modes[at] & 0o170_000 {
            0o100_000 => {
                ListedKind::File { size: self.sizes[at], digest: self.digests[at].to_owned() }
            }
            0o040_000 => ListedKind::Folder,
            0o120_000 => ListedKind::Link { target: self.targets[at].to_owned() },
            _ => ListedKind::Special,
        };
        Ok(Listed {
            path,
            kind,
            mode: self.modes[at] & 0o7777,
            time: self.times[at],
            is_ghost: self.flags[at] & GHOST != 0,
            same_as: None,
        })
    }
}

/// The deepest path, in folders. No honest package comes near this.
const DEEPEST: usize = 128;
/// Most bytes of all paths together. Each folder is in the header once, however many files name it.
const PATHS: usize = 64 << 20;

/// Checks that a path is absolute and has no `.`, `..` or empty part.
fn check(path: &str) -> Result<(), String> {
    let refuse = |why: &str| Err(format!("lists the path `{}`, which {why}", printable(path)));
    let Some(rest) = path.strip_prefix('/') else { return refuse("is not absolute") };
    if path.len() > limits::PATH || path.contains('\0') {
        return refuse("is too long, or has a zero byte in it");
    }
    if rest.split('/').count() > DEEPEST {
        return refuse("lies in more than 128 folders");
    }
    // The root itself is listed as `/`.
    for part in rest.split('/').filter(|_| !rest.is_empty()) {
        match part {
            "" | "." | ".." => return refuse("is not plain: it has `.`, `..` or a double slash"),
            part if part.len() > limits::NAME => return refuse("has too long a name"),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_absolute_paths_are_taken() {
        for good in ["/", "/a", "/a/b..c/...", "/usr/lib64/x"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        let deep = "/a".repeat(129);
        let long = format!("/{}", "a".repeat(256));
        for bad in ["", "a", "//", "/a/", "/a//b", "/./a", "/a/../b", "/..", "/a\0b", &deep, &long]
        {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
