//! A folder as a source: what is in it, without what git keeps beside or leaves out; its identity
//! by content; and a copy of it.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
};

use walkdir::WalkDir;

use super::{
    git,
    links::leads_out,
    unpack::{Times, clear, new_folder, set_mode, set_time},
};
use crate::{
    failure::{Class, Classify, Failure, Result},
    key::{Key, KeyBuilder, Stamps},
};

/// What is in a folder.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    root: PathBuf,
    items: BTreeMap<PathBuf, Item>,
}

#[derive(Clone, Debug)]
enum Item {
    Dir,
    File { executable: bool },
    Link(PathBuf),
}

impl Folder {
    /// Looks at the folder `root`.
    pub(super) fn read(root: &Path) -> Result<Self> {
        let root = fs_err::canonicalize(root).class(Class::Source)?;
        if !root.is_dir() {
            let message = format!("{} is no folder", root.display());
            return Err(Failure::new(Class::Source, message));
        }
        let mut own = Self { items: BTreeMap::new(), root };
        own.list(Path::new(""))?;
        own.check_links()?;
        Ok(own)
    }

    /// Lists what is in the folder `dir` of it. A git work tree says itself what belongs to it.
    fn list(&mut self, dir: &Path) -> Result<()> {
        let at = self.root.join(dir);
        if fs_err::symlink_metadata(at.join(".git")).is_ok() {
            for file in git::work_tree(&at)? {
                let path = dir.join(file);
                match fs_err::symlink_metadata(self.root.join(&path)) {
                    // A submodule, or a repository of its own.
                    Ok(meta) if meta.is_dir() => {
                        self.add(path.clone())?;
                        self.list(&path)?;
                    }
                    Ok(_) => self.add(path)?,
                    // Removed, and not committed yet.
                    Err(_) => {}
                }
            }
            return Ok(());
        }
        let is_git = |e: &walkdir::DirEntry| e.file_name() == OsStr::new(".git");
        let walk = WalkDir::new(&at).min_depth(1).into_iter().filter_entry(|e| !is_git(e));
        for entry in walk {
            let entry = entry.map_err(std::io::Error::from).class(Class::Source)?;
            let path = entry.path().strip_prefix(&self.root).unwrap_or(entry.path());
            self.add(path.to_owned())?;
        }
        Ok(())
    }

    fn add(&mut self, path: PathBuf) -> Result<()> {
        let at = self.root.join(&path);
        let meta = fs_err::symlink_metadata(&at).class(Class::Source)?;
        let item = if meta.is_dir() {
            Item::Dir
        } else if meta.is_file() {
            Item::File { executable: meta.mode() & 0o100 != 0 }
        } else if meta.is_symlink() {
            Item::Link(fs_err::read_link(&at).class(Class::Source)?)
        } else {
            let message = format!("{} is neither a file nor a folder nor a link", at.display());
            return Err(Failure::new(Class::Source, message));
        };
        for above in path.ancestors().skip(1).filter(|p| *p != Path::new("")) {
            self.items.entry(above.to_owned()).or_insert(Item::Dir);
        }
        self.items.insert(path, item);
        Ok(())
    }

    fn check_links(&self) -> Result<()> {
        let link_at = |path: &Path| match self.items.get(path) {
            Some(Item::Link(target)) => Some(target.as_path()),
            _ => None,
        };
        for (path, item) in &self.items {
            if let Item::Link(target) = item
                && leads_out(path, target, link_at)
            {
                let (at, target) = (self.root.join(path), target.display());
                let message = format!("the link {} leads out of it, to {target}", at.display());
                return Err(Failure::new(Class::Source, message)
                    .help("a source may hold links to what is in it, and no others"));
            }
        }
        Ok(())
    }

    /// What tells it from others, and what it looked like then.
    pub(super) fn key(&self) -> Result<(Key, Stamps)> {
        let mut key = KeyBuilder::new("folder", 1);
        for (path, item) in &self.items {
            // No two names look alike when they are quoted.
            let name = format!("{path:?}");
            key = match item {
                Item::Dir => key.text("folder", &name),
                Item::File { .. } => key.file(&name, &self.root.join(path))?,
                Item::Link(target) => key.text("link", &name).text("to", &format!("{target:?}")),
            };
        }
        Ok(key.finish_with_stamps())
    }

    /// Copies it into the folder `into`, which is made if need be, and has to be empty.
    pub(super) fn copy(&self, into: &Path) -> Result<()> {
        new_folder(into)?;
        let copied = self.copy_items(into);
        if copied.is_err() {
            let _ = clear(into);
        }
        copied
    }

    fn copy_items(&self, into: &Path) -> Result<()> {
        for (path, item) in &self.items {
            let (from, to) = (self.root.join(path), into.join(path));
            match item {
                Item::Dir => fs_err::create_dir(&to).class(Class::Output)?,
                Item::File { executable } => {
                    fs_err::copy(&from, &to).class(Class::Output)?;
                    set_mode(&to, *executable)?;
                }
                Item::Link(target) => {
                    fs_err::os::unix::fs::symlink(target, &to).class(Class::Output)?;
                }
            }
        }
        self.copy_times(into)
    }

    fn copy_times(&self, into: &Path) -> Result<()> {
        let all = self.items.iter().rev().map(|(path, item)| (path.as_path(), item));
        let mut metas = Vec::new();
        for (path, item) in all.chain([(Path::new(""), &Item::Dir)]) {
            let meta = fs_err::symlink_metadata(self.root.join(path)).class(Class::Source)?;
            metas.push((into.join(path), item, meta));
        }
        let times = Times::of(metas.iter().map(|(.., m)| m.mtime()));
        // Children come before the folder that they are in.
        for (to, item, meta) in metas {
            if matches!(item, Item::Dir) {
                set_mode(&to, true)?;
            }
            let settled = times.settle(Some(meta.mtime()));
            let nanos = if settled == meta.mtime() { meta.mtime_nsec() } else { 0 };
            set_time(&to, settled, nanos)?;
        }
        Ok(())
    }
}

/// The paths in a list that ends each with a zero byte.
pub(super) fn zero_ended(list: &[u8]) -> impl Iterator<Item = &Path> {
    list.split(|b| *b == 0).filter(|p| !p.is_empty()).map(|p| Path::new(OsStr::from_bytes(p)))
}
