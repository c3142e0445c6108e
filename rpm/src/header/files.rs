//! The tags of the file list: parallel arrays, one element for each path.

use rpm::{FileFlags, FileVerifyFlags, IndexTag as T};

use super::{Parts, Tags};
use crate::{
    payload::full_mode,
    stage::{Entry, EntryKind},
};

/// `PGPHASHALGO_SHA256` of RFC 4880, which FILEDIGESTALGO and its kin use.
pub(super) const SHA256: u32 = 8;

/// Writes the tags of all files. A package without files has the total size and the digest's algorithm only.
pub(super) fn write(tags: &mut Tags, parts: &Parts<'_>) {
    let entries = &parts.root.entries;
    sizes(tags, parts);
    tags.int(T::RPMTAG_FILEDIGESTALGO, SHA256);
    if entries.is_empty() {
        return;
    }
    attributes(tags, parts);
    names(tags, entries);
    classes(tags, parts);
    if entries.iter().any(|e| e.caps.is_some()) {
        tags.strings(
            T::RPMTAG_FILECAPS,
            entries.iter().map(|e| e.caps.clone().unwrap_or_default()),
        );
    }
}

fn attributes(tags: &mut Tags, parts: &Parts<'_>) {
    let entries = &parts.root.entries;
    let zeros = || entries.iter().map(|_| 0);
    tags.shorts(T::RPMTAG_FILEMODES, entries.iter().map(full_mode));
    tags.shorts(T::RPMTAG_FILERDEVS, zeros());
    tags.ints(T::RPMTAG_FILEMTIMES, entries.iter().map(|_| parts.time));
    tags.strings(T::RPMTAG_FILEDIGESTS, &parts.payload.file_digests);
    tags.strings(T::RPMTAG_FILELINKTOS, entries.iter().map(link_target));
    tags.ints(T::RPMTAG_FILEFLAGS, entries.iter().map(|e| e.flags.bits()));
    tags.strings(T::RPMTAG_FILEUSERNAME, entries.iter().map(|e| &e.user));
    tags.strings(T::RPMTAG_FILEGROUPNAME, entries.iter().map(|e| &e.group));
    tags.ints(T::RPMTAG_FILEVERIFYFLAGS, entries.iter().map(verify_flags));
    tags.ints(T::RPMTAG_FILEDEVICES, entries.iter().map(|_| 1));
    tags.ints(T::RPMTAG_FILEINODES, parts.inodes.numbers.iter().copied());
    tags.strings(T::RPMTAG_FILELANGS, entries.iter().map(|_| ""));
}

/// Writes the sizes as 64 bit numbers if one of them needs it, and otherwise as 32 bit numbers, which all versions read.
fn sizes(tags: &mut Tags, parts: &Parts<'_>) {
    let entries = &parts.root.entries;
    let own: Vec<u64> = entries.iter().map(file_size).collect();
    // A file with several names counts once. Ghosts do not count.
    let counted = |i: usize| parts.inodes.last[i] && counts(&entries[i]);
    let total: u64 = own.iter().enumerate().filter(|(i, _)| counted(*i)).map(|(_, s)| s).sum();
    match u32::try_from(total) {
        Ok(total) => tags.int(T::RPMTAG_SIZE, total),
        Err(_) => tags.push(T::RPMTAG_LONGSIZE, rpm::IndexData::Int64(vec![total])),
    }
    if entries.is_empty() {
        return;
    }
    // Staging refuses files past 4 GiB, so the 32 bit form always fits.
    tags.ints(T::RPMTAG_FILESIZES, own.iter().map(|s| *s as u32));
}

fn counts(entry: &Entry) -> bool {
    matches!(entry.kind, EntryKind::File { .. } | EntryKind::Link { .. })
}

fn file_size(entry: &Entry) -> u64 {
    match &entry.kind {
        EntryKind::File { size, .. } => *size,
        EntryKind::Link { target } => target.len() as u64,
        // The size that lstat gives for a directory depends on the build machine's file system.
        EntryKind::Dir | EntryKind::Ghost => 0,
    }
}

fn link_target(entry: &Entry) -> &str {
    match &entry.kind {
        EntryKind::Link { target } => target,
        _ => "",
    }
}

fn verify_flags(entry: &Entry) -> u32 {
    let mut flags = FileVerifyFlags::ALL_FLAGS.bits();
    if entry.flags.contains(FileFlags::GHOST) {
        // As in rpmbuild: content, size, target and time of a ghost are not verified.
        let own = FileVerifyFlags::FILEDIGEST
            | FileVerifyFlags::FILESIZE
            | FileVerifyFlags::LINKTO
            | FileVerifyFlags::MTIME;
        flags &= !own.bits();
    }
    flags & !entry.unverified.bits()
}

fn names(tags: &mut Tags, entries: &[Entry]) {
    let mut folders: Vec<&str> = Vec::new();
    let mut index = Vec::new();
    for entry in entries {
        let (folder, _) = split(&entry.path);
        // Paths are sorted, so the folder is most likely the last one of the list.
        let at = folders.iter().rposition(|f| *f == folder).unwrap_or_else(|| {
            folders.push(folder);
            folders.len() - 1
        });
        index.push(at as u32);
    }
    tags.ints(T::RPMTAG_DIRINDEXES, index);
    tags.strings(T::RPMTAG_BASENAMES, entries.iter().map(|e| split(&e.path).1));
    tags.strings(T::RPMTAG_DIRNAMES, folders);
}

fn split(path: &str) -> (&str, &str) {
    path.split_at(path.rfind('/').map_or(0, |i| i + 1))
}

fn classes(tags: &mut Tags, parts: &Parts<'_>) {
    let mut classes: Vec<&str> = Vec::new();
    let mut index = Vec::new();
    for facts in parts.facts {
        let at = classes.iter().position(|c| *c == facts.class).unwrap_or_else(|| {
            classes.push(&facts.class);
            classes.len() - 1
        });
        index.push(at as u32);
    }
    tags.ints(T::RPMTAG_FILECOLORS, parts.facts.iter().map(|f| f.color));
    tags.ints(T::RPMTAG_FILECLASS, index);
    tags.strings(T::RPMTAG_CLASSDICT, classes);
}
