//! The ABI table of a root that was unpacked: its libraries, and the versions of symbols that they define.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Component, Path, PathBuf},
};

use super::{AbiTable, ld_conf};
use crate::{
    Result,
    deps::{self, EM_X86_64},
    input,
};

impl AbiTable {
    /// The libraries of the root `tree`, in folders where its dynamic linker looks. No link of the root is followed, since a link
    /// may lead out of it.
    ///
    /// # Errors
    /// An I/O error that names the file.
    pub fn of_root(tree: &Path) -> Result<Self> {
        // abi.toml of an image may name families of CentOS 7.
        let versions = Self::el7()?.versions;
        let mut table = Self { replaces: true, versions, ..Self::default() };
        for folder in folders(tree)? {
            for entry in fs_err::read_dir(folder)? {
                let entry = entry?;
                let name = entry.file_name().to_string_lossy().into_owned();
                if name.contains(".so") && entry.file_type()?.is_file() {
                    table.add(&entry.path(), &name)?;
                }
            }
        }
        Ok(table)
    }

    /// The table as a file in the form of `rpm/data/el7-abi.toml`.
    pub fn text(&self) -> String {
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let lines = |map: &BTreeMap<String, BTreeSet<String>>| -> String {
            let line = |(name, words): (&String, &BTreeSet<String>)| {
                let words: Vec<_> = words.iter().map(|word| quoted(word)).collect();
                format!("{} = [{}]\n", quoted(name), words.join(", "))
            };
            map.iter().map(line).collect()
        };
        let (versions, libraries) = (lines(&self.versions), lines(&self.libraries));
        format!("replaces = {}\n\n[versions]\n{versions}\n[libraries]\n{libraries}", self.replaces)
    }

    fn add(&mut self, path: &Path, name: &str) -> Result<()> {
        let elf = deps::read_file(path)?;
        let Some(elf) = elf.filter(|elf| elf.is_64 && elf.machine == EM_X86_64) else {
            return Ok(());
        };
        if let Some(name) = elf.name(name) {
            let versions = self.libraries.entry(name.to_owned()).or_default();
            versions.extend(elf.versions_defined.iter().cloned());
        }
        Ok(())
    }
}

/// The folders of libraries that exist in the tree.
fn folders(tree: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut all: BTreeSet<String> = ld_conf::ALWAYS.iter().map(|&folder| folder.into()).collect();
    if let Some(files) = folder_of(tree, ld_conf::FILES) {
        for entry in fs_err::read_dir(files)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                let bytes = input::read(&entry.path(), input::MAX_TEXT)?;
                let text = String::from_utf8_lossy(&bytes);
                all.extend(ld_conf::folders(&text).map(str::to_owned));
            }
        }
    }
    Ok(all.iter().filter_map(|folder| folder_of(tree, folder)).collect())
}

/// The folder of the tree at this absolute path, if there is one, and no part of the path is a link.
fn folder_of(tree: &Path, path: &str) -> Option<PathBuf> {
    let mut at = tree.to_owned();
    for part in Path::new(path.trim_start_matches('/')).components() {
        at.push(part);
        if !matches!(part, Component::Normal(_)) || at.is_symlink() || !at.is_dir() {
            return None;
        }
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::deps::Needed;

    /// A library of this machine with versions of its own.
    fn library() -> Option<PathBuf> {
        let dirs = ["/lib/x86_64-linux-gnu", "/usr/lib64", "/lib64"];
        dirs.iter().map(|dir| Path::new(dir).join("libz.so.1")).find(|path| path.exists())
    }

    #[test]
    fn a_root_has_the_libraries_of_its_folders_with_their_versions() {
        let Some(library) = library() else { return };
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path().join("tree");
        for folder in ["usr/lib64", "opt/own", "opt/other", "etc/ld.so.conf.d"] {
            fs_err::create_dir_all(tree.join(folder)).unwrap();
        }
        symlink("usr/lib64", tree.join("lib64")).unwrap();
        fs_err::write(tree.join("etc/ld.so.conf.d/own.conf"), "# own\n/opt/own\n/../out\n")
            .unwrap();
        let has = |tree: &Path, version: &str| {
            let table = AbiTable::of_root(tree).unwrap();
            table.has(&Needed { library: "libz.so.1".into(), version: version.into() })
        };
        fs_err::copy(&library, tree.join("opt/other/libz.so.1")).unwrap();
        assert_eq!(has(&tree, "ZLIB_1.2.0"), None);
        fs_err::copy(&library, tree.join("opt/own/libz.so.1.2.11")).unwrap();
        assert_eq!(has(&tree, "ZLIB_1.2.0"), Some(true));
        assert_eq!(has(&tree, "ZLIB_9"), Some(false));
        fs_err::write(tree.join("usr/lib64/libtext.so"), "INPUT(libz.so.1)\n").unwrap();
        // As a file it says the same.
        let table = AbiTable::of_root(&tree).unwrap();
        assert_eq!(table.libraries.len(), 1);
        let file = dir.path().join("abi.toml");
        fs_err::write(&file, table.text()).unwrap();
        let read = AbiTable::load(&file).unwrap();
        assert_eq!((read.replaces, read.libraries), (true, table.libraries));
    }
}
