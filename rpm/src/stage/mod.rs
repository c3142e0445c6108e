//! The staged root: the list of all paths of a package with their attributes, before the RPM is written.
//!
//! Files are taken from the checkout (relative to the folder of the description or of the crate), and from
//! the result of the compile step. A pattern or symbolic link that leads out of there is refused, so that
//! a description cannot package other files of the machine.

mod built;
pub(crate) mod check;
mod file;
mod find;
mod pattern;
mod places;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use rpm::{FileFlags, FileVerifyFlags};

pub use built::{leftover, taken};
use find::{Finder, FoundFile, Match, nothing_built};
pub use places::is_of_filesystem;

use crate::{
    Error, Result,
    spec::{Asset, Base, Content, Package, printable},
};

/// All entries of an RPM, sorted as rpm sorts them: by the bytes of their paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StagedRoot {
    pub(crate) entries: Vec<Entry>,
}

/// One path in a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Absolute path on the host.
    pub path: String,
    /// File, directory, link or ghost.
    pub kind: EntryKind,
    /// Permission bits.
    pub mode: u16,
    /// Owner.
    pub user: String,
    /// Group.
    pub group: String,
    /// `%config`, `%doc`, ...
    pub(crate) flags: FileFlags,
    /// File capabilities in libcap's notation.
    pub caps: Option<String>,
    /// Attributes that `rpm -V` does not verify.
    pub(crate) unverified: FileVerifyFlags,
}

impl Entry {
    /// An entry with the owner `root`, these permission bits, and no other attributes.
    pub fn new(path: impl Into<String>, kind: EntryKind, mode: u16) -> Self {
        Self {
            path: path.into(),
            flags: if kind == EntryKind::Ghost { FileFlags::GHOST } else { FileFlags::empty() },
            kind,
            mode,
            user: "root".into(),
            group: "root".into(),
            caps: None,
            unverified: FileVerifyFlags::empty(),
        }
    }

    fn source(&self) -> Option<&Path> {
        match &self.kind {
            EntryKind::File { source, .. } => Some(source),
            EntryKind::Dir | EntryKind::Link { .. } | EntryKind::Ghost => None,
        }
    }

    /// Whether the payload contains it: `false` for ghosts.
    pub fn is_shipped(&self) -> bool {
        !self.flags.contains(FileFlags::GHOST)
    }
}

/// The kinds of entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File {
        /// The file that its content is read from.
        source: PathBuf,
        /// Size in bytes when it was staged.
        size: u64,
        /// Device and inode, if the source has several names. Entries with the same numbers become
        /// hard links to each other.
        inode: Option<(u64, u64)>,
    },
    /// A directory.
    Dir,
    /// A symbolic link.
    Link {
        /// Its target, unresolved.
        target: String,
    },
    /// A file that the package owns but does not contain.
    Ghost,
}

/// The folders that the patterns of a package's assets are relative to.
#[derive(Clone, Debug)]
pub struct Roots {
    /// The folder of package.toml.
    pub spec: PathBuf,
    /// The checkout. Patterns with `../` may lead to other folders of it. `None`: they must stay in their own folder.
    pub workspace: Option<PathBuf>,
    /// The crate's folder.
    pub crate_dir: Option<PathBuf>,
    /// The result of the compile step: a folder with programs of a crate, or a whole staged root.
    pub build: Option<PathBuf>,
}

impl Roots {
    /// For a package whose files are all in the folder of its package.toml.
    pub fn of_folder(folder: impl Into<PathBuf>) -> Self {
        Self { spec: folder.into(), workspace: None, crate_dir: None, build: None }
    }
}

impl StagedRoot {
    /// Looks up the files of every asset, and checks the result. File contents are not read.
    ///
    /// # Errors
    /// [`Error::Source`] if a file is missing or may not be packaged; [`Error::Stage`] if two assets have the same path, or for
    /// files, names and modes that an RPM cannot or should not have; or an I/O error that names the file.
    pub fn collect(package: &Package, roots: &Roots) -> Result<Self> {
        Inputs::find(package, roots)?.complete(package, roots)
    }

