//! Writes a root as a tar archive, for container engines to import.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
};

use tar::{Builder, EntryType, Header};

/// Writes the tree, and `more` files or folders, each with its absolute path inside. Everything belongs to root inside.
pub(crate) fn write(tree: &Path, more: &[(PathBuf, String)], out: impl Write) -> io::Result<()> {
    let mut archive = Archive { tar: Builder::new(out), links: BTreeMap::new() };
    archive.add(tree, Path::new(""))?;
    for (outside, inside) in more {
        archive.add(outside, Path::new(inside.trim_start_matches('/')))?;
    }
    archive.tar.into_inner()?.flush()
}

struct Archive<W: Write> {
    tar: Builder<W>,
    /// Where each file that has several names was written first, by device and inode.
    links: BTreeMap<(u64, u64), PathBuf>,
}

impl<W: Write> Archive<W> {
    /// Adds a file, or a folder with all that it holds.
    fn add(&mut self, from: &Path, inside: &Path) -> io::Result<()> {
        for entry in walkdir::WalkDir::new(from).sort_by_file_name() {
            let entry = entry?;
            let rest = entry.path().strip_prefix(from).unwrap_or(entry.path());
            let name = match rest.as_os_str().is_empty() {
                true => inside.to_owned(),
                false => inside.join(rest),
            };
            if !name.as_os_str().is_empty() {
                self.entry(entry.path(), &name)?;
            }
        }
        Ok(())
    }

    fn entry(&mut self, path: &Path, name: &Path) -> io::Result<()> {
        let meta = fs_err::symlink_metadata(path)?;
        let mut header = Header::new_gnu();
        header.set_mode(meta.mode() & 0o7777);
        header.set_mtime(u64::try_from(meta.mtime()).unwrap_or_default());
        header.set_size(0);
        header.set_uid(0);
        header.set_gid(0);
        let kind = meta.file_type();
        if kind.is_dir() {
            header.set_entry_type(EntryType::Directory);
            return self.tar.append_data(&mut header, name, io::empty());
        }
        if kind.is_symlink() {
            header.set_entry_type(EntryType::Symlink);
            let target = fs_err::read_link(path)?;
            return self.link(&mut header, name, &target);
        }
        if !kind.is_file() {
            let message = format!("{} is neither file, folder nor link", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        if meta.nlink() > 1 {
            let id = (meta.dev(), meta.ino());
            if let Some(first) = self.links.get(&id).cloned() {
                header.set_entry_type(EntryType::Link);
                return self.link(&mut header, name, &first);
            }
            self.links.insert(id, name.to_owned());
        }
        header.set_entry_type(EntryType::Regular);
        header.set_size(meta.len());
        self.tar.append_data(&mut header, name, fs_err::File::open(path)?)
    }

    fn link(&mut self, header: &mut Header, name: &Path, target: &Path) -> io::Result<()> {
        // A short target is kept byte for byte; the library tidies up a long one.
        match header.set_link_name_literal(target.as_os_str().as_bytes()) {
            Ok(()) => self.tar.append_data(header, name, io::empty()),
            Err(_) => self.tar.append_link(header, name, target),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn an_archive_has_links_modes_and_further_files_and_belongs_to_root() {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path().join("tree");
        fs_err::create_dir_all(tree.join("usr/bin")).unwrap();
        fs_err::write(tree.join("usr/bin/one"), "content").unwrap();
        let mode = std::fs::Permissions::from_mode(0o755);
        fs_err::set_permissions(tree.join("usr/bin/one"), mode).unwrap();
        fs_err::hard_link(tree.join("usr/bin/one"), tree.join("usr/bin/two")).unwrap();
        symlink("./usr//bin", tree.join("bin")).unwrap();
        let long = format!("/{}", "folder/".repeat(30));
        symlink(&long, tree.join("long")).unwrap();
        fs_err::write(dir.path().join("setup.sh"), "true\n").unwrap();
        let mut bytes = Vec::new();
        let more = [(dir.path().join("setup.sh"), "/src/image/setup.sh".to_owned())];
        write(&tree, &more, &mut bytes).unwrap();

        let mut seen = Vec::new();
        for entry in tar::Archive::new(&bytes[..]).entries().unwrap() {
            let entry = entry.unwrap();
            let header = entry.header();
            assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0));
            let link = entry.link_name().unwrap().map(|link| link.display().to_string());
            let path = entry.path().unwrap().display().to_string();
            let mode = header.mode().unwrap();
            seen.push((path.trim_end_matches('/').to_owned(), header.entry_type(), mode, link));
        }
        let find = |path: &str| seen.iter().find(|entry| entry.0 == path).unwrap();
        assert_eq!(find("usr/bin/one").2, 0o755);
        assert_eq!(
            (find("usr/bin/two").1, find("usr/bin/two").3.as_deref()),
            (EntryType::Link, Some("usr/bin/one"))
        );
        assert_eq!(find("bin").3.as_deref(), Some("./usr//bin"));
        assert_eq!(
            find("long").3.as_deref().unwrap().trim_end_matches('/'),
            long.trim_end_matches('/')
        );
        assert_eq!(find("src/image/setup.sh").1, EntryType::Regular);
    }
}
