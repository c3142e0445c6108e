//! Removes discovered dependencies again: rpm's `__requires_exclude`,
//! `__provides_exclude` and their `_from` forms, and rpm's rule that documentation requires and provides
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

    /// Removes the dependencies of the file at `path` that the patterns exclude.
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

#[cfg(test)]
mod tests {
    use super::*;
    use rpm::DependencyFlags;

    use crate::spec::Dependency;

    /// What is left of the requirement `needed` and the provision `offered` of a file at this path.
    fn left(path: &str, excludes: &Excludes) -> [bool; 2] {
        let any = |name: &str| vec![Dependency::any(name, DependencyFlags::ANY)];
        let mut facts =
            FileFacts { requires: any("needed"), provides: any("offered"), ..Default::default() };
        Filter::new(excludes).apply(path, &mut facts);
        [!facts.requires.is_empty(), !facts.provides.is_empty()]
    }

    #[test]
    fn exclude_patterns_remove_dependencies() {
        let pattern = |text: &str| vec![Regex::new(text).unwrap()];
        let none = Excludes::default();
        assert_eq!(left("/usr/bin/x", &none), [true, true]);
        assert_eq!(left("/usr/share/doc/x/example", &none), [false, false]);
        let requires = Excludes { requires: pattern("^need"), ..Excludes::default() };
        assert_eq!(left("/usr/bin/x", &requires), [false, true]);
        let from = Excludes { provides_from: pattern("/plugins/"), ..Excludes::default() };
        assert_eq!(left("/usr/lib64/plugins/x.so", &from), [true, false]);
        assert_eq!(left("/usr/lib64/x.so", &from), [true, true]);
    }
}
