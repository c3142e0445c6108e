//! The staged root: which file goes where with which attributes, before anything is written.
//!
//! Sources are looked up below three folders only (the description's, the crate's, the compile
//! step's output); a pattern or symbolic link that leads out of its folder is refused, so that a
//! description cannot pack what is none of its business.

mod built;
mod find;
mod places;

use std::{
    collections::BTreeMap,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use rpm::{FileFlags, FileVerifyFlags};

pub use built::{leftover, taken};
use find::{Finder, Found, is_pattern};
pub use places::is_of_filesystem;

use crate::{
    Error, Result,
    limits::{self, NAME, NAME_SUFFIX, PATH},
    spec::{Asset, Base, Content, Package, printable},
};

/// Everything that an RPM will hold, in the order in which rpm stores it: by path, bytewise.
#[derive(Clone, Debug)]
pub struct StagedRoot {
    /// The entries; paths are unique.
    pub entries: Vec<Entry>,
}

/// One path in a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Absolute path on the host it will be installed on.
    pub path: String,
    /// What is there.
    pub kind: Kind,
    /// Permission bits.
    pub mode: u16,
    /// Owner.
    pub user: String,
    /// Group.
    pub group: String,
    /// `%config`, `%doc`, ...
    pub flags: FileFlags,
    /// File capabilities in libcap's notation.
    pub caps: Option<String>,
    /// What `rpm -V` does not look at.
    pub unverified: FileVerifyFlags,
}

impl Entry {
    /// Whether the payload holds it: all but ghosts.
    pub fn is_shipped(&self) -> bool {
        !self.flags.contains(FileFlags::GHOST)
    }
}

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File {
        /// Where its content is read from.
        source: PathBuf,
        /// Size in bytes when it was staged.
        size: u64,
        /// Device and inode, where the source has several names: names that share them become
        /// hard links of one another.
        inode: Option<(u64, u64)>,
    },
    /// A directory.
    Dir,
    /// A symbolic link.
    Link {
        /// Its target, unresolved.
        target: String,
    },
    /// A file that is owned but not shipped.
    Ghost,
}

/// Folders that the patterns of a package's assets start from.
#[derive(Clone, Debug)]
pub struct Roots {
    /// The folder of package.toml.
    pub spec: PathBuf,
    /// The crate's folder.
    pub crate_dir: Option<PathBuf>,
    /// What the compile step produced: programs of a crate, or a whole staged root.
    pub build: Option<PathBuf>,
}

impl StagedRoot {
    /// Looks up the files of every asset.
    ///
    /// # Errors
    /// [`Error::Stage`] for a pattern that matches nothing, leads out of its folder, collides
    /// with another, or names something that an RPM cannot hold.
    pub fn collect(package: &Package, roots: &Roots) -> Result<Self> {
        let mut entries = BTreeMap::new();
        for asset in &package.assets {
            for entry in resolve(package, asset, roots)? {
                let path = entry.path.clone();
                if let Some(other) = entries.insert(path.clone(), entry.clone())
                    && other != entry
                {
                    return Err(Error::stage(
                        &package.name,
                        format!("{path} is put there by two assets"),
                    ));
                }
            }
        }
        let root = Self { entries: entries.into_values().collect() };
        root.check_parents(package)?;
        root.check_names(package)?;
        Ok(root)
    }

    /// The files that are there before anything is built: all but the build's own output.
    ///
    /// # Errors
    /// As [`StagedRoot::collect`].
    pub fn inputs(package: &Package, roots: &Roots) -> Result<Vec<PathBuf>> {
        let from_build = |a: &&Asset| {
            matches!(a.content, Content::Files { base: Base::Build, .. } | Content::Staged { .. })
        };
        let mut paths = Vec::new();
        for asset in package.assets.iter().filter(|a| !from_build(a)) {
            let entries = resolve(package, asset, roots)?;
            paths.extend(Self { entries }.sources().map(Path::to_owned));
        }
        paths.sort();
        paths.dedup();
        Ok(paths)
    }

