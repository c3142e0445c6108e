//! The tree: what has been created at which path, from which package, and how an entry is added.

use std::{
    collections::HashMap,
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    rc::Rc,
};

use rustix::{
    fs::{self, AtFlags, FileType, Mode, OFlags},
    io::Errno,
};

use serde::{Deserialize, Serialize};

use super::{
    inside::{Root, found, identity},
    modes,
};
use crate::{Error, Result, read::Listed, spec::printable};

/// A folder into which packages are unpacked, one after the other.
pub struct Tree {
    pub(super) path: PathBuf,
    pub(super) root: Root,
    /// All entries, by the identity of their folder and their name in it. Two paths to one place, one of them through
    /// a link, have the same key.
    nodes: HashMap<Place, Node>,
    /// A path to each folder, in the order in which they were made.
    pub(super) folders: Vec<String>,
    /// SHA-256 of files, by device and inode.
    pub(super) contents: HashMap<(u64, u64), [u8; 32]>,
    pub(super) summary: TreeSummary,
}

/// What a tree holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TreeSummary {
    /// How many packages.
    pub packages: usize,
    /// How many paths of regular files.
    pub files: usize,
    /// Bytes in the files.
    pub bytes: u64,
    /// How many devices, pipes and sockets were left out.
    pub special: usize,
    /// How many files lost their set-id bits.
    pub set_id: usize,
    /// SHA-256 over all paths with what is there, in hex; empty until [`Tree::finish`].
    pub digest: String,
}

/// A folder's identity, and a name in it.
type Place = ((u64, u64), String);

/// An entry, and the package that it came from.
struct Node {
    what: What,
    package: Rc<str>,
}

/// An entry of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A folder that no package has listed yet: a file in it came first.
    Implied,
    Folder {
        mode: u16,
        time: u32,
    },
    File {
        mode: u16,
        sha256: [u8; 32],
    },
    Link {
        target: String,
    },
}

/// A place in the tree: an open folder, and a name in it.
pub(super) struct Spot {
    pub(super) folder: OwnedFd,
    id: (u64, u64),
    pub(super) name: String,
}

