//! The ABI gate: it refuses ELF files that CentOS 7's dynamic linker would not load.
//!
//! Every library that a file asks for, and every version of its symbols, must be CentOS 7's own
//! (data/el7-abi.toml) or come with the same release.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::{
    Result,
    deps::{EM_X86_64, Elf, FileFacts, Needed, name_of, symbols_of},
    error::SpecError,
    input,
    spec::{Arch, from_str},
    stage::{EntryKind, StagedRoot},
};

/// The x86_64 ABI's dynamic linker.
const INTERPRETER: &str = "/lib64/ld-linux-x86-64.so.2";

/// The libraries of a target system, and the versions of their symbols.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AbiTable {
    /// `true`: this table replaces CentOS 7's, because it describes another target. `false`: it adds to CentOS 7's.
    #[serde(default)]
    replaces: bool,
    /// Families of symbol versions.
    #[serde(default)]
    versions: BTreeMap<String, BTreeSet<String>>,
    /// The families that each library defines, and single versions by their whole names.
    #[serde(default)]
    libraries: BTreeMap<String, BTreeSet<String>>,
}

/// A file that the target would not run or load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Path in the package.
    pub file: String,
    /// What is wrong with it.
    pub fault: AbiFault,
}

/// What is wrong with an ELF file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AbiFault {
    /// It begins as an ELF file does, but its dynamic section cannot be read.
    Unreadable,
    /// It is for another machine than x86_64.
    Machine,
    /// It is machine code in a noarch package.
    Noarch,
    /// Its dynamic linker is not CentOS 7's.
    Interpreter(String),
    /// It needs a library that neither the target nor the release has.
    Library(String),
    /// It needs a version of a library's symbols that the target does not have.
    Version {
        /// The library and the version.
        needed: Needed,
        /// The symbols that need this version, as far as they could be read.
        symbols: Vec<String>,
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = &self.file;
        match &self.fault {
            AbiFault::Unreadable => {
                write!(f, "{file} calls itself ELF, but what it needs cannot be read")
            }
            AbiFault::Machine => write!(f, "{file} is not for x86_64"),
            AbiFault::Noarch => write!(f, "{file} is machine code in a noarch package"),
            AbiFault::Interpreter(path) => {
                write!(f, "{file} asks for the dynamic linker {path}, which CentOS 7 does not have")
            }
            AbiFault::Library(library) => {
                write!(f, "{file} needs {library}, which neither CentOS 7 nor this release has")
            }
            AbiFault::Version { needed: Needed { library, version }, symbols } => {
                write!(
                    f,
                    "{file} needs version {version} of {library}, which CentOS 7 does not have"
                )?;
                match symbols.as_slice() {
                    [] => Ok(()),
                    [a, b, c, rest @ ..] if !rest.is_empty() => {
                        write!(f, " (for {a}, {b}, {c} and {} more)", rest.len())
                    }
                    few => write!(f, " (for {})", few.join(", ")),
                }
            }
        }
    }
}

impl AbiTable {
    /// The table of CentOS 7, `rpm/data/el7-abi.toml`, which is compiled in.
    ///
    /// # Errors
    /// Only if that table is malformed. A test makes sure that it is not.
    pub fn el7() -> Result<Self> {
        const PATH: &str = "rpm/data/el7-abi.toml";
        toml::from_str(include_str!("../data/el7-abi.toml"))
            .map_err(|e| SpecError::new(PATH, e.to_string()).into())
    }

    /// CentOS 7's table with the entries of the file `path` added; or the file's entries alone, if it has `replaces = true`.
    ///
    /// # Errors
    /// An I/O error, or [`crate::Error::Spec`] with the place in the file.
    pub fn load(path: &Path) -> Result<Self> {
        let own: Self = from_str(&input::read_text(path, input::MAX_TEXT)?, path)?;
        if own.replaces {
            return Ok(own);
        }
        let mut all = Self::el7()?;
        let join = |all: &mut BTreeMap<String, BTreeSet<String>>, own| {
            for (name, more) in own {
                all.entry(name).or_default().extend(more);
            }
        };
        join(&mut all.versions, own.versions);
        join(&mut all.libraries, own.libraries);
        Ok(all)
    }

    /// Checks the ELF files of `root`. `facts` are those that [`crate::deps::discover`] found for `root`; `own` has the SONAMEs of
    /// the libraries in the other packages of the release, such as `libmesos-0.25.0.so`.
    ///
    /// # Errors
    /// An I/O error. Something that the target lacks is returned as a [`Violation`].
    pub fn check(
        &self,
        arch: Arch,
        root: &StagedRoot,
        facts: &[FileFacts],
        own: &BTreeSet<String>,
    ) -> Result<Vec<Violation>> {
        let mut own = own.clone();
        let files = root.entries.iter().zip(facts);
        own.extend(files.filter_map(|(e, f)| f.elf.as_ref()?.name(&e.path).map(str::to_owned)));
        let mut violations = Vec::new();
        for (entry, facts) in root.entries.iter().zip(facts).filter(|(_, f)| f.looks_like_elf) {
            let faults = match (&facts.elf, &entry.kind) {
                (Some(elf), EntryKind::File { source, .. }) => {
                    self.faults(arch, elf, source, &own)?
                }
                _ => vec![AbiFault::Unreadable],
            };
            let file = || entry.path.clone();
            violations.extend(faults.into_iter().map(|fault| Violation { file: file(), fault }));
        }
        Ok(violations)
    }

