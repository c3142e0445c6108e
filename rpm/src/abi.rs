//! The ABI gate: no ELF file leaves that CentOS 7's dynamic linker would refuse.
//!
//! Every library that a file asks for, and every version of its symbols, must be CentOS 7's own
//! (data/el7-abi.toml) or come with the same release.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::Deserialize;

use crate::{
    Result,
    deps::{FileFacts, Needed, symbols_of},
    error::SpecError,
    stage::{Kind, StagedRoot},
};

/// What the target offers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AbiTable {
    versions: BTreeMap<String, BTreeSet<String>>,
    libraries: BTreeMap<String, Vec<String>>,
}

/// Something that a file asks for and the target does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Path in the package.
    pub file: String,
    /// SONAME of the library.
    pub library: String,
    /// The symbol version; `None` if the library itself is missing.
    pub version: Option<String>,
    /// Symbols that ask for it, as far as they could be read.
    pub symbols: Vec<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, library, version, symbols } = self;
        let Some(version) = version else {
            return write!(
                f,
                "{file} needs {library}, which neither CentOS 7 nor this release has"
            );
        };
        write!(f, "{file} needs version {version} of {library}, which CentOS 7 does not have")?;
        match symbols.as_slice() {
            [] => Ok(()),
            few if few.len() <= 3 => write!(f, " (for {})", few.join(", ")),
            [a, b, c, rest @ ..] => write!(f, " (for {a}, {b}, {c} and {} more)", rest.len()),
            _ => Ok(()),
        }
    }
}

impl AbiTable {
    /// CentOS 7's.
    ///
    /// # Errors
    /// Never, as long as the table in the source is well-formed, which a test holds it to.
    pub fn el7() -> Result<Self> {
        const PATH: &str = "rpm/data/el7-abi.toml";
        toml::from_str(include_str!("../data/el7-abi.toml"))
            .map_err(|e| SpecError::new(PATH, e.to_string()).into())
    }

    /// Checks the ELF files of `root`; `own` are the SONAMEs that the rest of the release offers.
    ///
    /// # Errors
    /// An I/O error. What the target lacks is no error but a [`Violation`].
    pub fn check(
        &self,
        root: &StagedRoot,
        facts: &[FileFacts],
        own: &BTreeSet<String>,
    ) -> Result<Vec<Violation>> {
        let mut own = own.clone();
        own.extend(facts.iter().filter_map(|f| f.elf.as_ref()?.soname.clone()));
        let mut violations = Vec::new();
        for (entry, facts) in root.entries.iter().zip(facts) {
            let (Some(elf), Kind::File { source, .. }) = (&facts.elf, &entry.kind) else {
                continue;
            };
            let report = |library: &str, version: Option<&str>, symbols| Violation {
                file: entry.path.clone(),
                library: library.to_owned(),
                version: version.map(str::to_owned),
                symbols,
            };
            for library in &elf.needed {
                if !self.libraries.contains_key(library) && !own.contains(library) {
                    violations.push(report(library, None, Vec::new()));
                }
            }
            for need in &elf.versions_needed {
                if self.has(need) == Some(false) {
                    let symbols = symbols_of(source, need)?;
                    violations.push(report(&need.library, Some(&need.version), symbols));
                }
            }
        }
        Ok(violations)
    }

    /// Whether the base system has this version; `None` for libraries that are not its own.
    fn has(&self, need: &Needed) -> Option<bool> {
        let families = self.libraries.get(&need.library)?;
        // Base versions carry the library's own name, as in `libssl.so.10(libssl.so.10)`.
        if need.version == need.library {
            return Some(true);
        }
        let known = |family: &String| {
            let number = need.version.strip_prefix(family)?.strip_prefix('_')?;
            Some(self.versions.get(family)?.contains(number))
        };
        Some(families.iter().any(|f| known(f) == Some(true)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table() {
        let table = AbiTable::el7().unwrap();
        let has = |library: &str, version: &str| {
            table.has(&Needed { library: library.into(), version: version.into() })
        };
        assert_eq!(has("libc.so.6", "GLIBC_2.17"), Some(true));
        assert_eq!(has("libc.so.6", "GLIBC_2.18"), Some(false));
        assert_eq!(has("libc.so.6", "GLIBC_PRIVATE"), Some(false));
        assert_eq!(has("libstdc++.so.6", "GLIBCXX_3.4.19"), Some(true));
        assert_eq!(has("libstdc++.so.6", "GLIBCXX_3.4.20"), Some(false));
        assert_eq!(has("libcurl.so.4", "CURL_OPENSSL_4"), Some(false));
        assert_eq!(has("libmesos-0.25.0.so", "X_1"), None);
        for families in table.libraries.values() {
            assert!(families.iter().all(|f| table.versions.contains_key(f)));
        }
    }
}