    /// A root with these entries, instead of those of the package's assets.
    ///
    /// # Errors
    /// [`Error::Stage`] if two entries have the same path, or for names that an RPM cannot have.
    pub fn of(package: &Package, mut entries: Vec<Entry>) -> Result<Self> {
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        if let Some(two) = entries.windows(2).find(|two| two[0].path == two[1].path) {
            let path = printable(&two[0].path);
            return Err(Error::stage(&package.name, format!("{path} is listed twice")));
        }
        let root = Self { entries };
        check::all(package, &root)?;
        Ok(root)
    }

    /// The entries. Those of [`StagedRoot::collect`] and [`StagedRoot::of`] are sorted by path, and no two have the same path.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }
}

/// The files of a package that are known before anything is compiled. Each asset's pattern is looked up once; the result
/// of the compile step is added later.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// The entries of each asset; `None` if the compile step makes them.
    laid: Vec<Option<Vec<Laid>>>,
}

impl Inputs {
    /// Looks up the files of every asset, except those that the compile step makes. File contents are not read.
    ///
    /// # Errors
    /// As [`StagedRoot::collect`].
    pub fn find(package: &Package, roots: &Roots) -> Result<Self> {
        let from_build = |asset: &Asset| {
            matches!(
                asset.content,
                Content::Files { base: Base::Build, .. } | Content::Staged { .. }
            )
        };
        let laid = package.assets.iter().map(|asset| match from_build(asset) {
            true => Ok(None),
            false => resolve(package, asset, roots).map(Some),
        });
        Ok(Self { laid: laid.collect::<Result<_>>()? })
    }

    /// The entries, in order of the assets. Two assets may have the same path.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.laid.iter().flatten().flatten().map(|laid| &laid.entry)
    }

    /// The paths of the files whose content is read.
    pub fn sources(&self) -> impl Iterator<Item = &Path> {
        self.entries().filter_map(Entry::source)
    }

    /// A root with these entries alone, which is not checked.
    pub fn unchecked(&self) -> StagedRoot {
        StagedRoot { entries: self.entries().cloned().collect() }
    }

    /// Adds the files that the compile step has made, which are in `roots.build`, and checks the result.
    ///
    /// # Errors
    /// As [`StagedRoot::collect`].
    pub fn complete(&self, package: &Package, roots: &Roots) -> Result<StagedRoot> {
        let mut laid: BTreeMap<String, Laid> = BTreeMap::new();
        for (asset, found) in package.assets.iter().zip(&self.laid) {
            let all = match found {
                Some(found) => found.clone(),
                None => resolve(package, asset, roots)?,
            };
            for new in all {
                let path = new.entry.path.clone();
                let new = match laid.remove(&path) {
                    Some(old) => old.with(new, package)?,
                    None => new,
                };
                laid.insert(path, new);
            }
        }
        check::modes(package, laid.values())?;
        let root = StagedRoot { entries: laid.into_values().map(|l| l.entry).collect() };
        check::all(package, &root)?;
        Ok(root)
    }
}

/// An entry with facts about the asset that it comes from.
#[derive(Clone, Debug)]
struct Laid {
    entry: Entry,
    /// Whether the asset has the key `mode`.
    has_mode: bool,
    /// Whether it is a folder of a tree, and not an asset of its own.
    came_along: bool,
}

