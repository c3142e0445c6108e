//! Dependencies as written in a description, `name = ">= 1.2, < 3"`, and as an RPM carries them.

use std::{cmp::Ordering, collections::BTreeMap, fmt};

use rpm::DependencyFlags;
use rpm_version::Evr;

use super::{siblings::Siblings, words};

/// One entry of Requires, Provides, Conflicts or Obsoletes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// A package name, a path, or a capability such as `libc.so.6()(64bit)`.
    pub name: String,
    /// Comparison (`LESS`, `GREATER`, `EQUAL`) and the origin bits of rpm's `rpmds.h`.
    pub(crate) flags: DependencyFlags,
    /// `[epoch:]version[-release]`; empty if any version will do.
    pub version: String,
}

impl Dependency {
    /// A dependency on any version.
    pub(crate) fn any(name: impl Into<String>, origin: DependencyFlags) -> Self {
        Self { name: name.into(), flags: origin, version: String::new() }
    }

    /// A dependency on exactly this version.
    pub(crate) fn exact(name: impl Into<String>, version: &str, origin: DependencyFlags) -> Self {
        Self {
            name: name.into(),
            flags: origin | DependencyFlags::EQUAL,
            version: version.to_owned(),
        }
    }

    /// One on any version of what has this name: a package, a file, a capability.
    pub fn unversioned(name: impl Into<String>) -> Self {
        Self::any(name, DependencyFlags::ANY)
    }

    /// Whether a package that provides this meets `requirement`, as rpm 4.11.3's `rpmdsCompare` and yum have it:
    /// what has no version meets all, and a release is compared only if both have one.
    pub fn meets(&self, requirement: &Self) -> bool {
        let sense = DependencyFlags::LE | DependencyFlags::GE;
        let (own, wanted) = (self.flags & sense, requirement.flags & sense);
        if self.name != requirement.name {
            return false;
        }
        let is_unbound =
            |flags: DependencyFlags, version: &str| flags.is_empty() || version.is_empty();
        if is_unbound(own, &self.version) || is_unbound(wanted, &requirement.version) {
            return true;
        }
        let both = |flag| own.contains(flag) && wanted.contains(flag);
        let (less, greater) = (DependencyFlags::LESS, DependencyFlags::GREATER);
        match compare_versions(&self.version, &requirement.version) {
            Ordering::Less => own.contains(greater) || wanted.contains(less),
            Ordering::Greater => own.contains(less) || wanted.contains(greater),
            Ordering::Equal => [less, greater, DependencyFlags::EQUAL].into_iter().any(both),
        }
    }

    /// The order in which rpmbuild writes them: by name, version, flags.
    pub(crate) fn sort_key(&self) -> (&str, &str, u32) {
        (&self.name, &self.version, self.flags.bits())
    }
}

/// As rpm writes it: `mesos >= 0.25`.
impl fmt::Display for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        let signs = [
            (DependencyFlags::LESS, "<"),
            (DependencyFlags::GREATER, ">"),
            (DependencyFlags::EQUAL, "="),
        ];
        let signs: String =
            signs.iter().filter(|(flag, _)| self.flags.contains(*flag)).map(|(_, s)| *s).collect();
        match signs.is_empty() || self.version.is_empty() {
            true => Ok(()),
            false => write!(f, " {signs} {}", self.version),
        }
    }
}

fn compare_versions(a: &str, b: &str) -> Ordering {
    let (a, b) = (Evr::parse(a), Evr::parse(b));
    match a.release().is_empty() || b.release().is_empty() {
        true => Evr::new(a.epoch(), a.version(), "").cmp(&Evr::new(b.epoch(), b.version(), "")),
        false => a.cmp(&b),
    }
}

/// Reads a table of dependencies in cargo-generate-rpm's notation. In addition, `=` alone means exactly the version of
/// the package in the same file.
///
/// # Errors
/// A sentence that names the entry.
pub(super) fn from_table(
    key: &str,
    table: &BTreeMap<String, String>,
    siblings: &Siblings,
) -> Result<Vec<Dependency>, String> {
    let mut out = Vec::new();
    for (name, versions) in table {
        words::dependency_name(key, name)?;
        if matches!(versions.trim(), "" | "*") {
            out.push(Dependency::any(name, DependencyFlags::ANY));
            continue;
        }
        if versions.trim() == "=" {
            let evr = siblings.evr(name).map_err(|e| format!("{key}.{name}: {e}"))?;
            out.push(Dependency::exact(name, evr, DependencyFlags::ANY));
            continue;
        }
        for comparison in versions.split(',') {
            out.push(compare(name, comparison).map_err(|e| format!("{key}.{name}: {e}"))?);
        }
    }
    Ok(out)
}

