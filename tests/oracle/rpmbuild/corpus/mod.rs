//! The corpus: each feature alone, then combined, then real trees.

mod binaries;
mod files;
mod identity;
mod real;
mod scripts;

use super::case::Case;

/// Every package, by name.
pub fn all() -> Vec<Case> {
    let parts =
        [files::cases(), identity::cases(), scripts::cases(), binaries::cases(), real::cases()];
    let all: Vec<_> = parts.into_iter().flatten().collect();
    let mut names: Vec<_> = all.iter().map(|c| c.name.as_str()).collect();
    names.sort_unstable();
    assert!(names.windows(2).all(|w| w[0] != w[1]), "two cases bear one name");
    all
}

/// The one of this name.
pub fn named(name: &str) -> Case {
    all().into_iter().find(|c| c.name == name).unwrap_or_else(|| panic!("no case {name}"))
}
