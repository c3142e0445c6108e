//! Requires and Provides of ELF files, by the rules of rpm's `elfdeps`.
//!
//! Only the tables that are needed are read, through a cache over the open file: a library with
//! a gigabyte of debug sections takes no longer than a stripped one.

use std::path::Path;

use object::{
    Endianness,
    elf::{self, FileHeader32, FileHeader64},
    read::{
        ReadCache, ReadRef,
        elf::{FileHeader, SectionTable},
    },
};

use super::FileFacts;

/// A version of a library's symbols that an ELF file needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needed {
    /// SONAME of the library.
    pub library: String,
    /// Symbol version, such as `GLIBC_2.17`.
    pub version: String,
}

/// The parts of an ELF file that dependencies and the ABI gate need.
#[derive(Clone, Debug, Default)]
pub(crate) struct Elf {
    /// 64 bit class.
    pub(crate) is_64: bool,
    /// `e_type` is ET_DYN: a library or a position independent program.
    pub(crate) is_dynamic_object: bool,
    /// `e_type` is ET_EXEC or ET_DYN.
    pub(crate) is_linked: bool,
    /// It is a separate debug file. Its program has the dependencies.
    pub(crate) is_debug_file: bool,
    /// `e_machine`.
    pub(crate) machine: u16,
    /// DT_SONAME.
    pub(crate) soname: Option<String>,
    /// DT_NEEDED, in order.
    pub(crate) needed: Vec<String>,
    /// DT_RPATH and DT_RUNPATH: lists of folders in which the dynamic linker looks for `needed`.
    pub(crate) rpaths: Vec<String>,
    /// Symbol versions that it needs.
    pub(crate) versions_needed: Vec<Needed>,
    /// Symbol versions that it defines.
    pub(crate) versions_defined: Vec<String>,
    /// The program interpreter: the dynamic linker.
    pub(crate) interpreter: Option<String>,
    /// Whether its section headers list the dynamic section. The dynamic linker uses program headers, but
    /// rpm reads dependencies from sections only, and so does this crate.
    pub(crate) is_described: bool,
    /// Whether it has a symbol table that strip would remove.
    pub(crate) has_symbols: bool,
    has_debug_tag: bool,
    has_hash: bool,
    has_gnu_hash: bool,
}

/// Reads an open ELF file; `None` if it is damaged or of a foreign kind. The ABI gate reports that.
pub(super) fn read(file: fs_err::File) -> Option<Elf> {
    let cache = ReadCache::new(file.into_parts().0);
    let data: &ReadCache<_> = &cache;
    match data.read_bytes_at(4, 1).ok()?[0] {
        1 => parse::<FileHeader32<Endianness>, _>(data, false),
        2 => parse::<FileHeader64<Endianness>, _>(data, true),
        _ => None,
    }
}

fn parse<'d, H, R>(data: R, is_64: bool) -> Option<Elf>
where
    H: FileHeader<Endian = Endianness>,
    R: ReadRef<'d>,
{
    let header = H::parse(data).ok()?;
    let endian = header.endian().ok()?;
    let sections = header.sections(endian, data).ok()?;
    let kind = header.e_type(endian);
    let mut out = Elf {
        is_64,
        is_dynamic_object: kind == elf::ET_DYN,
        is_linked: kind == elf::ET_DYN || kind == elf::ET_EXEC,
        machine: header.e_machine(endian).0,
        ..Elf::default()
    };
    out.has_symbols = sections.iter().any(|s| {
        use object::read::elf::SectionHeader;
        s.sh_type(endian) == elf::SHT_SYMTAB
    });
    if is_debug_file(&sections, endian) {
        return Some(Elf { is_debug_file: true, ..out });
    }
    let segments = header.program_headers(endian, data).ok()?;
    for segment in segments {
        use object::read::elf::ProgramHeader;
        if let Some(path) = segment.interpreter(endian, data).ok()? {
            out.interpreter = Some(text(path)?);
        }
    }
    let dynamic_segment = segments.iter().any(|s| {
        use object::read::elf::ProgramHeader;
        s.p_type(endian) == elf::PT_DYNAMIC
    });
    let dynamic_section = sections.iter().any(|s| {
        use object::read::elf::SectionHeader;
        s.sh_type(endian) == elf::SHT_DYNAMIC
    });
    out.is_described = dynamic_section || !dynamic_segment;
    dynamic(&sections, endian, data, &mut out)?;
    versions(&sections, endian, data, &mut out)?;
    Some(out)
}

