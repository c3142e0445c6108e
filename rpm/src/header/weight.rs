//! The sizes of a header's parts, for a message to an author whose header is too large.

use rpm::IndexTag as T;

use crate::read::entries;

/// The three largest parts of a header with their sizes in bytes, as a text: `list of files: 12, description: 3`.
pub(crate) fn weight(header: &[u8]) -> String {
    let mut parts: Vec<(&'static str, usize)> = Vec::new();
    for (tag, size) in entries(header) {
        let name = part(tag);
        match parts.iter_mut().find(|(part, _)| *part == name) {
            Some((_, sum)) => *sum += size,
            None => parts.push((name, size)),
        }
    }
    parts.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
    let texts: Vec<_> =
        parts.iter().take(3).map(|(name, size)| format!("{name}: {size}")).collect();
    texts.join(", ")
}

const DESCRIPTION: u32 = T::RPMTAG_DESCRIPTION as u32;
const CHANGELOG: [u32; 3] = [
    T::RPMTAG_CHANGELOGTIME as u32,
    T::RPMTAG_CHANGELOGNAME as u32,
    T::RPMTAG_CHANGELOGTEXT as u32,
];
const DEPENDENCIES: [u32; 6] = [
    T::RPMTAG_PROVIDENAME as u32,
    T::RPMTAG_PROVIDEVERSION as u32,
    T::RPMTAG_REQUIRENAME as u32,
    T::RPMTAG_REQUIREVERSION as u32,
    T::RPMTAG_CONFLICTNAME as u32,
    T::RPMTAG_OBSOLETENAME as u32,
];
const SCRIPTS: [u32; 6] = [
    T::RPMTAG_PREIN as u32,
    T::RPMTAG_POSTIN as u32,
    T::RPMTAG_PREUN as u32,
    T::RPMTAG_POSTUN as u32,
    T::RPMTAG_PRETRANS as u32,
    T::RPMTAG_POSTTRANS as u32,
];
const FILES: [u32; 14] = [
    T::RPMTAG_FILESIZES as u32,
    T::RPMTAG_FILEMODES as u32,
    T::RPMTAG_FILEMTIMES as u32,
    T::RPMTAG_FILEDIGESTS as u32,
    T::RPMTAG_FILELINKTOS as u32,
    T::RPMTAG_FILEFLAGS as u32,
    T::RPMTAG_FILEUSERNAME as u32,
    T::RPMTAG_FILEGROUPNAME as u32,
    T::RPMTAG_FILEVERIFYFLAGS as u32,
    T::RPMTAG_FILEINODES as u32,
    T::RPMTAG_BASENAMES as u32,
    T::RPMTAG_DIRNAMES as u32,
    T::RPMTAG_DIRINDEXES as u32,
    T::RPMTAG_FILECAPS as u32,
];

fn part(tag: u32) -> &'static str {
    match tag {
        DESCRIPTION => "description",
        tag if CHANGELOG.contains(&tag) => "changelog",
        tag if DEPENDENCIES.contains(&tag) => "dependencies",
        tag if SCRIPTS.contains(&tag) => "scriptlets",
        tag if FILES.contains(&tag) => "list of files",
        _ => "all else",
    }
}
