//! The ABI gate: it refuses ELF files that CentOS 7's dynamic linker would not load.
//!
//! Every library that a file asks for, and every version of its symbols, must be the target's own or come with the same
//! release. What the target has, its table says: that of the root in which a file was compiled (root.rs), or that of CentOS 7
//! (data/el7-abi.toml).

mod ld_conf;
mod root;
mod violation;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use serde::Deserialize;

pub use violation::{AbiFault, Violation};

use crate::{
    Result,
    deps::{EM_X86_64, Elf, FileFacts, Needed, basename, name_of, symbols_of},
    error::SpecError,
    input,
    spec::{Arch, Package, from_str},
    stage::{Entry, EntryKind, StagedRoot},
};

/// Most bytes of a table: those of a root's libraries have some hundred kilobytes.
const MAX_TABLE: u64 = 16 << 20;

/// The x86_64 ABI's dynamic linker.
const INTERPRETER: &str = "/lib64/ld-linux-x86-64.so.2";

/// The libraries of a target system, and the versions of their symbols.
#[derive(Clone, Debug, Default, Deserialize)]
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

/// What the packages of a release offer to programs.
#[derive(Clone, Debug, Default)]
pub struct Offered {
    /// Names that libraries call themselves by, each with the paths of these libraries.
    pub libraries: BTreeMap<String, BTreeSet<String>>,
    /// Names of links that lead to libraries.
    pub links: BTreeSet<String>,
    /// Folders that files in /etc/ld.so.conf.d name: ldconfig links the libraries in them.
    pub folders: BTreeSet<String>,
    /// Libraries that descriptions say the packages provide.
    pub declared: BTreeSet<String>,
}

impl Offered {
    /// Adds files of a staged root.
    ///
    /// # Errors
    /// An I/O error that names the file.
    pub fn add_staged(&mut self, root: &Path, files: &BTreeSet<String>) -> Result<()> {
        let on_disk = |path: &String| root.join(&path[1..]);
        for path in files {
            if let Some(name) = name_of_library(&on_disk(path))? {
                self.add_library(name, path);
            }
            self.add_folders(path, &on_disk(path))?;
        }
        let target = |path: &str| {
            let target = fs_err::read_link(root.join(path.get(1..)?)).ok()?;
            Some(target.to_string_lossy().into_owned())
        };
        for path in files.iter().filter(|path| on_disk(path).is_symlink()) {
            let end = on_disk(&leads_to(path, target));
            if end.is_file() && !end.is_symlink() && name_of(&end)?.is_some() {
                self.links.insert(basename(path).to_owned());
            }
        }
        Ok(())
    }

    fn add_library(&mut self, name: String, path: &str) {
        self.libraries.entry(name).or_default().insert(path.to_owned());
    }

    /// Adds the folders that the file `source` names, if its path in the package is one of ldconfig's.
    fn add_folders(&mut self, path: &str, source: &Path) -> Result<()> {
        let is_own = path.rsplit_once('/').is_some_and(|(folder, _)| folder == ld_conf::FILES)
            && path.ends_with(".conf");
        if !is_own || !source.is_file() {
            return Ok(());
        }
        let text = input::read_text(source, input::MAX_TEXT)?;
        self.folders.extend(ld_conf::folders(&text).map(str::to_owned));
        Ok(())
    }

    /// Whether the dynamic linker would find one of these libraries by its name: a file or link is called so, or ldconfig
    /// makes the link.
    fn is_found(&self, name: &str, paths: &BTreeSet<String>) -> bool {
        let is_linked = |path: &str| {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            ld_conf::ALWAYS.contains(&folder) || self.folders.contains(folder)
        };
        self.links.contains(name)
            || paths.iter().any(|path| basename(path) == name || is_linked(path))
    }

    /// Adds what a description says that its package provides.
    pub fn declare(&mut self, package: &Package) {
        let names = package.provides.iter().filter_map(|p| p.name.strip_suffix("()(64bit)"));
        self.declared.extend(names.map(str::to_owned));
    }
}

