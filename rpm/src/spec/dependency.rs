//! Dependencies as written in a description, `name = ">= 1.2, < 3"`, and as an RPM carries them.

use std::collections::BTreeMap;

use rpm::DependencyFlags;

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

    /// The order in which rpmbuild writes them: by name, version, flags.
    pub(crate) fn sort_key(&self) -> (&str, &str, u32) {
        (&self.name, &self.version, self.flags.bits())
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
    fn comparisons() {
        let both = read("mesos", ">= 0.25, < 0.26").unwrap();
        assert_eq!(both.len(), 2);
        assert_eq!(both[0].flags, DependencyFlags::GE);
        assert_eq!((both[1].flags, both[1].version.as_str()), (DependencyFlags::LESS, "0.26"));
        assert_eq!(read("mesos", "*").unwrap()[0].version, "");
    }

    #[test]
    fn what_rpm_4_11_cannot_read_is_refused() {
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