/// Whether it is a separate debug file, as `objcopy --only-keep-debug`, `eu-strip -f` and this crate write it:
/// all loaded sections but notes are empty.
pub(crate) fn is_debug_file<'d, H, R>(sections: &SectionTable<'d, H, R>, endian: H::Endian) -> bool
where
    H: FileHeader,
    R: ReadRef<'d>,
{
    use object::read::elf::SectionHeader;
    let mut loaded = sections
        .iter()
        .filter(|s| s.sh_flags(endian).contains(elf::SHF_ALLOC))
        .map(|s| s.sh_type(endian))
        .filter(|kind| *kind != elf::SHT_NOTE)
        .peekable();
    loaded.peek().is_some() && loaded.all(|kind| kind == elf::SHT_NOBITS)
}

fn dynamic<'d, H, R>(
    sections: &SectionTable<'d, H, R>,
    endian: Endianness,
    data: R,
    out: &mut Elf,
) -> Option<()>
where
    H: FileHeader<Endian = Endianness>,
    R: ReadRef<'d>,
{
    let table = sections.dynamic_table(endian, data).ok()?;
    for entry in table.iter() {
        match entry.tag {
            elf::DT_NEEDED => out.needed.push(text(table.string(entry).ok()?)?),
            elf::DT_SONAME => out.soname = Some(text(table.string(entry).ok()?)?),
            elf::DT_RPATH | elf::DT_RUNPATH => {
                let list = table.string(entry).ok()?;
                out.rpaths.push(String::from_utf8_lossy(list).into_owned());
            }
            elf::DT_DEBUG => out.has_debug_tag = true,
            elf::DT_HASH => out.has_hash = true,
            elf::DT_GNU_HASH => out.has_gnu_hash = true,
            _ => {}
        }
    }
    Some(())
}

fn versions<'d, H, R>(
    sections: &SectionTable<'d, H, R>,
    endian: Endianness,
    data: R,
    out: &mut Elf,
) -> Option<()>
where
    H: FileHeader<Endian = Endianness>,
    R: ReadRef<'d>,
{
    if let Some((mut needs, link)) = sections.gnu_verneed(endian, data).ok()? {
        let strings = sections.strings(endian, data, link).ok()?;
        while let Some((need, mut versions)) = needs.next().ok()? {
            let library = text(need.file(endian, strings).ok()?)?;
            while let Some(version) = versions.next().ok()? {
                let version = text(version.name(endian, strings).ok()?)?;
                out.versions_needed.push(Needed { library: library.clone(), version });
            }
        }
    }
    if let Some((mut defs, link)) = sections.gnu_verdef(endian, data).ok()? {
        let strings = sections.strings(endian, data, link).ok()?;
        while let Some((def, mut names)) = defs.next().ok()? {
            // The base version repeats the SONAME.
            let base = def.vd_flags.get(endian).0 & elf::VER_FLG_BASE.0 != 0;
            if let Some(name) = names.next().ok()?
                && !base
            {
                out.versions_defined.push(text(name.name(endian, strings).ok()?)?);
            }
        }
    }
    Some(())
}

/// A name from a string table; `None` if it has characters that only a damaged file has.
fn text(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    let plain = |c: char| !c.is_control() && !c.is_whitespace();
    (text.len() <= 4096 && text.chars().all(plain)).then(|| text.to_owned())
}

/// The SONAME of a library, or else its file name; `None` if the file is no library.
///
/// # Errors
/// An I/O error that names the file.
pub(crate) fn name_of(path: &Path) -> std::io::Result<Option<String>> {
    let elf = read_file(path)?;
    let path = path.to_string_lossy();
    Ok(elf.and_then(|elf| elf.name(&path).map(str::to_owned)))
}

