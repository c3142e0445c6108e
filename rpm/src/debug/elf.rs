//! Splits one ELF file into two: a stripped file that runs, and a debug file for debuggers.
//!
//! Loaded sections do not move: the stripped file keeps its bytes up to the end of the last
//! loaded section. Then come the other sections that stay, a `.gnu_debuglink`, and a new section
//! table. The debug file has the same sections under the same numbers, so that symbols still point
//! to the right ones; loaded sections are empty in it (SHT_NOBITS), as eu-strip leaves them.
//! Contents are copied from file to file, and not kept in memory.

use std::{
    io::{Read, Seek, SeekFrom, Write},
    path::Path,
};

use flate2::Crc;
use object::{
    LittleEndian as Le, U16, U32, U64,
    elf::{self, FileHeader64, ProgramHeader64, SectionHeader64},
    pod,
    read::{
        ReadCache, ReadRef,
        elf::{FileHeader, ProgramHeader, SectionHeader},
    },
};

use crate::deps::is_debug_file;

/// An ELF file whose debug information can be taken out.
pub(super) struct Splittable {
    header: FileHeader64<Le>,
    programs: Vec<ProgramHeader64<Le>>,
    sections: Vec<Section>,
    /// The build-id's bytes in hex, if it has one.
    pub(super) build_id: Option<String>,
}

struct Section {
    header: SectionHeader64<Le>,
    name: Vec<u8>,
}

/// What happens to a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Loaded: it stays where it is in the stripped file, and is empty in the debug file.
    Loaded,
    /// Not loaded, but not only for debuggers: it is in both files.
    Kept,
    /// It is in the debug file only.
    Debug,
}

/// Reads `path`. `None` if it is no 64 bit x86 program or library; if there is nothing to take out, because the
/// build has split it already, for example; or if removing sections would renumber loaded ones.
///
/// # Errors
/// An I/O error that names the file.
pub(super) fn open(path: &Path) -> std::io::Result<Option<Splittable>> {
    let file = fs_err::File::open(path)?;
    let cache = ReadCache::new(file.into_parts().0);
    let size = fs_err::metadata(path)?.len();
    Ok(parse(&cache).filter(|found| found.is_in_order() && found.fits(size)))
}

fn parse<'d, R: ReadRef<'d>>(data: R) -> Option<Splittable> {
    let header = FileHeader64::<Le>::parse(data).ok()?;
    let is_linked = [elf::ET_EXEC, elf::ET_DYN].contains(&header.e_type(Le));
    // Numbers of sections from 65,280 and of segments from 65,535 stand in another field. No real program has so many.
    let is_plain = header.e_shnum.get(Le) > 0 && header.e_phnum.get(Le) < 0xffff;
    if !header.is_little_endian() || !is_linked || !is_plain {
        return None;
    }
    let programs = header.program_headers(Le, data).ok()?.to_vec();
    let table = header.sections(Le, data).ok()?;
    if is_debug_file(&table, Le) {
        return None;
    }
    let name = |s: &SectionHeader64<Le>| table.section_name(Le, s).map(<[u8]>::to_vec);
    let section = |s: &SectionHeader64<Le>| Some(Section { header: *s, name: name(s).ok()? });
    let sections = table.iter().map(section).collect::<Option<Vec<_>>>()?;
    let mut build_id = None;
    for section in table.iter() {
        let Ok(Some(mut notes)) = section.notes(Le, data) else { continue };
        while let Ok(Some(note)) = notes.next() {
            if note.name() == elf::ELF_NOTE_GNU && note.n_type(Le) == elf::NT_GNU_BUILD_ID {
                build_id = Some(crate::payload::hex(note.desc()));
            }
        }
    }
    // A build-id of one byte would not make a path of two parts.
    let build_id = build_id.filter(|id| id.len() > 4 && id.len() <= 128);
    Some(Splittable { header: *header, programs, sections, build_id })
}

