//! A folder as a source: the list of its files, without those of version control and those that it ignores; a key of
//! its content; and a copy.

use std::{
    collections::{BTreeMap, BTreeSet},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use el7rpm::input;
use walkdir::WalkDir;

use super::{
    git,
    links::leading_out,
    metadata,
    survey::{LEADS_OUT, LINKS_OUT_HELP},
    unpack::{Times, fill_new_folder, set_mode, set_time},
};
use base::{
    failure::{Class, Classify, Failure, Result},
    key::{Identity, KeyBuilder},
};

/// The list of files, folders and links in a folder.
#[derive(Clone, Debug)]
pub(super) struct SourceFolder {
    root: PathBuf,
    items: BTreeMap<PathBuf, Item>,
}

#[derive(Clone, Debug)]
enum Item {
    Dir,
    File { executable: bool },
    Link(PathBuf),
}

impl SourceFolder {
    /// Lists the folder `root`. `links_out`: the links that may lead out, by these paths.
    pub(super) fn read(root: &Path, links_out: &BTreeSet<PathBuf>) -> Result<Self> {
        let root = fs_err::canonicalize(root).class(Class::Source)?;
        if !root.is_dir() {
            let message = format!("{} is no folder", root.display());
            return Err(Failure::new(Class::Source, message));
        }
        let mut own = Self { items: BTreeMap::new(), root };
        own.list(Path::new(""))?;
        own.check_links(links_out)?;
        Ok(own)
    }

    /// Lists the folder `dir` of it. In a git work tree, git says which files belong to it.
    fn list(&mut self, dir: &Path) -> Result<()> {
        let at = self.root.join(dir);
        if input::is_there(&at.join(".git")).class(Class::Source)? {
            for file in git::work_tree(&at)?.into_iter().filter(|file| !metadata::is_in(file)) {
                self.list_tracked(dir.join(file))?;
            }
            return Ok(());
        }
        let is_source =
            |e: &walkdir::DirEntry| e.depth() == 0 || !metadata::is_in(Path::new(e.file_name()));
        let walk = WalkDir::new(&at).min_depth(1).into_iter().filter_entry(is_source);
        for entry in walk {
            let entry = entry.map_err(std::io::Error::from).class(Class::Source)?;
            let path = entry.path().strip_prefix(&self.root).unwrap_or(entry.path());
            self.add(path.to_owned())?;
        }
        Ok(())
    }

    /// Adds a path that git lists, unless the file was removed and the removal is not committed yet.
    fn list_tracked(&mut self, path: PathBuf) -> Result<()> {
        let at = self.root.join(&path);
        // A folder may have been replaced by a link, which leads to other files.
        let is_link = |dir: &Path| self.root.join(dir).is_symlink();
        if path.ancestors().skip(1).any(is_link) || !input::is_there(&at).class(Class::Source)? {
            return Ok(());
        }
        // A submodule or another repository.
        let is_folder = fs_err::symlink_metadata(&at).class(Class::Source)?.is_dir();
        self.add(path.clone())?;
        if is_folder { self.list(&path) } else { Ok(()) }
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

    fn check_links(&self, links_out: &BTreeSet<PathBuf>) -> Result<()> {
        let tree = self.items.iter().filter_map(|(path, item)| match item {
            Item::Dir => Some((path.as_path(), None)),
            Item::Link(target) => Some((path.as_path(), Some(target.as_path()))),
            Item::File { .. } => None,
        });
        if let Some((path, target)) = leading_out(tree, links_out) {
            let (at, target) = (self.root.join(path), target.display());
            let message = format!("the link {} {LEADS_OUT}, to {target}", at.display());
            return Err(Failure::new(Class::Source, message).help(LINKS_OUT_HELP));
        }
        Ok(())
    }

    /// Its key, with the inputs and stamps.
    pub(super) fn identity(&self) -> Result<Identity> {
        let mut key = KeyBuilder::new("folder", 1);
        for (path, item) in &self.items {
            // Quoted, two different names never look the same.
            let (name, at) = (format!("{path:?}"), self.root.join(path));
            key = match item {
                Item::Dir => key.text_of("folder", &name, &at),
                Item::File { .. } => key.file(&name, &at)?,
                Item::Link(target) => {
                    key.text_of("link", &name, &at).text_of("to", &format!("{target:?}"), &at)
                }
            };
        }
        Ok(key.identify())
    }

    /// Copies it into the folder `into`, which must be empty or not exist.
    pub(super) fn copy(&self, into: &Path) -> Result<()> {
        fill_new_folder(into, || self.copy_items(into))
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
        // Files come before the folder that they are in.
        for (to, item, meta) in metas {
            if matches!(item, Item::Dir) {
                set_mode(&to, true)?;
            }
            let settled = times.without_future(Some(meta.mtime()));
            let nanos = if settled == meta.mtime() { meta.mtime_nsec() } else { 0 };
            set_time(&to, settled, nanos)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use fs_err::os::unix::fs::symlink;

    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, file).unwrap();
        }
        dir
    }

    fn read(dir: &Path) -> Result<SourceFolder> {
        SourceFolder::read(dir, &BTreeSet::new())
    }

    fn names(folder: &SourceFolder) -> Vec<&str> {
        folder.items.keys().map(|p| p.to_str().unwrap()).collect()
    }

    fn key(dir: &tempfile::TempDir) -> base::key::Key {
        read(dir.path()).unwrap().identity().unwrap().key
    }

    #[test]
    fn the_key_of_a_folder_has_names_content_links_and_execute_bits() {
        let (one, two) = (folder(&["a", "b/c", ".git/HEAD"]), folder(&["b/c", "a"]));
        for dir in [&one, &two] {
            symlink("b/c", dir.path().join("l")).unwrap();
            fs_err::create_dir(dir.path().join("empty")).unwrap();
        }
        // git is not asked in a folder that only looks like a repository.
        fs_err::remove_dir_all(one.path().join(".git")).unwrap();
        assert_eq!(key(&one), key(&two));
        let mut seen = vec![key(&one)];
        let mut changed = |what: &str| {
            let now = key(&one);
            assert!(!seen.contains(&now), "{what}");
            seen.push(now);
        };
        fs_err::write(one.path().join("a"), "other").unwrap();
        changed("content");
        set_mode(&one.path().join("a"), true).unwrap();
        changed("execute bit");
        fs_err::remove_file(one.path().join("l")).unwrap();
        changed("no link");
        symlink("a", one.path().join("l")).unwrap();
        changed("another link");
        fs_err::remove_dir(one.path().join("empty")).unwrap();
        changed("an empty folder");
        fs_err::rename(one.path().join("b/c"), one.path().join("b/d")).unwrap();
        changed("name");
    }

    #[test]
    fn a_copied_folder_has_the_same_key() {
        let dir = folder(&["a", "b/c"]);
        symlink("../a", dir.path().join("b/l")).unwrap();
        set_time(&dir.path().join("a"), 1_000_000, 5).unwrap();
        let source = read(dir.path()).unwrap();
        let into = tempfile::tempdir().unwrap();
        source.copy(into.path()).unwrap();
        let copy = read(into.path()).unwrap();
        assert_eq!(copy.identity().unwrap().key, source.identity().unwrap().key);
        for path in ["", "a", "b", "b/c", "b/l"].map(Path::new) {
            let time = |dir: &Path| {
                let meta = fs_err::symlink_metadata(dir.join(path)).unwrap();
                (meta.mtime(), meta.mtime_nsec())
            };
            assert_eq!(time(into.path()), time(dir.path()), "{}", path.display());
        }
    }

    #[test]
    fn links_out_of_a_folder_and_devices_are_refused() {
        for target in ["/etc/passwd", "../x"] {
            let dir = folder(&["a"]);
            symlink(target, dir.path().join("l")).unwrap();
            let failure = read(dir.path()).unwrap_err();
            assert!(failure.message.contains("leads out of it"), "{failure}");
        }
        let dir = folder(&["a"]);
        symlink("/etc/passwd", dir.path().join("l")).unwrap();
        symlink("../x", dir.path().join("m")).unwrap();
        let allowed = |paths: &[&str]| paths.iter().map(PathBuf::from).collect();
        let failure = SourceFolder::read(dir.path(), &allowed(&["l"])).unwrap_err();
        assert!(failure.message.contains("/m leads out of it, to ../x"), "{failure}");
        let taken = SourceFolder::read(dir.path(), &allowed(&["l", "m"])).unwrap();
        let copy = dir.path().join("copy");
        taken.copy(&copy).unwrap();
        assert_eq!(fs_err::read_link(copy.join("l")).unwrap(), Path::new("/etc/passwd"));
        let dir = folder(&[]);
        let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("s")).unwrap();
        let failure = read(dir.path()).unwrap_err();
        assert!(failure.message.contains("neither a file"), "{failure}");
    }

    #[test]
    fn a_tracked_folder_replaced_by_a_link_is_a_link() {
        let dir = folder(&["old/x", "new/x", "new/y"]);
        let git = |args: &[&str]| {
            let mut git = base::process::Program::new("git");
            assert!(git.args(args).current_dir(dir.path()).output().unwrap().status.success());
        };
        git(&["init", "-q"]);
        git(&["add", "."]);
        fs_err::remove_dir_all(dir.path().join("old")).unwrap();
        symlink("new", dir.path().join("old")).unwrap();
        let read = read(dir.path()).unwrap();
        assert_eq!(names(&read), ["new", "new/x", "new/y", "old"]);
        read.copy(&dir.path().join("copy")).unwrap();
    }

    #[test]
    fn a_work_tree_has_the_files_that_git_lists() {
        let dir = folder(&["tracked", "gone", "new", "out/ignored", "sub/inner", "sub/out/x"]);
        fs_err::write(dir.path().join(".gitignore"), "out/\n").unwrap();
        let git = |args: &[&str], at: &Path| {
            let mut git = base::process::Program::new("git");
            assert!(git.args(args).current_dir(at).output().unwrap().status.success());
        };
        git(&["init", "-q"], dir.path());
        git(&["add", "tracked", "gone"], dir.path());
        fs_err::remove_file(dir.path().join("gone")).unwrap();
        // A repository in it, with its own .gitignore.
        git(&["init", "-q"], &dir.path().join("sub"));
        let read = read(dir.path()).unwrap();
        let all = [".gitignore", "new", "sub", "sub/inner", "sub/out", "sub/out/x", "tracked"];
        assert_eq!(names(&read), all);
    }
}