impl Laid {
    /// Chooses between two entries for the same path: an asset for a folder replaces the folder of
    /// a tree.
    fn with(self, other: Self, package: &Package) -> Result<Self> {
        let are_folders = self.entry.kind == EntryKind::Dir && other.entry.kind == EntryKind::Dir;
        match (are_folders, self.came_along, other.came_along) {
            (true, true, false) => Ok(other),
            (true, false, true) => Ok(self),
            _ if self.entry == other.entry => {
                Ok(Self { has_mode: self.has_mode || other.has_mode, ..self })
            }
            _ => Err(Error::stage(
                &package.name,
                format!("{} is put there by two assets", printable(&self.entry.path)),
            )),
        }
    }
}

fn resolve(package: &Package, asset: &Asset, roots: &Roots) -> Result<Vec<Laid>> {
    let lay = |path: String, kind: EntryKind, mode: u16, came_along: bool| {
        let entry = Entry {
            flags: file_flags(asset.flags, &path, &kind),
            path,
            kind,
            mode,
            user: asset.user.clone(),
            group: asset.group.clone(),
            caps: asset.caps.clone(),
            unverified: asset.unverified,
        };
        Laid { entry, has_mode: asset.mode.is_some(), came_along }
    };
    let one = |kind: EntryKind, usual: u16| {
        vec![lay(asset.dest.clone(), kind, asset.mode.unwrap_or(usual), false)]
    };
    Ok(match &asset.content {
        Content::Dir => {
            if is_of_filesystem(&asset.dest) {
                return Err(Error::stage_help(
                    &package.name,
                    format!("{} belongs to CentOS 7's package filesystem", asset.dest),
                    "leave the directory out; files in it may be packaged",
                ));
            }
            one(EntryKind::Dir, 0o755)
        }
        Content::Link(target) => one(EntryKind::Link { target: target.clone() }, 0o777),
        Content::Ghost => one(EntryKind::Ghost, 0o644),
        Content::Staged { pattern, exclude } => {
            let root = roots.build.as_ref().ok_or_else(|| nothing_built(package))?;
            let found = built::find(package, &fs_err::canonicalize(root)?, pattern, exclude)?;
            found.into_iter().map(|b| of_tree(asset, b.path, b.kind, b.mode, &lay)).collect()
        }
        Content::Files { pattern, base, exclude } => {
            match Finder::new(package, *base, roots, pattern)?.find(exclude)? {
                Match::File(file) => {
                    let path = named(asset, pattern);
                    vec![lay(path, file.kind, asset.mode.unwrap_or(file.mode), false)]
                }
                Match::Folder(found) => tree(asset, &named(asset, pattern), found, &lay),
                Match::Several(found) => tree(asset, folder_of(package, asset)?, found, &lay),
            }
        }
    })
}

/// Entries below `dest` for the files that were found in a folder. Folders that CentOS 7 owns are left out.
fn tree(
    asset: &Asset,
    dest: &str,
    found: Vec<FoundFile>,
    lay: &dyn Fn(String, EntryKind, u16, bool) -> Laid,
) -> Vec<Laid> {
    let place = |below: &str| match below {
        "" => dest.to_owned(),
        below => format!("{dest}/{below}"),
    };
    let all = found.into_iter().map(|f| (place(&f.below), f));
    let ours = all.filter(|(path, f)| f.kind != EntryKind::Dir || !is_of_filesystem(path));
    ours.map(|(path, f)| of_tree(asset, path, f.kind, f.mode, lay)).collect()
}

/// An entry of a tree. The asset's `mode` is for files; directories and links keep their own modes.
fn of_tree(
    asset: &Asset,
    path: String,
    kind: EntryKind,
    own: u16,
    lay: &dyn Fn(String, EntryKind, u16, bool) -> Laid,
) -> Laid {
    let is_file = matches!(kind, EntryKind::File { .. });
    let is_dir = kind == EntryKind::Dir;
    let mode = asset.mode.filter(|_| is_file);
    Laid { has_mode: mode.is_some(), ..lay(path, kind, mode.unwrap_or(own), is_dir) }
}