impl Section {
    fn range(&self) -> (u64, u64) {
        (self.header.sh_offset.get(Le), self.size_in_file())
    }

    fn size_in_file(&self) -> u64 {
        match self.header.sh_type(Le) {
            elf::SHT_NOBITS | elf::SHT_NULL => 0,
            _ => self.header.sh_size.get(Le),
        }
    }

    fn is_loaded(&self) -> bool {
        self.header.sh_flags(Le).contains(elf::SHF_ALLOC)
    }
}

impl Splittable {
    fn fate(&self, section: &Section) -> Fate {
        const DEBUG: &[&[u8]] =
            &[b".debug", b".zdebug", b".gdb_index", b".stab", b".line", b".comment"];
        if section.is_loaded() || section.header.sh_type(Le) == elf::SHT_NULL {
            return Fate::Loaded;
        }
        let is_symbols = section.header.sh_type(Le) == elf::SHT_SYMTAB;
        let is_debug = DEBUG.iter().any(|d| section.name.starts_with(d));
        let of_symbols = self.sections.iter().any(|s| {
            s.header.sh_type(Le) == elf::SHT_SYMTAB && self.is_at(section, s.header.sh_link.get(Le))
        });
        // A section that refers to removed symbols must go as well: relocations, groups, section numbers.
        let links_to_symbols = self.sections.get(section.header.sh_link.get(Le) as usize);
        let links_to_symbols =
            links_to_symbols.is_some_and(|s| s.header.sh_type(Le) == elf::SHT_SYMTAB);
        match is_symbols || is_debug || of_symbols || links_to_symbols {
            true => Fate::Debug,
            false => Fate::Kept,
        }
    }

    fn is_at(&self, section: &Section, index: u32) -> bool {
        self.sections.get(index as usize).is_some_and(|s| std::ptr::eq(s, section))
    }

    fn is_names(&self, index: usize) -> bool {
        index == usize::from(self.header.e_shstrndx.get(Le).0)
    }

    /// Whether a section can be removed, and no loaded section comes after it.
    fn is_in_order(&self) -> bool {
        let fates: Vec<_> = self.sections.iter().map(|s| self.fate(s)).collect();
        let first = fates.iter().position(|f| *f == Fate::Debug);
        let last = fates.iter().rposition(|f| *f == Fate::Loaded);
        matches!((first, last), (Some(first), Some(last)) if first > last)
    }

    /// Whether the file is as long as its tables say.
    fn fits(&self, size: u64) -> bool {
        let mut ends = self.sections.iter().map(|s| s.range());
        self.loaded_end() <= size
            && ends.all(|(at, n)| at.checked_add(n).is_some_and(|e| e <= size))
    }

    /// Whether it has debug sections, and not just a table of symbols.
    pub(super) fn has_debug_sections(&self) -> bool {
        self.sections
            .iter()
            .any(|s| s.name.starts_with(b".debug") || s.name.starts_with(b".zdebug"))
    }

    /// The end of the loaded sections, as an offset in the file. Nothing before it may move.
    fn loaded_end(&self) -> u64 {
        let head = self.header.e_phoff.get(Le) + size_of_val(&self.programs[..]) as u64;
        let segments = self.programs.iter().map(|p| p.p_offset(Le).saturating_add(p.p_filesz(Le)));
        let sections = self.sections.iter().filter(|s| s.is_loaded());
        let sections = sections.map(|s| s.range()).map(|(at, size)| at.saturating_add(size));
        segments
            .chain(sections)
            .chain([head, size_of::<FileHeader64<Le>>() as u64])
            .max()
            .unwrap_or(0)
    }

