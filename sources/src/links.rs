//! Checks that symbolic links do not lead out of their tree, even through other links.

use std::{
    collections::{BTreeSet, HashMap},
    ffi::{OsStr, OsString},
    path::{Component, Components, Path, PathBuf},
};

/// Finds a link that leads out of its tree, and is not `allowed` to, and returns its path and its target. A link that leads
/// through an allowed one leads out as well.
///
/// `tree` gives folders (with `None`) and links (with their targets), sorted by path.
/// Other names on a link's way count as folders, because they may be created later.
///
/// The end of each link is computed once. So the time grows with the length of all targets together,
/// even if links lead through each other.
pub(super) fn leading_out<'a>(
    tree: impl Iterator<Item = (&'a Path, Option<&'a Path>)>,
    allowed: &BTreeSet<PathBuf>,
) -> Option<(&'a Path, &'a Path)> {
    let mut tree = Tree::of(tree);
    (0..tree.links.len()).for_each(|link| tree.follow(link));
    let refused = |directly: bool| {
        let is_outside =
            |l: &&Link<'_>| matches!(l.end, LinkEnd::Outside { direct } if direct == directly);
        tree.links.iter().filter(is_outside).find(|link| !allowed.contains(link.path))
    };
    refused(true).or_else(|| refused(false)).map(|link| (link.path, link.target))
}

const ROOT: usize = 0;

/// Folders and links, by their numbers.
struct Tree<'a> {
    /// For each folder, the number of its parent folder.
    above: Vec<usize>,
    inside: HashMap<(usize, &'a OsStr), Inside>,
    links: Vec<Link<'a>>,
}

#[derive(Clone, Copy)]
enum Inside {
    Folder(usize),
    Link(usize),
}

struct Link<'a> {
    path: &'a Path,
    target: &'a Path,
    folder: usize,
    end: LinkEnd,
}

/// The end of a link.
#[derive(Clone, Copy)]
enum LinkEnd {
    NotYetKnown,
    /// It is being followed.
    Underway,
    /// It leads through itself, and the kernel refuses to follow it.
    Nowhere,
    /// It leads out of the tree.
    Outside {
        /// Whether it does so itself, and not through another link.
        direct: bool,
    },
    At(Position),
}

/// A folder of the tree, or a number of levels below it, in folders that do not exist.
#[derive(Clone, Copy)]
struct Position {
    folder: usize,
    missing: usize,
}

/// A link that is being followed.
struct Walk<'a> {
    link: usize,
    at: Position,
    rest: Components<'a>,
}

enum WalkStep {
    Done,
    Through(usize),
    Out,
    LinkEnd,
}

impl<'a> Tree<'a> {
    fn of(items: impl Iterator<Item = (&'a Path, Option<&'a Path>)>) -> Self {
        let mut own = Self { above: vec![ROOT], inside: HashMap::new(), links: Vec::new() };
        // A folder comes before its content.
        let mut open: Vec<(&Path, usize)> = vec![(Path::new(""), ROOT)];
        for (path, target) in items {
            let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { continue };
            while open.len() > 1 && open.last().is_some_and(|(at, _)| *at != parent) {
                open.pop();
            }
            let folder = open.last().map_or(ROOT, |(_, folder)| *folder);
            let inside = match target {
                Some(target) => {
                    own.links.push(Link { path, target, folder, end: LinkEnd::NotYetKnown });
                    Inside::Link(own.links.len() - 1)
                }
                None => {
                    own.above.push(folder);
                    open.push((path, own.above.len() - 1));
                    Inside::Folder(own.above.len() - 1)
                }
            };
            own.inside.insert((folder, name), inside);
        }
        own
    }

