//! Finds circles of files, and of sibling modules, in what a crate uses.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use crate::reader::Use;

/// The circles of a crate, each with the uses that make it up.
pub(crate) fn circles(uses: &BTreeSet<Use>) -> Vec<String> {
    let files: Vec<_> = uses.iter().filter(|u| !is_type_of_parent(u)).collect();
    let by_file = files.iter().map(|u| (name(&u.from), name(&u.to), *u));
    let mut found = find("files", by_file.collect());
    let folders: BTreeSet<_> = files
        .iter()
        .flat_map(|u| name(&u.from).ancestors().skip(1).map(Path::to_owned).collect::<Vec<_>>())
        .collect();
    for folder in folders {
        let inside = uses.iter().filter_map(|u| {
            let from = child_of(&folder, &u.from)?;
            let to = child_of(&folder, &u.to)?;
            (from != to).then_some((from, to, u))
        });
        let more = find("modules", inside.collect());
        found.extend(
            more.into_iter().filter(|m| !found.iter().any(|f| same(f, m))).collect::<Vec<_>>(),
        );
    }
    found
}

/// A child module may use the types that its parent's file defines while the parent uses the child:
/// the two tell one story.
fn is_type_of_parent(u: &Use) -> bool {
    let parent = name(&u.to);
    u.is_type && name(&u.from) != parent && name(&u.from).parent() == Some(&parent)
}

/// The module that a file holds: `a/mod.rs` and `a.rs` are `a`, the crate's first file is ``.
fn name(file: &Path) -> PathBuf {
    let folder = file.parent().unwrap_or(Path::new(""));
    match file.file_stem().and_then(|stem| stem.to_str()) {
        Some("lib" | "main" | "mod") | None => folder.to_owned(),
        Some(stem) => folder.join(stem),
    }
}

/// The module directly below `folder` that `file` belongs to; none for the file of `folder` itself.
fn child_of(folder: &Path, file: &Path) -> Option<PathBuf> {
    let module = name(file);
    let first = module.strip_prefix(folder).ok()?.components().next()?;
    Some(folder.join(first))
}

fn same(a: &str, b: &str) -> bool {
    let edges = |text: &str| text.lines().skip(1).map(str::to_owned).collect::<BTreeSet<_>>();
    edges(a) == edges(b)
}

/// The groups of nodes of which each leads to each other.
fn find(what: &str, edges: Vec<(PathBuf, PathBuf, &Use)>) -> Vec<String> {
    let mut next: BTreeMap<&Path, BTreeSet<&Path>> = BTreeMap::new();
    for (from, to, _) in &edges {
        next.entry(from).or_default().insert(to);
    }
    let reach: BTreeMap<_, _> = next.keys().map(|from| (*from, reachable(&next, from))).collect();
    let leads = |a: &Path, b: &Path| reach.get(a).is_some_and(|r| r.contains(b));
    let mut seen: BTreeSet<&Path> = BTreeSet::new();
    let mut out = Vec::new();
    for node in next.keys() {
        if !leads(node, node) || seen.contains(node) {
            continue;
        }
        let group: BTreeSet<&Path> =
            next.keys().copied().filter(|n| leads(node, n) && leads(n, node)).collect();
        seen.extend(&group);
        let lines = edges.iter().filter(|(a, b, _)| group.contains(&**a) && group.contains(&**b));
        let lines = lines.map(|(.., u)| {
            format!("\n  {} uses {} ({})", u.from.display(), u.to.display(), u.path)
        });
        out.push(format!("{what} use each other in a circle:{}", lines.collect::<String>()));
    }
    out
}

fn reachable<'a>(next: &BTreeMap<&'a Path, BTreeSet<&'a Path>>, from: &Path) -> BTreeSet<&'a Path> {
    let mut seen = BTreeSet::new();
    let mut todo: Vec<&Path> = next.get(from).into_iter().flatten().copied().collect();
    while let Some(node) = todo.pop() {
        if seen.insert(node) {
            todo.extend(next.get(node).into_iter().flatten());
        }
    }
    seen
}