    /// What stands below a file or a link cannot be installed.
    fn check_parents(&self, package: &Package) -> Result<()> {
        let solid = |e: &&Entry| !matches!(e.kind, Kind::Dir | Kind::Ghost);
        for entry in self.entries.iter().filter(solid) {
            let below = format!("{}/", entry.path);
            let at = self.entries.partition_point(|e| e.path < below);
            if let Some(child) = self.entries.get(at).filter(|e| e.path.starts_with(&below)) {
                return Err(Error::stage(
                    &package.name,
                    format!("{} lies below {}, which is not a directory", child.path, entry.path),
                ));
            }
        }
        Ok(())
    }

    /// What rpm cannot lay down, it does not say before the middle of an installation.
    fn check_names(&self, package: &Package) -> Result<()> {
        for entry in self.entries.iter().filter(|e| e.is_shipped()) {
            let suffix = if entry.kind == Kind::Dir { 0 } else { NAME_SUFFIX };
            let mut lengths = entry.path.split('/').rev().map(str::len);
            let own = lengths.next().unwrap_or(0) + suffix;
            let longest = lengths.max().unwrap_or(0).max(own);
            if longest > NAME || entry.path.len() + suffix > PATH {
                return Err(Error::stage_help(
                    &package.name,
                    format!("{} is too long a name to be installed", printable(&entry.path)),
                    format!(
                        "no part may have more than {} bytes, and the whole no more than {}: \
                         rpm adds {suffix} while it unpacks",
                        NAME - suffix,
                        PATH - suffix
                    ),
                ));
            }
            if matches!(&entry.kind, Kind::Link { target } if target.len() > PATH) {
                return Err(Error::stage_help(
                    &package.name,
                    format!("the link {} has too long a target", printable(&entry.path)),
                    format!("a path has at most {PATH} bytes"),
                ));
            }
        }
        Ok(())
    }

    /// The source files that this root is read from.
    pub fn sources(&self) -> impl Iterator<Item = &Path> {
        self.entries.iter().filter_map(|e| match &e.kind {
            Kind::File { source, .. } => Some(source.as_path()),
            _ => None,
        })
    }
}

fn resolve(package: &Package, asset: &Asset, roots: &Roots) -> Result<Vec<Entry>> {
    let make = |path: String, kind: Kind, default_mode: u16| Entry {
        flags: file_flags(asset.flags, &path, &kind),
        path,
        kind,
        mode: asset.mode.unwrap_or(default_mode),
        user: asset.user.clone(),
        group: asset.group.clone(),
        caps: asset.caps.clone(),
        unverified: asset.unverified,
    };
    Ok(match &asset.content {
        Content::Dir => {
            if is_of_filesystem(&asset.dest) {
                return Err(Error::stage_help(
                    &package.name,
                    format!("{} belongs to CentOS 7's package filesystem", asset.dest),
                    "leave the directory out; what lies in it may be packaged all the same",
                ));
            }
            vec![make(asset.dest.clone(), Kind::Dir, 0o755)]
        }
        Content::Link(target) => {
            vec![make(asset.dest.clone(), Kind::Link { target: target.clone() }, 0o777)]
        }
        Content::Ghost => vec![make(asset.dest.clone(), Kind::Ghost, 0o644)],
        Content::Staged { pattern, exclude } => {
            let root = roots.build.as_ref().ok_or_else(|| nothing_built(package))?;
            let found = built::find(package, &fs_err::canonicalize(root)?, pattern, exclude)?;
            found.into_iter().map(|b| staged(asset, b, &make)).collect()
        }
        Content::Files { pattern, base } => {
            let found = Finder::new(package, *base, roots)?.find(pattern)?;
            let many = is_pattern(pattern);
            let mut entries = Vec::new();
            for file in found {
                let path = destination(package, asset, &file, many)?;
                entries.push(make(path, file.kind, if file.executable { 0o755 } else { 0o644 }));
            }
            entries
        }
    })
}

