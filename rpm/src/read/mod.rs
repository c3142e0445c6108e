//! Reads the beginning of an RPM: lead, signature header, main header.
//!
//! The file may be hostile. `blob` checks every length and offset in a header before the crate `rpm` parses it.
//! So an entry cannot point outside of the data, and no more memory is used than the file has bytes.

mod blob;
mod files;

use std::{
    io::{BufReader, Read, Seek, SeekFrom},
    ops::Range,
    path::{Path, PathBuf},
};

use rpm::{DependencyFlags, IndexData, IndexSignatureTag as SigTag, IndexTag, PackageMetadata};
use sha2::{Digest, Sha256};

use crate::{
    Error, Result, input,
    limits::{self, LEAD},
    spec::Dependency,
};

use blob::fill;
pub(crate) use blob::{check_lengths, entries};
pub use files::{DigestKind, FileList, Listed, ListedKind};

const LEAD_MAGIC: [u8; 4] = [0xed, 0xab, 0xee, 0xdb];

/// An RPM whose headers have been read.
pub struct Rpm {
    path: PathBuf,
    /// Lead and headers.
    pub(crate) metadata: PackageMetadata,
    front: Vec<u8>,
    header: Range<usize>,
}

impl Rpm {
    /// Opens `path` and reads its headers.
    ///
    /// # Errors
    /// [`Error::Format`] if the file is not an RPM, or an I/O error, also if it is not a regular file.
    pub fn open(path: &Path) -> Result<Self> {
        Self::read(BufReader::new(input::open(path)?), path)
    }

