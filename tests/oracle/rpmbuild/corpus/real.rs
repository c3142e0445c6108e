//! Real trees: parts of the machine's own /usr, with their modes, links and hard links.

use std::{
    collections::HashMap,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

use walkdir::WalkDir;

use crate::rpmbuild::case::{Case, CaseFile, CaseKind};

pub fn cases() -> Vec<Case> {
    let trees = [
        ("real-doc", "/usr/share/doc", 400),
        ("real-python", "/usr/lib/python3", 300),
        ("real-perl", "/usr/share/perl", 300),
        ("real-bin", "/usr/bin", 60),
        ("real-lib", "/usr/lib/x86_64-linux-gnu", 120),
        ("real-include", "/usr/include", 400),
        ("real-zoneinfo", "/usr/share/zoneinfo", 2000),
        ("real-sbin", "/usr/sbin", 40),
        ("real-locale", "/usr/share/locale", 200),
    ];
    // For a longer look, ORACLE_FACTOR=20 takes twenty times as many files.
    let factor = std::env::var("ORACLE_FACTOR").map_or(1, |f| f.parse().unwrap());
    let there = trees.into_iter().filter(|(_, from, _)| Path::new(from).is_dir());
    there.map(|(name, from, most)| tree(name, from, most * factor)).collect()
}

/// Up to `most` of what lies below `from`, smaller files first come.
fn tree(name: &str, from: &str, most: usize) -> Case {
    const LARGEST: u64 = 400_000;
    let mut case = Case::new(name);
    let mut seen: HashMap<(u64, u64), String> = HashMap::new();
    for item in WalkDir::new(from).min_depth(1).sort_by_file_name() {
        let Ok(item) = item else { continue };
        let Ok(meta) = item.metadata() else { continue };
        let Some(path) = item.path().to_str().filter(|p| !awkward(p)) else { continue };
        if case.files.len() >= most {
            break;
        }
        let mode = (meta.permissions().mode() & 0o7777) as u16;
        let kind = if meta.is_dir() {
            CaseKind::Dir
        } else if meta.is_symlink() {
            match fs_err::read_link(item.path()).unwrap().to_str() {
                Some(target) => CaseKind::Link(target.into()),
                None => continue,
            }
        } else if meta.len() > LARGEST || !meta.is_file() {
            continue;
        } else if let Some(first) = seen.get(&(meta.dev(), meta.ino())) {
            CaseKind::Hard(first.clone())
        } else {
            seen.insert((meta.dev(), meta.ino()), path.into());
            CaseKind::Copy(path.into())
        };
        case = case.file(CaseFile::new(path, kind, mode));
    }
    case
}

/// Names that mean something else to one of the two descriptions' languages, and directories that
/// belong to CentOS 7's `filesystem`.
fn awkward(path: &str) -> bool {
    path.contains(['*', '?', '[', ']', '{', '}', '"', '\\', '\n', '%'])
        || el7rpm::stage::is_of_filesystem(path)
}