fn compare(name: &str, text: &str) -> Result<Dependency, String> {
    let mut words = text.split_whitespace();
    let (Some(operator), Some(version), None) = (words.next(), words.next(), words.next()) else {
        return Err(format!("`{}` is not `OPERATOR VERSION`, such as `>= 1.2`", text.trim()));
    };
    let flags = match operator {
        "<" => DependencyFlags::LESS,
        "<=" => DependencyFlags::LE,
        "=" => DependencyFlags::EQUAL,
        ">=" => DependencyFlags::GE,
        ">" => DependencyFlags::GREATER,
        _ => return Err(format!("`{operator}` is none of <, <=, =, >=, >")),
    };
    words::dependency_version(name, version)?;
    Ok(Dependency { name: name.to_owned(), flags, version: version.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, versions: &str) -> Result<Vec<Dependency>, String> {
        let table = BTreeMap::from([(name.to_owned(), versions.to_owned())]);
        from_table("requires", &table, &Siblings::default())
    }

    #[test]
    fn version_comparisons_are_parsed() {
        let both = read("mesos", ">= 0.25, < 0.26").unwrap();
        assert_eq!(both.len(), 2);
        assert_eq!(both[0].flags, DependencyFlags::GE);
        assert_eq!((both[1].flags, both[1].version.as_str()), (DependencyFlags::LESS, "0.26"));
        assert_eq!(read("mesos", "*").unwrap()[0].version, "");
    }

    #[test]
    fn versions_are_compared_as_rpm_does() {
        let one = |text: &str| {
            let (name, versions) = text.split_once(' ').unwrap_or((text, "*"));
            read(name, versions).unwrap().remove(0)
        };
        let meets = |offer: &str, wanted: &str| one(offer).meets(&one(wanted));
        for (offer, wanted) in [
            ("a = 2-1", "a >= 2"),
            ("a = 2-1", "a = 2"),
            ("a = 2-1", "a = 2-1"),
            ("a = 1.10-1", "a > 1.9"),
            ("a = 1:1-1", "a > 9"),
            ("a = 0:2-1", "a = 2-1"),
            ("a = 2~rc1-1", "a < 2"),
            ("a = 2-1.el7", "a > 2-1"),
            ("a", "a >= 7"),
            ("a = 1", "a"),
            ("a >= 3", "a < 4"),
            ("a < 3", "a < 2"),
        ] {
            assert!(meets(offer, wanted), "{offer}, {wanted}");
        }
        for (offer, wanted) in [
            ("a = 1-1", "a >= 2"),
            ("a = 2-1", "a > 2"),
            ("a = 2-1", "a = 2-2"),
            ("a = 9-1", "a >= 1:1"),
            ("a = 1:1-1", "a = 1"),
            ("a = 2~rc1-1", "a >= 2"),
            ("a < 3", "a > 3"),
            ("b = 2", "a = 2"),
        ] {
            assert!(!meets(offer, wanted), "{offer}, {wanted}");
        }
        let text = one("mesos >= 0.25").to_string();
        assert_eq!((text.as_str(), one("mesos").to_string().as_str()), ("mesos >= 0.25", "mesos"));
    }

    #[test]
    fn dependencies_that_rpm_4_11_cannot_read_are_refused() {
        for (name, version) in [
            ("(a if b)", "*"),
            ("a b", "*"),
            ("a", "1.0"),
            ("a", "="),
            ("a", "~> 1"),
            ("a", ">= 1 2"),
            ("a", ">= 1^2"),
            ("", "*"),
            (".foo", "*"),
            ("@base", "*"),
            ("-foo", "*"),
            ("foo>=1.0", "*"),
            ("foo,bar", "*"),
            ("mesos%{?_isa}", "*"),
            ("/usr/bin/x", ">= 1"),
            ("a", ">= 1-2-3"),
            ("a", "= 1:2:3"),
            ("a", "= a:1"),
            ("a", "= +1:1"),
            ("a", "= 4294967296:1"),
            ("a", "= 1.0..el7"),
            ("a", "= 1-"),
            ("a", "= :1"),
        ] {
            assert!(read(name, version).is_err(), "{name} {version}");
        }
    }
}
