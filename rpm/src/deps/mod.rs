//! Finds dependencies in the files themselves, by rpmbuild's rules. It runs no program such as a linker or `ldd`, so
//! the result does not depend on the build host.
//!
//! An ordered chain of small readers looks at each regular file; each adds the dependencies that it finds.

mod class;
mod elf;
mod exclude;
mod names;
mod pkgconfig;
mod script;

use std::{
    io::{Read, Seek, SeekFrom},
    path::Path,
};

use rpm::DependencyFlags;

pub(crate) use class::EM_X86_64;
pub use elf::Needed;
pub(crate) use elf::{Elf, is_debug_file, name_of, read_file, symbols_of};

use exclude::Filter;
pub(crate) use names::basename;

use crate::{
    Result,
    spec::{Dependency, Package},
    stage::{Entry, EntryKind, StagedRoot},
};

/// What [`discover`] has read from one file.
#[derive(Clone, Debug, Default)]
pub struct FileFacts {
    /// Its requirements, in the order in which they were found.
    pub requires: Vec<Dependency>,
    /// What it provides to other packages.
    pub provides: Vec<Dependency>,
    /// A description in the words of file(1), for FILECLASS.
    pub(crate) class: String,
    /// FILECOLORS: 0 for files without machine code, 1 for 32 bit, 2 for 64 bit.
    pub(crate) color: u32,
    /// The ELF file as it was read, for the ABI gate.
    pub(crate) elf: Option<Elf>,
    /// Whether it begins with ELF's magic number. If `elf` is `None` nevertheless, the file is damaged.
    pub(crate) looks_like_elf: bool,
}

impl FileFacts {
    fn require(&mut self, name: impl Into<String>) {
        self.requires.push(Dependency::any(name, DependencyFlags::FIND_REQUIRES));
    }

    fn provide(&mut self, name: impl Into<String>) {
        self.provides.push(Dependency::any(name, DependencyFlags::FIND_PROVIDES));
    }
}

/// How many bytes of a file are read for its class. file(1) reads more, but these decide.
const HEAD: u64 = 4096;

/// Finds the requirements, provisions and class of every entry of `root`. The result has one element for each entry, in
/// the same order.
///
/// # Errors
/// An I/O error that names the file. A damaged ELF file is no error here, as in rpm; the
/// ABI gate refuses it.
pub fn discover(package: &Package, root: &StagedRoot) -> Result<Vec<FileFacts>> {
    let filter = Filter::new(&package.exclude);
    let found = root.entries.iter().map(|entry| {
        let mut facts = facts(entry)?;
        filter.apply(&entry.path, &mut facts);
        Ok(facts)
    });
    found.collect()
}

fn facts(entry: &Entry) -> Result<FileFacts> {
    let mut facts = FileFacts::default();
    match &entry.kind {
        EntryKind::Dir => facts.class = "directory".into(),
        EntryKind::Link { .. } | EntryKind::Ghost => {}
        EntryKind::File { source, .. } => {
            let mut file = fs_err::File::open(source)?;
            let mut head = Vec::with_capacity(HEAD as usize);
            file.by_ref().take(HEAD).read_to_end(&mut head)?;
            let executable = entry.mode & 0o111 != 0;
            if head.starts_with(b"\x7fELF") {
                file.seek(SeekFrom::Start(0))?;
                facts.elf = elf::read(file);
                facts.looks_like_elf = true;
            }
            (facts.class, facts.color) = class::of(&head, facts.elf.as_ref());
            if let Some(elf) = facts.elf.take() {
                elf.dependencies(executable, basename(&entry.path), &mut facts);
                facts.elf = Some(elf);
            } else if executable {
                script::dependencies(&head, &mut facts);
            }
            if pkgconfig::is_one(&entry.path) {
                pkgconfig::dependencies(&entry.path, Path::new(source), &mut facts)?;
            }
        }
    }
    Ok(facts)
}