    /// Computes the end of a link, and of all links that it leads through.
    fn follow(&mut self, link: usize) {
        if !matches!(self.links[link].end, LinkEnd::NotYetKnown) {
            return;
        }
        let mut underway = vec![self.start(link)];
        while let Some(walk) = underway.last_mut() {
            match self.step(walk) {
                WalkStep::Done => {}
                WalkStep::Out => {
                    self.links[walk.link].end = LinkEnd::Outside { direct: true };
                    underway.pop();
                    self.end_all(&mut underway, LinkEnd::Outside { direct: false });
                }
                WalkStep::LinkEnd => {
                    let at = walk.at;
                    self.links[walk.link].end = LinkEnd::At(at);
                    underway.pop();
                    if let Some(above) = underway.last_mut() {
                        above.at = at;
                    }
                }
                WalkStep::Through(next) => match self.links[next].end {
                    LinkEnd::At(at) => walk.at = at,
                    LinkEnd::NotYetKnown => {
                        let walk = self.start(next);
                        underway.push(walk);
                    }
                    LinkEnd::Underway | LinkEnd::Nowhere => {
                        self.end_all(&mut underway, LinkEnd::Nowhere);
                    }
                    LinkEnd::Outside { .. } => {
                        self.end_all(&mut underway, LinkEnd::Outside { direct: false });
                    }
                },
            }
        }
    }

    /// Ends links that are being followed, each of which leads through the next one.
    fn end_all(&mut self, underway: &mut Vec<Walk<'a>>, end: LinkEnd) {
        underway.drain(..).for_each(|walk| self.links[walk.link].end = end);
    }

    fn start(&mut self, number: usize) -> Walk<'a> {
        let link = &mut self.links[number];
        link.end = LinkEnd::Underway;
        let at = Position { folder: link.folder, missing: 0 };
        Walk { link: number, at, rest: link.target.components() }
    }

    fn step(&self, walk: &mut Walk<'a>) -> WalkStep {
        let at = &mut walk.at;
        match walk.rest.next() {
            None => return WalkStep::LinkEnd,
            Some(Component::RootDir | Component::Prefix(_)) => return WalkStep::Out,
            Some(Component::CurDir) => {}
            Some(Component::ParentDir) if at.missing > 0 => at.missing -= 1,
            Some(Component::ParentDir) if at.folder == ROOT => return WalkStep::Out,
            Some(Component::ParentDir) => at.folder = self.above[at.folder],
            Some(Component::Normal(_)) if at.missing > 0 => at.missing += 1,
            Some(Component::Normal(name)) => match self.inside.get(&(at.folder, name)) {
                Some(Inside::Folder(folder)) => at.folder = *folder,
                Some(Inside::Link(link)) => return WalkStep::Through(*link),
                None => at.missing = 1,
            },
        }
        WalkStep::Done
    }
}

/// Limit in bytes for a path or a link's target. It leaves room for the folder into which the tree is unpacked.
pub(super) const LONGEST: usize = 3000;

/// Limit for the depth of folders. Real trees have much less.
const DEEPEST: usize = 128;

