//! The order in which packages are unpacked: `filesystem` and `setup` first, which have the folders and links on
//! the paths of all others, then each package after those that it requires. Cycles are cut, in order of the names.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use rpm::IndexTag;

use crate::{
    Result,
    read::{FileList, Rpm},
};

/// The first packages, in this order.
const FIRST: [&str; 2] = ["filesystem", "setup"];

/// What the order depends on.
struct Package {
    name: String,
    nevra: String,
    requires: Vec<String>,
}

/// Sorts packages into the order in which they are unpacked. It depends on the packages alone, not on their files' names.
///
/// # Errors
/// As [`Rpm::open`] and [`FileList::of`].
pub fn in_order(paths: &[PathBuf]) -> Result<Vec<&Path>> {
    let mut packages = Vec::new();
    for path in paths {
        let rpm = Rpm::open(path)?;
        let name = rpm.string(IndexTag::RPMTAG_NAME).unwrap_or_default().to_owned();
        let requires = rpm.requires().into_iter().map(|dependency| dependency.name);
        let requires = requires.filter(|name| !name.starts_with("rpmlib(")).collect();
        let mut provides: Vec<_> = rpm.provides().into_iter().map(|d| d.name).collect();
        // The list is checked: paths of a hostile package could be terabytes.
        provides.extend(FileList::of(&rpm)?.files.into_iter().map(|file| file.path));
        packages.push((Package { name, nevra: rpm.nevra(), requires }, provides, path.as_path()));
    }
    packages.sort_by(|(a, _, _), (b, _, _)| a.nevra.cmp(&b.nevra));
    let mut providers = HashMap::new();
    let mut sorted = Vec::new();
    let mut files = Vec::new();
    for (at, (package, provides, path)) in packages.into_iter().enumerate() {
        for name in provides {
            providers.entry(name).or_insert(at);
        }
        sorted.push(package);
        files.push(path);
    }
    Ok(arrange(&sorted, &providers).into_iter().map(|at| files[at]).collect())
}

/// The order, as indices of `packages`, which are sorted by NEVRA. `providers` says which package has a name or a path.
fn arrange(packages: &[Package], providers: &HashMap<String, usize>) -> Vec<usize> {
    let mut by_name: Vec<usize> = (0..packages.len()).collect();
    by_name.sort_by_key(|at| {
        let name = &packages[*at].name;
        let first = FIRST.iter().position(|first| first == name);
        (first.unwrap_or(FIRST.len()), name)
    });
    let mut visited = vec![false; packages.len()];
    let mut order = Vec::new();
    for at in by_name {
        match FIRST.contains(&packages[at].name.as_str()) {
            true => {
                visited[at] = true;
                order.push(at);
            }
            false => add_with_requirements(at, packages, providers, &mut visited, &mut order),
        }
    }
    order
}

/// A depth-first walk with a stack of its own: a chain of requirements may be long.
fn add_with_requirements(
    start: usize,
    packages: &[Package],
    providers: &HashMap<String, usize>,
    visited: &mut [bool],
    order: &mut Vec<usize>,
) {
    if std::mem::replace(&mut visited[start], true) {
        return;
    }
    // Each package with the number of its requirements that were followed.
    let mut stack = vec![(start, 0)];
    while let Some((at, next)) = stack.last_mut() {
        let Some(required) = packages[*at].requires.get(*next) else {
            order.push(*at);
            stack.pop();
            continue;
        };
        *next += 1;
        if let Some(provider) = providers.get(required)
            && !std::mem::replace(&mut visited[*provider], true)
        {
            stack.push((*provider, 0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(packages: &[(&str, &[&str])]) -> Vec<String> {
        let all: Vec<_> = packages
            .iter()
            .map(|(name, requires)| Package {
                name: (*name).to_owned(),
                nevra: (*name).to_owned(),
                requires: requires.iter().map(|r| (*r).to_owned()).collect(),
            })
            .collect();
        let providers = all.iter().enumerate().map(|(at, p)| (p.name.clone(), at)).collect();
        arrange(&all, &providers).into_iter().map(|at| all[at].name.clone()).collect()
    }

    #[test]
    fn requirements_come_first_and_cycles_are_cut() {
        let found = order(&[
            ("a", &["z", "missing"]),
            ("b", &["a", "b"]),
            ("glibc", &["libgcc"]),
            ("libgcc", &["glibc"]),
            ("setup", &["z"]),
            ("z", &["glibc"]),
            ("filesystem", &["setup"]),
        ]);
        assert_eq!(found, ["filesystem", "setup", "libgcc", "glibc", "z", "a", "b"]);
    }
}