    fn faults(
        &self,
        arch: Arch,
        elf: &Elf,
        source: &Path,
        own: &BTreeSet<String>,
    ) -> Result<Vec<AbiFault>> {
        // Object files that are not linked are never run, so they may be for any machine. Separate debug files are
        // loaded by debuggers only.
        if !elf.is_linked || elf.is_debug_file {
            return Ok(Vec::new());
        }
        if arch == Arch::Noarch {
            return Ok(vec![AbiFault::Noarch]);
        }
        if elf.machine != EM_X86_64 || !elf.is_64 {
            return Ok(vec![AbiFault::Machine]);
        }
        if !elf.is_described {
            return Ok(vec![AbiFault::Unreadable]);
        }
        let mut faults = Vec::new();
        if let Some(path) = elf.interpreter.as_ref().filter(|p| *p != INTERPRETER) {
            faults.push(AbiFault::Interpreter(path.clone()));
        }
        let foreign = |l: &&String| !self.libraries.contains_key(*l) && !own.contains(*l);
        faults.extend(elf.needed.iter().filter(foreign).cloned().map(AbiFault::Library));
        for needed in elf.versions_needed.iter().filter(|n| self.has(n) == Some(false)) {
            let symbols = symbols_of(source, needed)?;
            faults.push(AbiFault::Version { needed: needed.clone(), symbols });
        }
        Ok(faults)
    }

    /// Whether the target has this version; `None` if the target does not have the library at all.
    fn has(&self, need: &Needed) -> Option<bool> {
        let families = self.libraries.get(&need.library)?;
        // Base versions carry the library's own name, as in `libssl.so.10(libssl.so.10)`.
        if need.version == need.library {
            return Some(true);
        }
        let known = |family: &String| {
            let number = need.version.strip_prefix(family.as_str())?.strip_prefix('_')?;
            Some(self.versions.get(family)?.contains(number))
        };
        Some(families.contains(&need.version) || families.iter().any(|f| known(f) == Some(true)))
    }
}

/// The SONAMEs of the libraries among `files`. Programs that need them find them once they are installed.
///
/// # Errors
/// An I/O error that names the file.
pub fn sonames(files: impl IntoIterator<Item = PathBuf>) -> Result<BTreeSet<String>> {
    let is_library = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default();
        name.to_string_lossy().contains(".so") && !path.is_symlink() && path.is_file()
    };
    let mut names = BTreeSet::new();
    for path in files.into_iter().filter(is_library) {
        names.extend(name_of(&path)?);
    }
    Ok(names)
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
        for word in table.libraries.values().flatten() {
            let is_version = word.contains(|c: char| c.is_ascii_digit())
                || word == "Base"
                || word.ends_with("_MIT");
            assert!(table.versions.contains_key(word) || is_version, "{word}");
        }
        assert_eq!(has("libcap.so.2", "X_1"), Some(false));
        assert_eq!(has("libacl.so.1", "ACL_1.2"), Some(true));
        assert_eq!(has("libacl.so.1", "ACL_1.3"), Some(false));
        assert_eq!(has("libgssapi_krb5.so.2", "gssapi_krb5_2_MIT"), Some(true));
        assert_eq!(has("libgssapi_krb5.so.2", "HIDDEN"), Some(false));
    }

    /// Compares with CentOS 7's own packages, in the folder that EL7_RPMS names. Without that variable nothing is compared.
    #[test]
    fn the_table_says_no_more_than_the_packages_provide() {
        let Some(dir) = std::env::var_os("EL7_RPMS") else { return };
        let mut provided = BTreeSet::new();
        for item in fs_err::read_dir(PathBuf::from(dir)).unwrap() {
            let path = item.unwrap().path();
            if path.extension().is_some_and(|e| e == "rpm") {
                let rpm = crate::read::Rpm::open(&path).unwrap();
                let names = rpm.strings(::rpm::IndexTag::RPMTAG_PROVIDENAME);
                provided.extend(names.into_iter().map(str::to_owned));
            }
        }
        let table = AbiTable::el7().unwrap();
        let mut missing = Vec::new();
        for (library, words) in &table.libraries {
            let base = format!("{library}()(64bit)");
            if !provided.contains(&base) {
                missing.push(library.clone());
                continue;
            }
            for word in words.iter().filter(|w| !table.versions.contains_key(*w)) {
                assert!(
                    provided.contains(&format!("{library}({word})(64bit)")),
                    "{library} {word}"
                );
            }
        }
        // Of packages that are not among the hundred.
        missing.retain(|l| {
            !l.starts_with("libsvn_") && !["libatomic.so.1", "ld-linux-x86-64.so.2"].contains(&&**l)
        });
        assert_eq!(missing, [""; 0]);
    }

    #[test]
    fn a_table_adds_to_the_one_of_centos_7_unless_it_replaces_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("abi.toml");
        let has = |text: &str, library: &str, version: &str| {
            fs_err::write(&path, text).unwrap();
            let table = AbiTable::load(&path).unwrap();
            table.has(&Needed { library: library.into(), version: version.into() })
        };
        let line = "[libraries]\n\"libev.so.4\" = [\"EV_4\"]\n\"libc.so.6\" = [\"OWN_1\"]\n";
        assert_eq!(has(line, "libev.so.4", "EV_4"), Some(true));
        assert_eq!(has(line, "libc.so.6", "OWN_1"), Some(true));
        assert_eq!(has(line, "libc.so.6", "GLIBC_2.17"), Some(true));
        assert_eq!(has(line, "libc.so.6", "GLIBC_2.18"), Some(false));
        let alone = format!("replaces = true\n{line}");
        assert_eq!(has(&alone, "libev.so.4", "EV_4"), Some(true));
        assert_eq!(has(&alone, "libc.so.6", "GLIBC_2.17"), Some(false));
        assert_eq!(has(&alone, "libcap.so.2", "X_1"), None);
        fs_err::write(&path, "[librarys]\n").unwrap();
        assert!(AbiTable::load(&path).is_err());
    }
}