impl Tree {
    /// Starts a tree in the folder `path`, which is made if it does not exist, and must be empty.
    ///
    /// # Errors
    /// An I/O error that names the folder.
    pub fn create(path: &Path) -> Result<Self> {
        fs_err::create_dir_all(path)?;
        if fs_err::read_dir(path)?.next().is_some() {
            let message = format!("{} is not empty; packages go into new folders", path.display());
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, message).into());
        }
        let root = Root::open(path).map_err(|e| named(e, path.display()))?;
        Ok(Self {
            path: path.to_owned(),
            root,
            nodes: HashMap::new(),
            folders: Vec::new(),
            contents: HashMap::new(),
            summary: TreeSummary::default(),
        })
    }

    /// The place of a path. Missing folders are made.
    pub(super) fn spot_with_folders(&mut self, path: &str, package: &Rc<str>) -> Result<Spot> {
        let (parent, _) = split(path);
        match self.root.folder(parent) {
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => self.make_folder(parent, package)?,
            Err(e) => return Err(self.unusable(parent, package, &e)),
        }
        self.spot(path).map_err(|e| self.unusable(parent, package, &e))
    }

    pub(super) fn spot(&self, path: &str) -> io::Result<Spot> {
        let (parent, name) = split(path);
        let folder = self.root.folder(parent)?;
        Ok(Spot { id: identity(&folder)?, folder, name: name.to_owned() })
    }

    fn make_folder(&mut self, path: &str, package: &Rc<str>) -> Result<()> {
        let spot = self.spot_with_folders(path, package)?;
        match fs::mkdirat(&spot.folder, &spot.name, Mode::RWXU) {
            Ok(()) => {}
            // A link with a target that does not exist, else the folder would have been found.
            Err(Errno::EXIST) => {
                return Err(self.unusable(path, package, &"it is a link to nothing"));
            }
            Err(e) => return Err(self.broken(path, e)),
        }
        self.folders.push(path.to_owned());
        self.note(&spot, What::Implied, package);
        Ok(())
    }

    /// Adds a folder, unless there is one, or a link to one.
    pub(super) fn add_folder(&mut self, file: &Listed, package: &Rc<str>) -> Result<()> {
        let what = What::Folder { mode: file.mode, time: file.time };
        if file.path == "/" {
            return self.add_root(what, package);
        }
        let spot = self.spot_with_folders(&file.path, package)?;
        match found(&spot.folder, &spot.name).map_err(|e| self.broken(&file.path, e))? {
            None => {
                self.make_folder(&file.path, package)?;
                self.note(&spot, what, package);
                Ok(())
            }
            Some(FileType::Directory) => {
                // The first package that lists a folder decides its permissions.
                if self.node(&spot) == Some(&What::Implied) {
                    self.note(&spot, what, package);
                }
                Ok(())
            }
            Some(FileType::Symlink) if self.root.folder(&file.path).is_ok() => Ok(()),
            Some(_) => Err(self.conflict(&spot, &file.path, package)),
        }
    }

    fn add_root(&mut self, what: What, package: &Rc<str>) -> Result<()> {
        let spot = self.spot("/").map_err(|e| self.broken("/", e))?;
        if self.node(&spot).is_none() {
            self.folders.push("/".into());
            self.note(&spot, what, package);
        }
        Ok(())
    }

    /// Adds a symbolic link, unless the same one is there.
    pub(super) fn add_link(
        &mut self,
        file: &Listed,
        target: &str,
        package: &Rc<str>,
    ) -> Result<()> {
        let spot = self.spot_with_folders(&file.path, package)?;
        let what = What::Link { target: target.to_owned() };
        match fs::symlinkat(target, &spot.folder, &spot.name) {
            Ok(()) => {
                modes::link(&spot.folder, &spot.name, file.time)
                    .map_err(|e| self.broken(&file.path, e))?;
                self.note(&spot, what, package);
                Ok(())
            }
            Err(Errno::EXIST) if self.node(&spot) == Some(&what) => Ok(()),
            Err(Errno::EXIST) => Err(self.conflict(&spot, &file.path, package)),
            Err(e) => Err(self.broken(&file.path, e)),
        }
    }

    /// Makes an empty file; `None` if the path exists.
    pub(super) fn create_file(&self, spot: &Spot, path: &str) -> Result<Option<fs_err::File>> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        match fs::openat(&spot.folder, &spot.name, flags | OFlags::NOFOLLOW, mode) {
            Ok(fd) => Ok(Some(fs_err::File::from_parts(fd.into(), self.whole(path)))),
            Err(Errno::EXIST) => Ok(None),
            Err(e) => Err(self.broken(path, e)),
        }
    }

    /// Adds a hard link; `false` if the path exists.
    pub(super) fn add_name(&self, of: &Spot, spot: &Spot, path: &str) -> Result<bool> {
        let flags = AtFlags::empty();
        match fs::linkat(&of.folder, &of.name, &spot.folder, &spot.name, flags) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => Ok(false),
            Err(e) => Err(self.broken(path, e)),
        }
    }

    pub(super) fn note(&mut self, spot: &Spot, what: What, package: &Rc<str>) {
        let node = Node { what, package: package.clone() };
        self.nodes.insert((spot.id, spot.name.clone()), node);
    }

    /// The entry at a place, if there is one.
    pub(super) fn node(&self, spot: &Spot) -> Option<&What> {
        self.nodes.get(&(spot.id, spot.name.clone())).map(|node| &node.what)
    }

    /// The error for two different entries at one path.
    pub(super) fn conflict(&self, spot: &Spot, path: &str, package: &Rc<str>) -> Error {
        let other = self.nodes.get(&(spot.id, spot.name.clone())).map(|node| &node.package);
        let whose = match other {
            Some(other) if other == package => {
                "which the same package has under another path".into()
            }
            Some(other) => format!("of {other}"),
            None => "which is of no package".to_owned(),
        };
        let path = printable(path);
        Error::unpack(
            &**package,
            format!("{path} of {package} differs from what exists there, {whose}"),
        )
    }

    fn unusable(&self, path: &str, package: &Rc<str>, why: &dyn std::fmt::Display) -> Error {
        let path = printable(path);
        Error::unpack(
            &**package,
            format!("{package} has files in {path}, which is not a folder: {why}"),
        )
    }

    pub(super) fn broken(&self, path: &str, error: impl Into<io::Error>) -> Error {
        named(error.into(), self.whole(path).display()).into()
    }

    pub(super) fn whole(&self, path: &str) -> PathBuf {
        self.path.join(path.trim_start_matches('/'))
    }
}

/// The folder of a path, and the name in it. The root is `.` in itself.
fn split(path: &str) -> (&str, &str) {
    match path.rsplit_once('/') {
        Some((_, "")) | None => ("", "."),
        Some(parts) => parts,
    }
}

pub(super) fn named(error: io::Error, path: impl std::fmt::Display) -> io::Error {
    io::Error::new(error.kind(), format!("{path}: {error}"))
}
