//! Recognises files of version control. Some of them run programs: `git status` uses the settings in `.git`, and
//! `hg status` those in `.hg`.

use std::{
    collections::{BTreeMap, BTreeSet},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

/// Whether a path is a folder of git or Mercurial, or is in one.
pub(super) fn is_in(path: &Path) -> bool {
    path.components().any(|part| is_name(part.as_os_str().as_bytes()))
}

/// Whether some file system treats a name as `.git` or `.hg`. Those of Windows and
/// macOS ignore case, spaces and dots at the end, and characters without width, and
/// have short and long names for one folder. git refuses to check out such names.
fn is_name(name: &[u8]) -> bool {
    let has = |letters: &[u8]| name.iter().any(|byte| letters.contains(byte));
    if !(has(b"gG") && has(b".~")) {
        return false;
    }
    // On Windows, `a\.git` is in the folder a, and `.git::$INDEX_ALLOCATION` is .git itself.
    name.split(|byte| *byte == b'\\').any(|part| {
        let text = String::from_utf8_lossy(part);
        let visible = text.chars().filter(|c| !has_no_width(*c));
        let plain: String =
            visible.map(|c| c.to_ascii_lowercase()).take_while(|c| *c != ':').collect();
        [".git", "git~1", ".hg", "hg~1"].contains(&plain.trim_end_matches([' ', '.']))
    })
}

/// Whether HFS+ ignores this character in names.
fn has_no_width(c: char) -> bool {
    matches!(c,
        '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}')
}

/// Paths of the settings and hooks of folders that git treats as repositories although they are not
/// called `.git`: folders with HEAD, objects and refs, or with a file that says where these are.
pub(super) fn settings_of_repositories<T>(nodes: &BTreeMap<PathBuf, T>) -> BTreeSet<PathBuf> {
    let heads = nodes.keys().filter(|path| path.file_name().is_some_and(|n| n == "HEAD"));
    let folders = heads.filter_map(|head| head.parent());
    let has = |folder: &Path, name| nodes.contains_key(&folder.join(name));
    let repositories = folders.filter(|folder| {
        has(folder, "commondir") || (has(folder, "objects") && has(folder, "refs"))
    });
    let settings = ["commondir", "config", "config.worktree", "hooks"];
    repositories
        .flat_map(|folder| settings.map(|name| folder.join(name)))
        .filter(|path| nodes.contains_key(path))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_spellings_of_dot_git_are_recognised() {
        for name in [
            ".git",
            ".GIT",
            ".Git",
            "git~1",
            "GIT~1",
            ".git ",
            ".git. .",
            ".g\u{200c}it",
            "\u{feff}.git",
            ".git::$INDEX_ALLOCATION",
            "a\\.git",
            ".git\\hooks",
            ".hg",
            ".HG",
        ] {
            assert!(is_in(&Path::new("a").join(name).join("b")), "{name:?}");
        }
        for name in [".gitignore", ".gitmodules", "git", ".git-x", "x.git", ".git~1", ".hgignore"] {
            assert!(!is_in(&Path::new("a").join(name)), "{name:?}");
        }
        assert!(!is_name(b"\xff.git"));
    }

    #[test]
    fn repositories_with_other_names_are_recognised() {
        let found = |paths: &[&str]| {
            let nodes = paths.iter().map(|p| (PathBuf::from(p), ())).collect();
            let found = settings_of_repositories(&nodes).into_iter();
            found.map(|path| path.display().to_string()).collect::<Vec<_>>()
        };
        let bare = ["HEAD", "config", "hooks", "hooks/x", "objects", "refs"];
        assert_eq!(found(&bare), ["config", "hooks"]);
        let linked = ["x/HEAD", "x/commondir", "x/config.worktree", "config"];
        assert_eq!(found(&linked), ["x/commondir", "x/config.worktree"]);
        assert_eq!(found(&["HEAD", "config", "refs"]), [""; 0]);
    }
}