/// `mode` is for files; a directory or a link keeps what is usual for it.
fn staged(asset: &Asset, built: built::Built, make: &dyn Fn(String, Kind, u16) -> Entry) -> Entry {
    let usual = match built.kind {
        Kind::Link { .. } => 0o777,
        Kind::Dir => 0o755,
        _ if built.executable => 0o755,
        _ => 0o644,
    };
    let mode = match built.kind {
        Kind::File { .. } => asset.mode.unwrap_or(usual),
        _ => usual,
    };
    Entry { mode, ..make(built.path, built.kind, usual) }
}

fn nothing_built(package: &Package) -> Error {
    Error::stage(&package.name, "an asset is taken from a build, but nothing is built")
}

/// What rpmbuild makes of the flags (`addFile` of its `files.c`): a directory is neither
/// configuration nor documentation, and what lies in a documentation folder is.
fn file_flags(own: FileFlags, path: &str, kind: &Kind) -> FileFlags {
    if *kind == Kind::Dir {
        return own & !(FileFlags::CONFIG | FileFlags::DOC | FileFlags::LICENSE);
    }
    match places::is_documentation(path) {
        true => own | FileFlags::DOC,
        false => own,
    }
}

/// Where a found file goes. Below a pattern's fixed part the folders are kept, as
/// cargo-generate-rpm keeps them.
fn destination(package: &Package, asset: &Asset, file: &Found, many: bool) -> Result<String> {
    let path = if many {
        if !asset.dest.ends_with('/') {
            return Err(Error::stage_help(
                &package.name,
                format!("dest `{}` of a pattern must be a directory", asset.dest),
                format!("write `{}/`", asset.dest),
            ));
        }
        format!("{}{}", asset.dest, file.below)
    } else if asset.dest.ends_with('/') {
        let name = file.below.rsplit('/').next().unwrap_or(&file.below);
        format!("{}{name}", asset.dest)
    } else {
        asset.dest.clone()
    };
    Ok(path)
}

/// A file that an RPM can hold.
fn regular(package: &Package, path: &Path, meta: &std::fs::Metadata) -> Result<Kind> {
    let name = path.display();
    if !meta.is_file() {
        // Opening a FIFO would wait for ever, and a device is not content.
        return Err(Error::source(
            &package.name,
            format!("{name} is not a regular file"),
            "a package is made of files; leave devices, sockets and FIFOs out",
        ));
    }
    if meta.len() > limits::FILE {
        return Err(Error::stage_help(
            &package.name,
            format!(
                "{name} has {} bytes; rpm 4.11 of CentOS 7 holds at most {} per file",
                meta.len(),
                limits::FILE
            ),
            "split or strip the file",
        ));
    }
    let inode = (meta.nlink() > 1).then(|| (meta.dev(), meta.ino()));
    Ok(Kind::File { source: path.to_owned(), size: meta.len(), inode })
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
        let roots = Roots { spec: dir.path().into(), crate_dir: None, build: None };
        StagedRoot::collect(&spec.packages[0], &roots)
    }

    #[test]
    fn names_that_rpm_cannot_lay_down_are_refused() {
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
    fn what_lies_in_a_documentation_folder_is_documentation() {
        let flags = |asset: &str| stage(asset).unwrap().entries[0].flags;
        assert_eq!(flags(r#"{ source = "x", dest = "/usr/share/man/man1/x.1" }"#), FileFlags::DOC);
        assert_eq!(flags(r#"{ dir = true, dest = "/usr/share/doc/x" }"#), FileFlags::empty());
        assert_eq!(flags(r#"{ dir = true, dest = "/etc/x", config = true }"#), FileFlags::empty());
    }

    #[test]
    fn words_for_what_is_not_verified() {
        let asset =
            |word| format!("{{ source = \"x\", dest = \"/x\", unverified = [\"{word}\"] }}");
        let entry = stage(&asset("mtime")).unwrap().entries.remove(0);
        assert_eq!(entry.unverified, FileVerifyFlags::MTIME);
        let error = stage(&asset("mtimes")).unwrap_err().to_string();
        assert!(error.contains("did you mean `mtime`?"), "{error}");
    }
}
