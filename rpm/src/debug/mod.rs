//! Takes debug information out of a package's programs and libraries. With `debuginfo = true` in package.toml it goes into
//! the package `NAME-debuginfo`; otherwise it is dropped.
//!
//! This happens between staging and writing: [`refine`] takes a staged root, writes the changed files
//! into a folder, and returns a root that reads them from there. The layout is that
//! of rpm 4.11's `find-debuginfo.sh`, which gdb and debuginfo-install on CentOS 7 expect:
//! `/usr/lib/debug/PATH.debug`, and under `/usr/lib/debug/.build-id/xx/` links by build-id, `yyyy`
//! to the program and `yyyy.debug` to its debug information.

mod elf;

use std::{
    collections::{BTreeMap, HashMap},
    io::BufWriter,
    path::{Path, PathBuf},
};

use rpm::{FileFlags, FileVerifyFlags};

use crate::{
    Error, Result,
    spec::{Package, Symbols},
    stage::{Entry, EntryKind, StagedRoot, check, is_of_filesystem},
};

const ROOT: &str = "/usr/lib/debug";

/// Changes `root` as [`Package::symbols`] says: strips its programs, or replaces them by their debug
/// information. New files are written to `work`, an empty folder that must exist for as long as the
/// returned root is used.
///
/// The root of a debuginfo package is empty if no file has debug information.
///
/// # Errors
/// An I/O error that names the file, or [`Error::Stage`] if the package itself asks for debug information and
/// no file has any.
pub fn refine(package: &Package, root: StagedRoot, work: &Path) -> Result<StagedRoot> {
    match package.symbols {
        Symbols::Kept => Ok(root),
        Symbols::Stripped { linked } => strip(root, linked, work),
        Symbols::DebugInfo { asked } => {
            let found = debug_root(&root, work)?;
            match found.entries.is_empty() && asked {
                true => Err(nothing(package)),
                // These names are longer than those that were checked when the files were staged.
                false => check::names(package, &found).map(|()| found),
            }
        }
    }
}

/// The staged files that have debug information, by the number of the entry. A file with several names is listed once, with
/// the first of them.
fn splittable(root: &StagedRoot) -> Result<Vec<(usize, elf::Splittable)>> {
    let mut seen = HashMap::new();
    let mut out = Vec::new();
    for (i, entry) in root.entries.iter().enumerate() {
        let EntryKind::File { source, inode, .. } = &entry.kind else { continue };
        if inode.is_some_and(|inode| seen.insert(inode, i).is_some()) {
            continue;
        }
        if let Some(found) = elf::open(source)? {
            out.push((i, found));
        }
    }
    Ok(out)
}

fn debug_name(path: &str) -> String {
    let base = path.rsplit('/').next().unwrap_or(path);
    format!("{base}.debug")
}

/// Creates a file in `work` for the entry with the number `i`.
fn create(work: &Path, i: usize, ending: &str) -> Result<(PathBuf, BufWriter<fs_err::File>)> {
    let path = work.join(format!("{i}.{ending}"));
    let file = fs_err::File::create_new(&path)?;
    Ok((path, BufWriter::with_capacity(1 << 18, file)))
}

fn strip(mut root: StagedRoot, linked: bool, work: &Path) -> Result<StagedRoot> {
    let files = splittable(&root)?;
    // Without debug sections there is no debuginfo package that a link could lead to.
    let linked = linked && files.iter().any(|(_, found)| found.has_debug_sections());
    for (i, found) in files {
        let EntryKind::File { source, inode, .. } = root.entries[i].kind.clone() else { continue };
        let name = debug_name(&root.entries[i].path);
        // The link holds the debug file's checksum, so the debug file is written here as well.
        let crc = match linked {
            true => Some(found.write_debug(&source, std::io::sink())?),
            false => None,
        };
        let (path, out) = create(work, i, "stripped")?;
        found.write_stripped(&source, crc.map(|crc| (name.as_str(), crc)), out)?;
        let size = fs_err::metadata(&path)?.len();
        let of_this_file = |j: usize, kind: &EntryKind| match kind {
            EntryKind::File { inode: other, .. } => j == i || (inode.is_some() && *other == inode),
            _ => false,
        };
        for (j, entry) in root.entries.iter_mut().enumerate() {
            if of_this_file(j, &entry.kind) {
                entry.kind = EntryKind::File { source: path.clone(), size, inode };
            }
        }
    }
    Ok(root)
}

