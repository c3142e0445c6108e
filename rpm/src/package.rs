//! Writes an RPM without signatures from a staged root.
//!
//! The header comes before the payload and has its digests, but its length is known beforehand:
//! digests have a fixed length, and sizes are known from staging. So room is left for the header, the
//! payload is written after it in one pass, and the header is written last.

use std::{
    io::{BufWriter, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use md5::{Digest, Md5};
use rpm::{Lead, PackageMetadata};

use crate::{
    Error, Result,
    deps::{self, FileFacts},
    header::{
        self, Dependencies, Parts,
        signature::{Digests, is_signed, unsigned_header},
    },
    limits,
    payload::{self, Compression, Inodes, PayloadFacts},
    read::{self, Rpm},
    scriptlet::Scriptlets,
    spec::Package,
    stage::StagedRoot,
};

/// Settings of the writer, which do not depend on the package.
#[derive(Clone, Debug)]
pub struct WriteOptions {
    /// How the payload is compressed.
    pub compression: Compression,
    /// BUILDHOST. It has a fixed default, `localhost`, so that it does not depend on the machine.
    pub build_host: String,
    /// SOURCE_DATE_EPOCH, in seconds since 1970: the build time, and the time of all files. `None`: the date of the newest
    /// changelog entry.
    pub source_date: Option<u32>,
}

impl Default for WriteOptions {
    fn default() -> Self {
        Self {
            compression: Compression::default(),
            build_host: "localhost".into(),
            source_date: None,
        }
    }
}

/// An RPM with all digests and no signature. [`Prepared::write`] makes one; [`UnsignedRpm::open`] finds one
/// that was written before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsignedRpm {
    path: PathBuf,
    size: u64,
}

impl UnsignedRpm {
    /// Opens an RPM that was written before. Its headers are read and checked, it must be as long as they
    /// state, and nobody must have signed it. The payload is not read, so this takes the same short time
    /// for a package of any size. [`crate::verify`] checks the payload.
    ///
    /// # Errors
    /// [`Error::Format`] if the file is not such an RPM, or an I/O error.
    pub fn open(path: &Path) -> Result<Self> {
        let rpm = Rpm::open(path)?;
        if is_signed(&rpm.metadata.signature) {
            return Err(Error::format(path, "is signed already"));
        }
        Ok(Self { path: path.to_owned(), size: rpm.whole_size()? })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Size of the file in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }
}

/// A package with its files, dependencies and scriptlets, ready to be written.
pub struct Prepared<'a> {
    package: &'a Package,
    root: &'a StagedRoot,
    facts: Vec<FileFacts>,
    inodes: Inodes,
    scriptlets: Scriptlets,
    dependencies: Dependencies,
    options: &'a WriteOptions,
}

impl<'a> Prepared<'a> {
    /// Finds the dependencies of the files, and joins them with those that the author wrote.
    ///
    /// # Errors
    /// An I/O error that names the file, or [`Error::Stage`] for scriptlets that contradict each other.
    pub fn new(
        package: &'a Package,
        root: &'a StagedRoot,
        options: &'a WriteOptions,
    ) -> Result<Self> {
        let facts = deps::discover(package, root)?;
        let inodes = Inodes::of(root);
        let scriptlets = Scriptlets::of(package, root)?;
        let format = options.compression.format;
        let dependencies = Dependencies::of(package, root, &facts, &inodes, &scriptlets, format);
        Ok(Self { package, root, facts, inodes, scriptlets, dependencies, options })
    }

    /// Requirements, provisions and class of each entry of the staged root, in the same order.
    pub fn facts(&self) -> &[FileFacts] {
        &self.facts
    }