    /// Writes the debug file, and returns its CRC-32 for `.gnu_debuglink`.
    ///
    /// # Errors
    /// An I/O error that names the file.
    pub(super) fn write_debug(&self, source: &Path, out: impl Write) -> std::io::Result<u32> {
        let mut out = CrcWriter::new(source, out)?;
        let mut header = self.header;
        let phoff = if self.programs.is_empty() { 0 } else { size_of_val(&header) as u64 };
        header.e_phoff = U64::new(Le, phoff);
        let mut sections: Vec<_> = self.sections.iter().map(|s| s.header).collect();
        let mut at = size_of_val(&header) as u64 + size_of_val(&self.programs[..]) as u64;
        let mut copies = Vec::new();
        for (section, own) in self.sections.iter().zip(&mut sections) {
            let is_note = own.sh_type(Le) == elf::SHT_NOTE;
            if self.fate(section) == Fate::Loaded && !is_note {
                if own.sh_type(Le) != elf::SHT_NULL {
                    own.sh_type = U32::new(Le, elf::SHT_NOBITS);
                    own.sh_offset = U64::new(Le, at);
                }
                continue;
            }
            at = align(at, own.sh_addralign.get(Le));
            own.sh_offset = U64::new(Le, at);
            let (from, size) = section.range();
            copies.push((at, from, size));
            at += size;
        }
        let table = align(at, 8);
        header.e_shoff = U64::new(Le, table);
        out.bytes(pod::bytes_of(&header))?;
        out.bytes(pod::bytes_of_slice(&self.programs))?;
        for (at, from, size) in copies {
            out.pad_to(at)?;
            out.copy(from, size)?;
        }
        out.pad_to(table)?;
        out.bytes(pod::bytes_of_slice(&sections))?;
        out.finish()
    }

    /// Writes the stripped file. `link` is the name of the debug file and its CRC-32.
    ///
    /// # Errors
    /// An I/O error that names the file.
    pub(super) fn write_stripped(
        &self,
        source: &Path,
        link: Option<(&str, u32)>,
        out: impl Write,
    ) -> std::io::Result<()> {
        let mut out = CrcWriter::new(source, out)?;
        let mut table = Table::default();
        let mut numbers = vec![0; self.sections.len()];
        let mut at = self.loaded_end();
        let mut copies = Vec::new();
        for (i, section) in self.sections.iter().enumerate() {
            let fate = self.fate(section);
            let is_old_link = section.name == b".gnu_debuglink";
            if fate == Fate::Debug || self.is_names(i) || is_old_link {
                continue;
            }
            let mut own = section.header;
            if fate == Fate::Kept {
                at = align(at, own.sh_addralign.get(Le));
                own.sh_offset = U64::new(Le, at);
                let (from, size) = section.range();
                copies.push((at, from, size));
                at += size;
            }
            numbers[i] = table.push(own, &section.name);
        }
        table.renumber(&numbers);
        let link = link.map(|(name, crc)| debug_link(name, crc));
        let link_at = align(at, 4);
        if let Some(link) = &link {
            table.push(plain_section(elf::SHT_PROGBITS, link_at, link.len(), 4), b".gnu_debuglink");
            at = link_at + link.len() as u64;
        }
        let names = table.push(plain_section(elf::SHT_STRTAB, at, 0, 1), b".shstrtab");
        let names_size = table.names.len() as u64;
        table.sections[names as usize].sh_size = U64::new(Le, names_size);
        let table_at = align(at + names_size, 8);
        let mut header = self.header;
        header.e_shoff = U64::new(Le, table_at);
        header.e_shnum = U16::new(Le, table.sections.len() as u16);
        header.e_shstrndx = U16::new(Le, elf::SymbolSection(names as u16));

        out.bytes(pod::bytes_of(&header))?;
        let done = size_of_val(&header) as u64;
        out.copy(done, self.loaded_end() - done)?;
        for (at, from, size) in copies {
            out.pad_to(at)?;
            out.copy(from, size)?;
        }
        if let Some(link) = link {
            out.pad_to(link_at)?;
            out.bytes(&link)?;
        }
        out.bytes(&table.names)?;
        out.pad_to(table_at)?;
        out.bytes(pod::bytes_of_slice(&table.sections))?;
        out.finish().map(drop)
    }
}

