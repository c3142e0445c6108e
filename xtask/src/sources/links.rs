//! Where symbolic links lead: never out of the tree that they are in, by whatever way.

use std::{
    collections::VecDeque,
    ffi::OsString,
    path::{Component, Path, PathBuf},
};

/// The kernel gives up after 40 links, so nobody gets further than this.
const HOPS: usize = 1000;

/// Whether following the link at `path` (in the tree) to `target` leaves the tree at some point.
/// `link_at` gives the target of what is a link itself. What is missing on the way counts as a
/// folder: it may be made later.
pub(super) fn leads_out<'a>(
    path: &Path,
    target: &'a Path,
    link_at: impl Fn(&Path) -> Option<&'a Path>,
) -> bool {
    let mut at: PathBuf = path.parent().unwrap_or(Path::new("")).to_owned();
    let mut todo: VecDeque<Component<'a>> = target.components().collect();
    let mut hops = 0;
    while let Some(next) = todo.pop_front() {
        match next {
            Component::RootDir | Component::Prefix(_) => return true,
            Component::CurDir => {}
            Component::ParentDir => {
                if !at.pop() {
                    return true;
                }
            }
            Component::Normal(name) => {
                at.push(name);
                let Some(further) = link_at(&at) else { continue };
                hops += 1;
                if hops > HOPS {
                    return false;
                }
                at.pop();
                for component in further.components().rev() {
                    todo.push_front(component);
                }
            }
        }
    }
    false
}

/// A path as it stands in an archive, made plain: no `.`, no double slash.
///
/// # Errors
/// What is wrong with a path that has no place in a tree.
pub(super) fn plain(bytes: &[u8]) -> Result<PathBuf, &'static str> {
    use std::os::unix::ffi::OsStringExt;
    if bytes.starts_with(b"/") {
        return Err("is an absolute path");
    }
    if bytes.contains(&0) {
        return Err("has a zero byte in its name");
    }
    // The folder that it is unpacked into needs some room as well.
    if bytes.len() > 3000 {
        return Err("has too long a path");
    }
    let mut path = PathBuf::new();
    for part in bytes.split(|b| *b == b'/') {
        match part {
            b"" | b"." => {}
            b".." => return Err("climbs out with `..`"),
            part if part.len() > 255 => return Err("has too long a name"),
            part => path.push(OsString::from_vec(part.to_vec())),
        }
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn by_whatever_way() {
        let links: BTreeMap<&Path, &Path> =
            [("top", "sub/deep"), ("sub/up", ".."), ("sub/deep/root", "../.."), ("loop", "loop/x")]
                .map(|(a, b)| (Path::new(a), Path::new(b)))
                .into();
        let out = |path: &str, target: &'static str| {
            leads_out(Path::new(path), Path::new(target), |p| links.get(p).copied())
        };
        for (path, target) in [
            ("a", "/etc/passwd"),
            ("a", ".."),
            ("sub/a", "../../x"),
            ("a", "sub/up/../x"),
            ("a", "sub/deep/root/../x"),
            ("a", "top/../../../x"),
            ("a", "missing/../../x"),
        ] {
            assert!(out(path, target), "{path} -> {target}");
        }
        for (path, target) in [
            ("a", "b"),
            ("a", "."),
            ("sub/a", "../x"),
            ("a", "sub/up/x"),
            ("a", "top/../../x"),
            ("a", "loop"),
            ("a", "missing/../x"),
        ] {
            assert!(!out(path, target), "{path} -> {target}");
        }
    }

    #[test]
    fn plain_paths() {
        assert_eq!(plain(b"./a//b/./c/"), Ok("a/b/c".into()));
        assert_eq!(plain(b"./"), Ok("".into()));
        for bad in [&b"/a"[..], b"a/../b", b"..", b"a\0b"] {
            assert!(plain(bad).is_err());
        }
        assert!(plain(&[b'a'; 256]).is_err());
    }
}