/// Names of the links of a package that lead to a library in it.
fn links(root: &StagedRoot, facts: &[FileFacts]) -> BTreeSet<String> {
    let entries: BTreeMap<&str, (&Entry, &FileFacts)> =
        root.entries.iter().zip(facts).map(|(e, f)| (e.path.as_str(), (e, f))).collect();
    let target = |path: &str| match &entries.get(path)?.0.kind {
        EntryKind::Link { target } => Some(target.clone()),
        _ => None,
    };
    let is_library = |path: &str| {
        let elf = entries.get(path).and_then(|(_, facts)| facts.elf.as_ref());
        elf.is_some_and(|elf| elf.name(path).is_some())
    };
    let paths = entries.keys().filter(|path| target(path).is_some());
    let paths = paths.filter(|path| is_library(&leads_to(path, target)));
    paths.map(|path| basename(path).to_owned()).collect()
}

/// Where a path ends if it is a link that leads to others; folders on the way are taken as they are.
fn leads_to(path: &str, target: impl Fn(&str) -> Option<String>) -> String {
    const MOST: usize = 40;
    let mut path = path.to_owned();
    for _ in 0..MOST {
        let Some(target) = target(&path) else { break };
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut parts: Vec<&str> = Vec::new();
        let from = if target.starts_with('/') { "" } else { folder };
        for part in from.split('/').chain(target.split('/')) {
            match part {
                "" | "." => {}
                ".." => drop(parts.pop()),
                part => parts.push(part),
            }
        }
        let next = format!("/{}", parts.join("/"));
        path = next;
    }
    path
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
        Self::el7()?.and(path)
    }

    /// This table with the entries of the file `path` added; or the file's entries alone, if it has `replaces = true`.
    ///
    /// # Errors
    /// As for [`AbiTable::load`].
    pub fn and(self, path: &Path) -> Result<Self> {
        let own: Self = from_str(&input::read_text(path, MAX_TABLE)?, path)?;
        if own.replaces {
            return Ok(own);
        }
        let mut all = self;
        let join = |all: &mut BTreeMap<String, BTreeSet<String>>, own| {
            for (name, more) in own {
                all.entry(name).or_default().extend(more);
            }
        };
        join(&mut all.versions, own.versions);
        join(&mut all.libraries, own.libraries);
        Ok(all)
    }

    /// Checks the ELF files of a package. `facts` are those that [`crate::deps::discover`] found for `root`; `rest` is what the
    /// other packages of the release offer.
    ///
    /// # Errors
    /// An I/O error. Something that the target lacks is returned as a [`Violation`].
    pub fn check(
        &self,
        package: &Package,
        root: &StagedRoot,
        facts: &[FileFacts],
        rest: &Offered,
    ) -> Result<Vec<Violation>> {
        let mut offered = rest.clone();
        offered.declare(package);
        for (entry, facts) in root.entries.iter().zip(facts) {
            if let Some(name) = facts.elf.as_ref().and_then(|elf| elf.name(&entry.path)) {
                offered.add_library(name.to_owned(), &entry.path);
            }
            if let EntryKind::File { source, .. } = &entry.kind {
                offered.add_folders(&entry.path, source)?;
            }
        }
        offered.links.extend(links(root, facts));
        let mut violations = Vec::new();
        for (entry, facts) in root.entries.iter().zip(facts).filter(|(_, f)| f.looks_like_elf) {
            let faults = match (&facts.elf, &entry.kind) {
                (Some(elf), EntryKind::File { source, .. }) => {
                    let is_required = |library: &str| {
                        let name = format!("{library}()(64bit)");
                        package.auto_req && facts.requires.iter().any(|r| r.name == name)
                    };
                    self.faults(package.arch, elf, source, &offered, is_required)?
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
        offered: &Offered,
        is_required: impl Fn(&str) -> bool,
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
        for library in elf.needed.iter().filter(|l| !self.libraries.contains_key(*l)) {
            let library = library.clone();
            if let Some(paths) = offered.libraries.get(&library) {
                if let Some(path) = paths.first().filter(|_| !offered.is_found(&library, paths)) {
                    faults.push(AbiFault::OnlySoname { library, path: path.clone() });
                }
                continue;
            }
            match offered.links.contains(&library) {
                false => faults.push(AbiFault::Library(library)),
                // The dynamic linker opens the link; rpm looks for what a package says that it provides.
                true if is_required(&library) && !offered.declared.contains(&library) => {
                    faults.push(AbiFault::OnlyLink(library));
                }
                true => {}
            }
        }
        for needed in elf.versions_needed.iter().filter(|n| self.has(n) == Some(false)) {
            let symbols = symbols_of(source, needed)?;
            faults.push(AbiFault::Version { needed: needed.clone(), symbols });
        }
        Ok(faults)
    }

    /// Whether the target has this version; `None` if the target does not have the library at all.
    fn has(&self, need: &Needed) -> Option<bool> {
        let families = self.libraries.get(&need.library)?;
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
    let mut names = BTreeSet::new();
    for path in files {
        names.extend(name_of_library(&path)?);
    }
    Ok(names)
}

/// The SONAME of a file, or else its name; `None` if it is not called as libraries are, or is none.
fn name_of_library(path: &Path) -> Result<Option<String>> {
    let name = path.file_name().unwrap_or_default();
    match name.to_string_lossy().contains(".so") && !path.is_symlink() && path.is_file() {
        true => Ok(name_of(path)?),
        false => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_el7_table_has_known_versions_and_no_newer_ones() {
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
        assert_eq!(has("libz.so.1", "ZLIB_1.2.5.2"), Some(true));
        assert_eq!(has("libz.so.1", "ZLIB_1.2.7"), Some(false));
        // Some libraries have a version with their own name; most have none, and rpm does not provide it.
        assert_eq!(has("libcrypto.so.10", "libcrypto.so.10"), Some(true));
        assert_eq!(has("libssl.so.10", "libssl.so.10"), Some(true));
        assert_eq!(has("libz.so.1", "libz.so.1"), Some(false));
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
    fn the_el7_table_agrees_with_centos_7_packages() {
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
        let (mut missing, mut differ) = (Vec::new(), Vec::new());
        for (library, words) in &table.libraries {
            let version = |name: &&String| {
                let own = name.strip_prefix(library.as_str())?.strip_prefix('(')?;
                own.strip_suffix(")(64bit)").filter(|v| !v.is_empty()).map(str::to_owned)
            };
            let versions: BTreeSet<_> = provided.iter().filter_map(|p| version(&p)).collect();
            if !provided.contains(&format!("{library}()(64bit)")) {
                missing.push(library.clone());
                continue;
            }
            let named = |word: &String| match table.versions.get(word) {
                Some(numbers) => numbers.iter().map(|n| format!("{word}_{n}")).collect(),
                None => vec![word.clone()],
            };
            let ours: BTreeSet<_> = words.iter().flat_map(named).collect();
            // The libraries of glibc share the versions of libc.so.6; NSS has more since 7.9.2009.
            let is_known =
                |v: &&String| v.starts_with("GLIBC_2.") || v.starts_with("NSS_3.") || is_private(v);
            let differing = ours.symmetric_difference(&versions).filter(|v| !is_known(v));
            differ.extend(differing.map(|v| format!("{library} {v}")));
        }
        assert_eq!(differ, [""; 0]);
        // Of packages that are not among the hundred.
        missing.retain(|l| !l.starts_with("libsvn_") && l != "libatomic.so.1");
        assert_eq!(missing, [""; 0]);
    }

    /// Versions that only the packages themselves may use.
    fn is_private(version: &str) -> bool {
        version.contains("PRIVATE") || ["HIDDEN", "Local"].contains(&version)
    }

    #[test]
    fn an_abi_table_extends_or_replaces_the_el7_table() {
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