/// A section table that is being built.
#[derive(Default)]
struct Table {
    sections: Vec<SectionHeader64<Le>>,
    names: Vec<u8>,
}

impl Table {
    fn push(&mut self, mut section: SectionHeader64<Le>, name: &[u8]) -> u32 {
        section.sh_name = U32::new(Le, self.names.len() as u32);
        self.names.extend(name);
        self.names.push(0);
        self.sections.push(section);
        self.sections.len() as u32 - 1
    }

    /// Puts the new numbers into the sections' references to one another.
    fn renumber(&mut self, numbers: &[u32]) {
        let new = |old: u32| numbers.get(old as usize).copied().unwrap_or(0);
        for section in &mut self.sections {
            section.sh_link = U32::new(Le, new(section.sh_link.get(Le)));
            let is_relocation = [elf::SHT_REL, elf::SHT_RELA].contains(&section.sh_type(Le));
            if is_relocation || section.sh_flags(Le).contains(elf::SHF_INFO_LINK) {
                section.sh_info = U32::new(Le, new(section.sh_info.get(Le)));
            }
        }
    }
}

fn plain_section(
    kind: elf::SectionType,
    at: u64,
    size: usize,
    alignment: u64,
) -> SectionHeader64<Le> {
    SectionHeader64 {
        sh_name: U32::new(Le, 0),
        sh_type: U32::new(Le, kind),
        sh_flags: U64::new(Le, elf::SectionFlags(0)),
        sh_addr: U64::new(Le, 0),
        sh_offset: U64::new(Le, at),
        sh_size: U64::new(Le, size as u64),
        sh_link: U32::new(Le, 0),
        sh_info: U32::new(Le, 0),
        sh_addralign: U64::new(Le, alignment),
        sh_entsize: U64::new(Le, 0),
    }
}

/// The content of `.gnu_debuglink`: the name with its NUL, padded to four bytes, and the CRC-32.
fn debug_link(name: &str, crc: u32) -> Vec<u8> {
    let mut out = name.as_bytes().to_vec();
    out.push(0);
    out.resize(out.len().next_multiple_of(4), 0);
    out.extend(crc.to_le_bytes());
    out
}

fn align(at: u64, to: u64) -> u64 {
    // A damaged file may state any alignment.
    if to.is_power_of_two() && to <= 1 << 16 { at.next_multiple_of(to) } else { at }
}

/// Writes bytes in order, counts them, and computes their CRC-32.
struct CrcWriter<W> {
    source: fs_err::File,
    out: W,
    at: u64,
    crc: Crc,
}

impl<W: Write> CrcWriter<W> {
    fn new(source: &Path, out: W) -> std::io::Result<Self> {
        Ok(Self { source: fs_err::File::open(source)?, out, at: 0, crc: Crc::new() })
    }

    fn bytes(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.crc.update(bytes);
        self.at += bytes.len() as u64;
        self.out.write_all(bytes)
    }

    fn pad_to(&mut self, at: u64) -> std::io::Result<()> {
        while self.at < at {
            let size = (at - self.at).min(512) as usize;
            self.bytes(&[0; 512][..size])?;
        }
        Ok(())
    }

    fn copy(&mut self, from: u64, size: u64) -> std::io::Result<()> {
        self.source.seek(SeekFrom::Start(from))?;
        let mut buffer = vec![0; 1 << 17];
        let mut left = size;
        while left > 0 {
            let most = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let n = self.source.read(&mut buffer[..most])?;
            if n == 0 {
                let message =
                    format!("{} became shorter while it was read", self.source.path().display());
                return Err(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, message));
            }
            self.bytes(&buffer[..n])?;
            left -= n as u64;
        }
        Ok(())
    }

    fn finish(mut self) -> std::io::Result<u32> {
        self.out.flush()?;
        Ok(self.crc.sum())
    }
}