/// An ELF file; `None` if the file is something else.
///
/// # Errors
/// An I/O error that names the file.
pub(crate) fn read_file(path: &Path) -> std::io::Result<Option<Elf>> {
    Ok(read(fs_err::File::open(path)?))
}

/// Names of the symbols that a 64 bit ELF file needs in this version, in the table's order.
/// Empty if the file does not list them.
///
/// # Errors
/// An I/O error that names the file.
pub(crate) fn symbols_of(path: &Path, need: &Needed) -> std::io::Result<Vec<String>> {
    let file = fs_err::File::open(path)?;
    let cache = ReadCache::new(file.into_parts().0);
    Ok(versioned_symbols(&cache, need).unwrap_or_default())
}

fn versioned_symbols<'d, R: ReadRef<'d>>(data: R, need: &Needed) -> Option<Vec<String>> {
    let header = FileHeader64::<Endianness>::parse(data).ok()?;
    let endian = header.endian().ok()?;
    let sections = header.sections(endian, data).ok()?;
    let versions = sections.versions(endian, data).ok()??;
    let symbols = sections.symbols(endian, data, elf::SHT_DYNSYM).ok()?;
    let mut names = Vec::new();
    for (index, symbol) in symbols.enumerate() {
        let version = versions.version_index(endian, index);
        let Ok(Some(version)) = versions.version(version.index()) else { continue };
        if version.name() == need.version.as_bytes()
            && version.file() == Some(need.library.as_bytes())
        {
            names.extend(symbols.symbol_name(endian, symbol).ok().and_then(text));
        }
    }
    Some(names)
}

impl Elf {
    /// The name by which programs need the library at `path`: its SONAME, or else its file name, as in rpm and the dynamic
    /// linker.
    pub(crate) fn name<'a>(&'a self, path: &'a str) -> Option<&'a str> {
        let is_library = self.is_dynamic_object && !self.has_debug_tag && !self.is_debug_file;
        let of_file = is_library.then(|| super::names::basename(path));
        self.soname.as_deref().or(of_file)
    }

    /// Adds what rpm's `elfdeps` would print. `executable`: any execute bit in the packaged mode.
    pub(super) fn dependencies(&self, executable: bool, basename: &str, facts: &mut FileFacts) {
        if !self.is_linked || self.is_debug_file {
            return;
        }
        let marker = if self.is_64 { "(64bit)" } else { "" };
        let versioned = |library: &str, version: &str| format!("{library}({version}){marker}");
        let plain = |library: &str| match self.is_64 {
            true => format!("{library}(){marker}"),
            false => library.to_owned(),
        };
        // A program without an execute bit needs nothing; a library is read with any mode. (rpm 4.11
        // reads no file without an execute bit, so a library of mode 644 loses its dependencies:
        // a well-known trap. Newer versions read it, and so does this crate.)
        if self.interpreter.is_none() || executable {
            for library in self.needed.iter().filter(|l| is_plausible(l)) {
                facts.require(plain(library));
            }
            for need in self.versions_needed.iter().filter(|n| is_plausible(&n.library)) {
                facts.require(versioned(&need.library, &need.version));
            }
            if self.has_gnu_hash && !self.has_hash {
                facts.require("rtld(GNU_HASH)");
            }
        }
        if self.is_dynamic_object && !self.has_debug_tag {
            let soname = self.soname.as_deref().unwrap_or(basename);
            if is_plausible(soname) {
                facts.provide(plain(soname));
            }
        }
        if let Some(soname) = self.soname.as_deref().filter(|s| is_plausible(s)) {
            for version in &self.versions_defined {
                facts.provide(versioned(soname, version));
            }
        }
    }
}

/// rpm's rough test for libraries that other packages link with: `lib*.so*`, and the dynamic
/// linker itself. Anything else is a plug-in, which is no dependency of other packages.
fn is_plausible(soname: &str) -> bool {
    let known = ["lib", "ld.", "ld-", "ld64.", "ld64-"];
    soname.contains(".so") && known.iter().any(|p| soname.starts_with(p))
}
