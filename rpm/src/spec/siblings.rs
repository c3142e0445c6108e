//! `requires = { mesos = "=" }`: exactly the version of `mesos` that the same package.toml makes, or a description that
//! its build needs.
//!
//! Packages of one build belong together: headers that do not fit the installed libraries are
//! worse than none. With `=` the author need not repeat the exact version, and cannot forget to change it. The name
//! may have the architecture, as with rpm's `%{?_isa}`: `"mesos(x86-64)" = "="`.

use std::collections::BTreeMap;

use super::{check::Checked, defaults::RELEASE, parse::suggest, printable, schema::RawPackage};

const ISA: &str = "(x86-64)";

/// The packages of one file, and of those that its build needs, by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Siblings(BTreeMap<String, Sibling>);

#[derive(Clone, Debug)]
struct Sibling {
    /// `[epoch:]version-release`; `None` if the version is missing, which [`super::resolve`] reports.
    evr: Option<String>,
    has_isa: bool,
}

impl Siblings {
    /// Adds a package.
    pub(super) fn add(&mut self, name: &str, raw: &RawPackage) {
        let epoch = raw.epoch.map(|e| format!("{e}:")).unwrap_or_default();
        let release = raw.release.as_deref().unwrap_or(RELEASE);
        let evr = raw.version.as_ref().map(|version| format!("{epoch}{version}-{release}"));
        let has_isa = raw.arch.as_deref() != Some("noarch");
        self.0.insert(name.to_owned(), Sibling { evr, has_isa });
    }

    /// Adds the packages of another file, which the build needs.
    pub(super) fn extend(&mut self, others: &Self) {
        self.0.extend(others.0.iter().map(|(name, sibling)| (name.clone(), sibling.clone())));
    }

    /// The version that `name = "="` stands for.
    pub(super) fn evr(&self, name: &str) -> Checked<&str> {
        let bare = name.strip_suffix(ISA).unwrap_or(name);
        let Some(sibling) = self.0.get(bare) else {
            let known: Vec<_> = self.0.keys().map(String::as_str).collect();
            let guess = suggest(bare, &known).unwrap_or_default();
            return Err(format!(
                "`=` without a version means a package of this file or of its `needs`, and `{}` is \
                 none; {guess}",
                printable(bare)
            ));
        };
        if bare != name && !sibling.has_isa {
            return Err(format!("{bare} is noarch and provides no `{name}`"));
        }
        sibling.evr.as_deref().ok_or_else(|| format!("{bare} has no version"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn siblings() -> Siblings {
        let mut own = Siblings::default();
        let raw = |text: &str| toml::from_str::<RawPackage>(text).unwrap();
        own.add("mesos", &raw("version = \"0.25.0\"\nepoch = 2\nrelease = \"3.el7\""));
        own.add("data", &raw("version = \"1\"\narch = \"noarch\""));
        own
    }

    #[test]
    fn an_equals_sign_stands_for_the_version_of_the_same_build() {
        assert_eq!(siblings().evr("mesos"), Ok("2:0.25.0-3.el7"));
        assert_eq!(siblings().evr("mesos(x86-64)"), Ok("2:0.25.0-3.el7"));
        assert_eq!(siblings().evr("data"), Ok("1-1.el7"));
    }

    #[test]
    fn an_equals_sign_for_an_unknown_package_is_refused() {
        let error = siblings().evr("mesoss").unwrap_err();
        assert!(error.contains("did you mean `mesos`?"), "{error}");
        assert!(siblings().evr("data(x86-64)").unwrap_err().contains("noarch"));
    }
}
