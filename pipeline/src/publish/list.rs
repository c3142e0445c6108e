//! Lists the content of a folder.

use std::path::Path;

use base::failure::{Class, Classify, Result};

/// A file, folder or link below a folder.
#[derive(Clone, Debug)]
pub(super) struct FolderEntry {
    /// Its path relative to the folder.
    pub(super) name: String,
    pub(super) kind: FileType,
}

/// The kind of an entry; a link is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileType {
    File,
    Folder,
    Link,
    Other,
}

/// Everything below `dir`, by name.
pub(super) fn entries_below(dir: &Path, class: Class) -> Result<Vec<FolderEntry>> {
    let mut entries = Vec::new();
    for entry in walkdir::WalkDir::new(dir).min_depth(1).sort_by_file_name() {
        let entry = entry.map_err(std::io::Error::from).class(class)?;
        let name = entry.path().strip_prefix(dir).unwrap_or(entry.path());
        let kind = match entry.file_type() {
            kind if kind.is_file() => FileType::File,
            kind if kind.is_dir() => FileType::Folder,
            kind if kind.is_symlink() => FileType::Link,
            _ => FileType::Other,
        };
        entries.push(FolderEntry { name: name.to_string_lossy().into_owned(), kind });
    }
    Ok(entries)
}

/// The paths of all files below `dir`, relative to it, by name.
pub(super) fn files_below(dir: &Path) -> Result<Vec<String>> {
    let entries = entries_below(dir, Class::Output)?.into_iter();
    Ok(entries.filter(|e| e.kind != FileType::Folder).map(|e| e.name).collect())
}