    /// Writes the RPM to `path`, which must not exist. After an error there may be an incomplete file at `path`, which the
    /// caller removes. The file is not synced to the disk: the caller does that once for all files that it keeps.
    ///
    /// # Errors
    /// An I/O error that names the file, or [`Error::Stage`] if a file was changed since it was staged, or if
    /// rpm 4.11.3 could not read the header.
    pub fn write(&self, path: &Path) -> Result<UnsignedRpm> {
        let archive_size = payload::archive_size(self.root, &self.inodes);
        let draft = self.head(&self.draft_payload(), &Digests::default(), archive_size)?;
        self.check_limits(&self.header_bytes(&self.draft_payload())?)?;
        let mut file = fs_err::File::create_new(path)?;
        file.seek(SeekFrom::Start(draft.len() as u64))?;
        let facts = payload::write(
            &self.package.name,
            self.root,
            &self.inodes,
            self.time(),
            self.options.compression,
            BufWriter::with_capacity(1 << 20, &mut file),
        )?;
        let header = self.header_bytes(&facts)?;
        let digests =
            Digests::of(&header, payload_md5(&header, path, draft.len(), facts.size)?, facts.size);
        let head = self.head(&facts, &digests, archive_size)?;
        if head.len() != draft.len() {
            // Only a bug in this crate can lead here. No package is better than a damaged one.
            return Err(Error::stage(
                &self.package.name,
                "the header's length changed while it was written",
            ));
        }
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&head)?;
        Ok(UnsignedRpm { path: path.to_owned(), size: head.len() as u64 + facts.size })
    }

    /// Refuses a header that rpm 4.11.3 could not read, before the payload is written.
    fn check_limits(&self, header: &[u8]) -> Result<()> {
        let Err(fault) = read::check_lengths(&limits::HEADER, header) else { return Ok(()) };
        Err(Error::stage_help(
            &self.package.name,
            format!("{fault} ({})", header::weight(header)),
            format!(
                "the header lists all files and holds all texts: divide the {} files among several packages, \
                 or ship them in an archive, or shorten the texts",
                self.root.entries.len()
            ),
        ))
    }

    fn time(&self) -> u32 {
        self.options.source_date.unwrap_or_else(|| self.package.source_date())
    }

    /// Placeholders with the length of the real values.
    fn draft_payload(&self) -> PayloadFacts {
        let digest = "0".repeat(64);
        let is_file =
            |e: &crate::stage::Entry| matches!(e.kind, crate::stage::EntryKind::File { .. });
        let of = |e| if is_file(e) { digest.clone() } else { String::new() };
        PayloadFacts {
            file_digests: self.root.entries.iter().map(of).collect(),
            archive_digest: digest.clone(),
            digest,
            size: 0,
        }
    }

    fn main_header(&self, payload: &PayloadFacts) -> rpm::Header<rpm::IndexTag> {
        header::build(&Parts {
            package: self.package,
            root: self.root,
            facts: &self.facts,
            inodes: &self.inodes,
            scriptlets: &self.scriptlets,
            dependencies: &self.dependencies,
            payload,
            compression: self.options.compression,
            build_host: &self.options.build_host,
            time: self.time(),
        })
    }

    fn header_bytes(&self, payload: &PayloadFacts) -> Result<Vec<u8>> {
        let whole = self.metadata(payload, &Digests::default(), 0);
        Ok(whole.header_bytes().map_err(|e| std::io::Error::other(e.to_string()))?)
    }

    /// Lead, signature header and main header, as they stand at the file's beginning.
    fn head(
        &self,
        payload: &PayloadFacts,
        digests: &Digests,
        archive_size: u64,
    ) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        let metadata = self.metadata(payload, digests, archive_size);
        metadata.write(&mut out).map_err(|e| std::io::Error::other(e.to_string()))?;
        out[LEAD_ARCH].copy_from_slice(&LEAD_X86);
        Ok(out)
    }

    fn metadata(
        &self,
        payload: &PayloadFacts,
        digests: &Digests,
        archive_size: u64,
    ) -> PackageMetadata {
        let package = self.package;
        PackageMetadata {
            lead: Lead::new(&format!("{}-{}", package.name, package.evr())),
            signature: unsigned_header(digests, archive_size),
            header: self.main_header(payload),
        }
    }
}

/// The bytes of the lead with the architecture's number, and the number that rpm writes there on x86, for noarch
/// packages, too. Only file(1) reads it.
const LEAD_ARCH: std::ops::Range<usize> = 8..10;
const LEAD_X86: [u8; 2] = [0, 1];

/// MD5 of header and payload, the only digest of the payload that rpm 4.11 knows. It begins with
/// the header, which is complete only after the payload has been written. So the compressed payload is read once more.
fn payload_md5(header: &[u8], path: &Path, offset: usize, size: u64) -> Result<[u8; 16]> {
    let mut md5 = Md5::new();
    md5.update(header);
    let mut file = fs_err::File::open(path)?;
    file.seek(SeekFrom::Start(offset as u64))?;
    let mut buffer = vec![0; 1 << 18];
    let mut left = size;
    while left > 0 {
        let most = buffer.len().min(left as usize);
        let n = file.read(&mut buffer[..most])?;
        if n == 0 {
            return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
        }
        md5.update(&buffer[..n]);
        left -= n as u64;
    }
    Ok(md5.finalize().into())
}