    /// As [`Rpm::open`], but reads the headers from `input`. `path` is used in messages and by [`Rpm::payload`].
    ///
    /// # Errors
    /// As [`Rpm::open`].
    pub fn read(mut input: impl Read, path: &Path) -> Result<Self> {
        let fail = |message: String| Error::format(path, message);
        let mut front = Vec::new();
        fill(&mut input, &mut front, LEAD).map_err(&fail)?;
        check_lead(&front).map_err(|m| fail(m.into()))?;
        let signature = blob::read(&mut input, &mut front, &limits::SIGNATURE).map_err(&fail)?;
        let padding = signature.len().next_multiple_of(8) - signature.len();
        fill(&mut input, &mut front, padding).map_err(&fail)?;
        let header = blob::read(&mut input, &mut front, &limits::HEADER).map_err(&fail)?;
        let metadata = PackageMetadata::parse(&mut &front[..]).map_err(|e| fail(e.to_string()))?;
        Ok(Self { path: path.to_owned(), metadata, front, header })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The bytes of the main header, over which signatures and digests are made.
    pub fn header_bytes(&self) -> &[u8] {
        &self.front[self.header.clone()]
    }

    /// SHA-256 of the main header. It has the digests of all files, and so identifies the package.
    pub fn header_sha256(&self) -> [u8; 32] {
        Sha256::digest(self.header_bytes()).into()
    }

    /// Which bytes of the file are the main header.
    pub fn header_range(&self) -> Range<usize> {
        self.header.clone()
    }

    /// Offset of the payload in the file, in bytes.
    pub fn payload_offset(&self) -> u64 {
        self.front.len() as u64
    }

    /// Opens the compressed payload. The reader is not buffered.
    ///
    /// # Errors
    /// An I/O error that names the file.
    pub fn payload(&self) -> Result<impl Read> {
        let mut file = input::open(&self.path)?;
        file.seek(SeekFrom::Start(self.payload_offset()))?;
        Ok(file)
    }

    /// Size of the file in bytes. It must agree with SIZE or LONGSIZE in the signature header, which state the size of header
    /// and payload together, so that truncated files are refused.
    pub(crate) fn whole_size(&self) -> Result<u64> {
        let signature = &self.metadata.signature;
        let short = signature.get_entry_data_as_u32(SigTag::RPMSIGTAG_SIZE).map(u64::from);
        let stated =
            short.or_else(|_| signature.get_entry_data_as_u64(SigTag::RPMSIGTAG_LONGSIZE)).ok();
        let size = input::open(&self.path)?.metadata()?.len();
        match stated.and_then(|stated| stated.checked_add(self.header.start as u64)) {
            Some(whole) if whole == size => Ok(size),
            _ => Err(Error::format(&self.path, "does not have the size that it states")),
        }
    }

    /// Bytes of the compressed payload.
    ///
    /// # Errors
    /// An I/O error that names the file.
    pub fn payload_size(&self) -> Result<u64> {
        Ok(fs_err::metadata(&self.path)?.len().saturating_sub(self.payload_offset()))
    }

    /// BUILDTIME, in seconds since 1970; 0 if the tag is missing.
    pub fn build_time(&self) -> u32 {
        self.int(IndexTag::RPMTAG_BUILDTIME).unwrap_or(0)
    }

    /// A text of the header.
    pub(crate) fn string(&self, tag: IndexTag) -> Option<&str> {
        self.metadata.header.get_entry_data_as_string(tag).ok()
    }

    /// A number of the header.
    pub(crate) fn int(&self, tag: IndexTag) -> Option<u32> {
        self.metadata.header.get_entry_data_as_u32(tag).ok()
    }

    /// A list of texts of the header; empty if the tag is missing.
    pub(crate) fn strings(&self, tag: IndexTag) -> Vec<&str> {
        self.metadata.header.get_entry_data_as_string_array(tag).unwrap_or_default()
    }

    /// A list of numbers of the header; empty if the tag is missing.
    pub(crate) fn ints(&self, tag: IndexTag) -> Vec<u32> {
        self.metadata.header.get_entry_data_as_u32_array(tag).unwrap_or_default()
    }

    /// Whether this RPM can replace `other` on a host: it has the same name, and the same or a newer version.
    pub fn replaces(&self, other: &Self) -> bool {
        let name = |rpm| Self::string(rpm, IndexTag::RPMTAG_NAME);
        let versions = (self.metadata.get_evr(), other.metadata.get_evr());
        name(self) == name(other) && matches!(versions, (Ok(own), Ok(other)) if own >= other)
    }

    /// What it requires.
    pub fn requires(&self) -> Vec<Dependency> {
        self.dependencies(
            IndexTag::RPMTAG_REQUIRENAME,
            IndexTag::RPMTAG_REQUIREFLAGS,
            IndexTag::RPMTAG_REQUIREVERSION,
        )
    }

    /// What it provides.
    pub fn provides(&self) -> Vec<Dependency> {
        self.dependencies(
            IndexTag::RPMTAG_PROVIDENAME,
            IndexTag::RPMTAG_PROVIDEFLAGS,
            IndexTag::RPMTAG_PROVIDEVERSION,
        )
    }

    /// Three lists of the header as one; where the latter two are missing, any version is meant.
    fn dependencies(
        &self,
        names: IndexTag,
        flags: IndexTag,
        versions: IndexTag,
    ) -> Vec<Dependency> {
        let (flags, versions) = (self.ints(flags), self.strings(versions));
        let dependency = |(i, name): (usize, &str)| Dependency {
            name: name.to_owned(),
            flags: DependencyFlags::from_bits_retain(flags.get(i).copied().unwrap_or_default()),
            version: versions.get(i).copied().unwrap_or_default().to_owned(),
        };
        self.strings(names).into_iter().enumerate().map(dependency).collect()
    }

    /// Paths of its files, folders and links.
    pub fn paths(&self) -> Vec<String> {
        let folders = self.strings(IndexTag::RPMTAG_DIRNAMES);
        let of = self.ints(IndexTag::RPMTAG_DIRINDEXES);
        let names = self.strings(IndexTag::RPMTAG_BASENAMES);
        let folder = |index: u32| folders.get(index as usize).copied().unwrap_or_default();
        names.iter().zip(of).map(|(name, index)| format!("{}{name}", folder(index))).collect()
    }

    /// The digests of its files in hex, in the order of [`Rpm::paths`]; empty for entries without content.
    pub fn file_digests(&self) -> Vec<&str> {
        self.strings(IndexTag::RPMTAG_FILEDIGESTS)
    }

    /// The numbers of the tags in its main header that `other` does not have with the same data.
    pub fn tags_that_differ(&self, other: &Self) -> Vec<u32> {
        let entries = |rpm: &Self| rpm.metadata.header.get_all_entries().unwrap_or_default();
        let there = entries(other);
        let has = |(tag, data): &(u32, IndexData)| {
            there.iter().any(|(other, value)| other == tag && value == data)
        };
        entries(self).into_iter().filter(|entry| !has(entry)).map(|(tag, _)| tag).collect()
    }

    /// `name-[epoch:]version-release.arch`
    pub fn nevra(&self) -> String {
        let text = |tag| self.string(tag).unwrap_or("?");
        let epoch = self.int(IndexTag::RPMTAG_EPOCH).map(|e| format!("{e}:")).unwrap_or_default();
        let version = text(IndexTag::RPMTAG_VERSION);
        let release = text(IndexTag::RPMTAG_RELEASE);
        format!(
            "{}-{epoch}{version}-{release}.{}",
            text(IndexTag::RPMTAG_NAME),
            text(IndexTag::RPMTAG_ARCH)
        )
    }
}

/// Checks the lead as rpm's `rpmLeadCheck` does. The other fields are ignored.
fn check_lead(lead: &[u8]) -> std::result::Result<(), &'static str> {
    if lead[..4] != LEAD_MAGIC {
        return Err("is not an RPM: the magic number is missing");
    }
    if u16::from_be_bytes([lead[78], lead[79]]) != limits::LEAD_SIGNATURE_TYPE {
        return Err("states an illegal type of signature in its lead");
    }
    match limits::LEAD_MAJOR.contains(&lead[4]) {
        true => Ok(()),
        false => Err("is of a version of the RPM format that CentOS 7 does not know"),
    }
}