/// Normalises a path from an archive: without `.` and double slashes.
///
/// # Errors
/// The reason why the path may not be in a tree.
pub(super) fn plain(bytes: &[u8]) -> Result<PathBuf, &'static str> {
    use std::os::unix::ffi::OsStringExt;
    if bytes.starts_with(b"/") {
        return Err("is an absolute path");
    }
    if bytes.contains(&0) {
        return Err("has a zero byte in its name");
    }
    if bytes.len() > LONGEST {
        return Err("has too long a path");
    }
    let mut path = PathBuf::new();
    let mut depth = 0;
    for part in bytes.split(|b| *b == b'/') {
        match part {
            b"" | b"." => {}
            b".." => return Err("climbs out with `..`"),
            part if part.len() > 255 => return Err("has too long a name"),
            _ if depth == DEEPEST => return Err("lies in more than 128 folders"),
            part => {
                path.push(OsString::from_vec(part.to_vec()));
                depth += 1;
            }
        }
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// The link that leads out of a tree with these links and the folders that contain them.
    fn out(links: &[(&str, &str)]) -> Option<String> {
        out_but(links, &[])
    }

    /// The same, if some may lead out.
    fn out_but(links: &[(&str, &str)], allowed: &[&str]) -> Option<String> {
        let mut tree: BTreeMap<&Path, Option<&Path>> = BTreeMap::new();
        for (path, target) in links {
            let folders = Path::new(*path).ancestors().skip(1).filter(|p| *p != Path::new(""));
            tree.extend(folders.map(|folder| (folder, None)));
            tree.insert(Path::new(*path), Some(Path::new(*target)));
        }
        let allowed = allowed.iter().map(PathBuf::from).collect();
        let found = leading_out(tree.into_iter(), &allowed);
        found.map(|(path, _)| path.display().to_string())
    }

    #[test]
    fn links_out_of_the_tree_are_found() {
        let others = [
            ("top", "sub/deep"),
            ("sub/up", ".."),
            ("sub/deep/root", "../.."),
            ("loop", "loop/x"),
            ("one", "two/../../.."),
            ("two", "one/x"),
        ];
        let with = |path, target| out(&[&others[..], &[(path, target)]].concat());
        for (path, target) in [
            ("a", "/etc/passwd"),
            ("a", ".."),
            ("sub/a", "../../x"),
            ("a", "sub/up/../x"),
            ("a", "sub/deep/root/../x"),
            ("a", "top/../../../x"),
            ("a", "missing/../../x"),
            ("a", "missing/x/../../../y"),
        ] {
            assert_eq!(with(path, target).as_deref(), Some(path), "{path} -> {target}");
        }
        for (path, target) in [
            ("a", "b"),
            ("a", "."),
            ("sub/a", "../x"),
            ("a", "sub/up/x"),
            ("a", "top/../../x"),
            ("a", "loop"),
            ("a", "loop/../../.."),
            ("a", "missing/../x"),
            ("a", "missing/x/../../y"),
        ] {
            assert_eq!(with(path, target), None, "{path} -> {target}");
        }
    }

    #[test]
    fn only_the_links_that_are_named_may_lead_out() {
        let links = [("a", "/etc"), ("sub/b", "../../x"), ("c", "a/passwd"), ("d", "sub")];
        assert_eq!(out_but(&links, &["a", "sub/b", "c"]), None);
        assert_eq!(out_but(&links, &["a", "c"]).as_deref(), Some("sub/b"));
        // What leads through an allowed link is outside, too.
        assert_eq!(out_but(&links, &["a", "sub/b"]).as_deref(), Some("c"));
        // Neither a folder nor another spelling allows a link.
        assert_eq!(out_but(&links, &["a", "c", "sub", "d/b"]).as_deref(), Some("sub/b"));
        // A link that leads through itself and out is followed by nobody.
        assert_eq!(out_but(&[("a", "b/x"), ("b", "a/x"), ("c", "/")], &["c"]), None);
        // Ends that were computed on the way to another link count as well.
        let chain = [("a", "b/x"), ("b", "c/y"), ("c", "/etc")];
        assert_eq!(out_but(&chain, &["a", "c"]).as_deref(), Some("b"));
        assert_eq!(out_but(&chain, &["a", "b", "c"]), None);
    }

    /// Each link leads through the previous one many times. Without remembered ends, this would take 10^300 steps.
    #[test]
    fn chains_of_links_take_linear_time() {
        let names: Vec<String> = (0..300).map(|n| format!("l{n:03}")).collect();
        let mut links: Vec<(&str, String)> = vec![("l000", ".".to_owned())];
        for pair in names.windows(2) {
            links.push((&pair[1], vec![pair[0].as_str(); 600].join("/")));
        }
        let links = |last| {
            let links = links.iter().map(|(path, target)| (*path, target.as_str()));
            links.chain([("last", last)]).collect::<Vec<_>>()
        };
        assert_eq!(out(&links("l299/x")), None);
        assert_eq!(out(&links("l299/../x")).as_deref(), Some("last"));
    }

    #[test]
    fn paths_of_archives_are_normalised() {
        assert_eq!(plain(b"./a//b/./c/"), Ok("a/b/c".into()));
        assert_eq!(plain(b"./"), Ok("".into()));
        for bad in [&b"/a"[..], b"a/../b", b"..", b"a\0b"] {
            assert!(plain(bad).is_err());
        }
        assert!(plain(&[b'a'; 256]).is_err());
        assert!(plain(&b"a/".repeat(128)).is_ok());
        assert!(plain(&b"a/".repeat(129)).is_err());
    }
}