/// Changes the flags as rpmbuild does (`addFile` of its `files.c`): directories are neither
/// configuration nor documentation; files in documentation folders are documentation.
fn file_flags(own: FileFlags, path: &str, kind: &EntryKind) -> FileFlags {
    if *kind == EntryKind::Dir {
        return own & !(FileFlags::CONFIG | FileFlags::DOC | FileFlags::LICENSE);
    }
    match places::is_documentation(path) {
        true => own | FileFlags::DOC,
        false => own,
    }
}

/// The path of a single file or folder: in the folder `dest` if that ends in `/`, and `dest` itself otherwise.
fn named(asset: &Asset, source: &str) -> String {
    let name = source.rsplit('/').next().unwrap_or(source);
    if asset.dest.ends_with('/') { format!("{}{name}", asset.dest) } else { asset.dest.clone() }
}

/// The folder for the matches of a pattern. Folders below the fixed part of the pattern are
/// kept, as in cargo-generate-rpm.
fn folder_of<'a>(package: &Package, asset: &'a Asset) -> Result<&'a str> {
    asset.dest.strip_suffix('/').ok_or_else(|| {
        Error::stage_help(
            &package.name,
            format!("dest `{}` of a pattern must be a directory", asset.dest),
            format!("write `{}/`", asset.dest),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Spec;

    /// Stages a package with this one asset, from a folder that holds the file `x`.
    fn stage(asset: &str) -> Result<StagedRoot> {
        let dir = tempfile::tempdir()?;
        fs_err::write(dir.path().join("x"), "x")?;
        let text = format!(
            "[package.a]\nversion = \"1\"\narch = \"noarch\"\nsummary = \"s\"\nlicense = \"l\"\n\
             assets = [{asset}]\n[[changelog]]\ndate = 2015-10-21\nauthor = \"a\"\ntext = [\"t\"]\n"
        );
        let spec = Spec::parse(&text, &dir.path().join("package.toml"), dir.path())?;
        let roots = Roots::of_folder(dir.path());
        StagedRoot::collect(&spec.packages[0], &roots)
    }

    #[test]
    fn too_long_names_are_refused() {
        let file = |length| format!("{{ source = \"x\", dest = \"/opt/{}\" }}", "n".repeat(length));
        assert!(stage(&file(246)).is_ok());
        let error = stage(&file(247)).unwrap_err();
        assert!(error.to_string().contains("too long"), "{error}");
        assert!(error.help().unwrap().contains("246 bytes"));
        let dir = |length| format!("{{ dir = true, dest = \"/opt/{}\" }}", "n".repeat(length));
        assert!(stage(&dir(255)).is_ok());
        assert!(stage(&dir(256)).is_err());
        let link = |length| format!("{{ dest = \"/l\", link = \"{}\" }}", "t".repeat(length));
        assert!(stage(&link(4095)).is_ok());
        assert!(stage(&link(4096)).unwrap_err().to_string().contains("too long a target"));
    }

    #[test]
    fn files_in_documentation_folders_are_documentation() {
        let flags = |asset: &str| stage(asset).unwrap().entries[0].flags;
        assert_eq!(flags(r#"{ source = "x", dest = "/usr/share/man/man1/x.1" }"#), FileFlags::DOC);
        assert_eq!(flags(r#"{ dir = true, dest = "/usr/share/doc/x" }"#), FileFlags::empty());
        assert_eq!(flags(r#"{ dir = true, dest = "/etc/x", config = true }"#), FileFlags::empty());
    }

    #[test]
    fn unverified_accepts_rpms_words_only() {
        let asset =
            |word| format!("{{ source = \"x\", dest = \"/x\", unverified = [\"{word}\"] }}");
        let entry = stage(&asset("mtime")).unwrap().entries.remove(0);
        assert_eq!(entry.unverified, FileVerifyFlags::MTIME);
        let error = stage(&asset("mtimes")).unwrap_err().to_string();
        assert!(error.contains("did you mean `mtime`?"), "{error}");
    }
}