fn nothing(package: &Package) -> Error {
    Error::stage_help(
        &package.name,
        "no file of the package has debug information",
        "compile with -g and do not strip, or take `debuginfo = true` out",
    )
}

fn debug_root(root: &StagedRoot, work: &Path) -> Result<StagedRoot> {
    let mut entries = BTreeMap::new();
    let mut any = false;
    for (i, found) in splittable(root)? {
        let entry = &root.entries[i];
        let EntryKind::File { source, .. } = &entry.kind else { continue };
        any |= found.has_debug_sections();
        let (written, out) = create(work, i, "debug")?;
        found.write_debug(source, out)?;
        let size = fs_err::metadata(&written)?.len();
        let path = format!("{ROOT}{}.debug", entry.path);
        add_file(&mut entries, &path, written, size);
        if let Some(id) = &found.build_id {
            add_links(&mut entries, id, &entry.path, &path);
        }
    }
    if !any {
        entries.clear();
    }
    Ok(StagedRoot { entries: entries.into_values().collect() })
}

fn entry(path: &str, kind: EntryKind, mode: u16) -> Entry {
    Entry {
        path: path.to_owned(),
        kind,
        mode,
        user: "root".into(),
        group: "root".into(),
        flags: FileFlags::empty(),
        caps: None,
        unverified: FileVerifyFlags::empty(),
    }
}

fn add_file(entries: &mut BTreeMap<String, Entry>, path: &str, source: PathBuf, size: u64) {
    let kind = EntryKind::File { source, size, inode: None };
    entries.insert(path.to_owned(), entry(path, kind, 0o444));
    add_folders(entries, path);
}

/// Adds the folders above `path`, except those that CentOS 7's package filesystem owns.
fn add_folders(entries: &mut BTreeMap<String, Entry>, path: &str) {
    let ends = path.match_indices('/').map(|(i, _)| i);
    for folder in ends.map(|i| &path[..i]).filter(|f| f.len() > ROOT.len()) {
        if !is_of_filesystem(folder) {
            entries
                .entry(folder.to_owned())
                .or_insert_with(|| entry(folder, EntryKind::Dir, 0o755));
        }
    }
}

/// Adds the two links by build-id. If the same program is at a second path, its links end in `.1`, and so on.
fn add_links(entries: &mut BTreeMap<String, Entry>, id: &str, program: &str, debug: &str) {
    let base = format!("{ROOT}/.build-id/{}/{}", &id[..2], &id[2..]);
    for (target, ending) in [(program, ""), (debug, ".debug")] {
        let mut path = format!("{base}{ending}");
        let mut n = 0;
        while entries.contains_key(&path) {
            n += 1;
            path = format!("{base}.{n}{ending}");
        }
        let target = relative(target, &path);
        entries.insert(path.clone(), entry(&path, EntryKind::Link { target }, 0o777));
        add_folders(entries, &path);
    }
}

/// The path from the folder of `from` to `to`, such as `../../bin/x`.
fn relative(to: &str, from: &str) -> String {
    let (to, from): (Vec<_>, Vec<_>) = (to.split('/').collect(), from.split('/').collect());
    let shared = to.iter().zip(&from).take_while(|(a, b)| a == b).count();
    let up = from.len() - 1 - shared;
    let mut parts = vec![".."; up];
    parts.extend(&to[shared..]);
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_links_lead_to_their_targets() {
        let from = "/usr/lib/debug/.build-id/ab/cdef";
        assert_eq!(relative("/usr/bin/a", from), "../../../../bin/a");
        assert_eq!(relative("/opt/x/a", from), "../../../../../opt/x/a");
        assert_eq!(relative("/usr/lib/debug/usr/bin/a.debug", from), "../../usr/bin/a.debug");
    }

    #[test]
    fn the_same_build_id_twice_gets_numbered_links() {
        let mut entries = BTreeMap::new();
        add_links(&mut entries, "abcdef", "/usr/bin/a", "/usr/lib/debug/usr/bin/a.debug");
        add_links(&mut entries, "abcdef", "/usr/bin/b", "/usr/lib/debug/usr/bin/b.debug");
        let names: Vec<_> = entries.keys().map(|k| k.trim_start_matches(ROOT)).collect();
        assert_eq!(
            names,
            [
                "/.build-id",
                "/.build-id/ab",
                "/.build-id/ab/cdef",
                "/.build-id/ab/cdef.1",
                "/.build-id/ab/cdef.1.debug",
                "/.build-id/ab/cdef.debug"
            ]
        );
    }
}
