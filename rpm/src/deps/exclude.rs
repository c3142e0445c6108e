//! Discovered dependencies that are left out again: rpm's `__requires_exclude`,
//! `__provides_exclude` and their `_from` forms, and its rule that documentation needs and offers
//! nothing (macro `__global_requires_exclude_from`).

use regex::Regex;

use super::FileFacts;
use crate::spec::Excludes;

/// `%_docdir`.
const DOCUMENTATION: &str = "/usr/share/doc/";

pub(super) struct Filter<'a>(&'a Excludes);

impl<'a> Filter<'a> {
    pub(super) fn new(excludes: &'a Excludes) -> Self {
        Self(excludes)
    }

    /// Takes out what the file at `path` does not show.
    pub(super) fn apply(&self, path: &str, facts: &mut FileFacts) {
        let Excludes { requires, provides, requires_from, provides_from } = self.0;
        let is_doc = path.starts_with(DOCUMENTATION);
        let hides_requires = is_doc || any(requires_from, path);
        let hides_provides = is_doc || any(provides_from, path);
        facts.requires.retain(|d| !hides_requires && !any(requires, &d.name));
        facts.provides.retain(|d| !hides_provides && !any(provides, &d.name));
    }
}

fn any(patterns: &[Regex], text: &str) -> bool {
    patterns.iter().any(|p| p.is_match(text))
}
