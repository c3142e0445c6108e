//! Reads the front of an RPM: lead, signature header, main header.
//!
//! The file may come from anywhere. Before the crate `rpm` sees a header, every length and offset
//! in it is checked against limits, so that a hostile one can neither reach outside its data nor
//! ask for memory that the file does not fill. The rules are those of rpm's `hdrblobVerifyInfo`.

use std::{
    io::{BufReader, Read, Seek, SeekFrom},
    ops::Range,
    path::{Path, PathBuf},
};

use rpm::{IndexTag, PackageMetadata};

use crate::{Error, Result};

const LEAD: usize = 96;
const LEAD_MAGIC: [u8; 4] = [0xed, 0xab, 0xee, 0xdb];
const HEADER_MAGIC: [u8; 8] = [0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0];
const INTRO: usize = 16;
const ENTRY: usize = 16;

/// Tags, for those who read headers without knowing the crate `rpm`.
pub mod tag {
    use rpm::IndexTag;

    /// Names of the files, without their folders.
    pub const BASENAMES: IndexTag = IndexTag::RPMTAG_BASENAMES;
    /// Digests of the files' content.
    pub const FILEDIGESTS: IndexTag = IndexTag::RPMTAG_FILEDIGESTS;
}

/// Limits and region tag of a header.
struct Limits {
    what: &'static str,
    region: u32,
    entries: u32,
    data: u32,
}

const SIGNATURE: Limits =
    Limits { what: "signature header", region: 62, entries: 32, data: 1 << 20 };
const MAIN: Limits = Limits { what: "header", region: 63, entries: 0xffff, data: 128 << 20 };

/// An RPM whose headers have been read.
pub struct Rpm {
    path: PathBuf,
    /// Lead and headers.
    pub metadata: PackageMetadata,
    front: Vec<u8>,
    header: Range<usize>,
}

impl Rpm {
    /// Opens `path` and reads its headers.
    ///
    /// # Errors
    /// [`Error::Format`] for anything that is not an RPM, or an I/O error.
    pub fn open(path: &Path) -> Result<Self> {
        if !fs_err::metadata(path)?.is_file() {
            return Err(Error::format(path, "is not a regular file"));
        }
        let file = BufReader::new(fs_err::File::open(path)?);
        Self::read(file, path)
    }

    /// As [`Rpm::open`], from any source; `path` is for messages, and for the payload.
    ///
    /// # Errors
    /// As [`Rpm::open`].
    pub fn read(mut input: impl Read, path: &Path) -> Result<Self> {
        let fail = |message: String| Error::format(path, message);
        let mut front = Vec::new();
        fill(&mut input, &mut front, LEAD).map_err(&fail)?;
        if front[..4] != LEAD_MAGIC {
            return Err(fail("is not an RPM: the magic number is missing".into()));
        }
        let signature = header(&mut input, &mut front, &SIGNATURE).map_err(&fail)?;
        let padding = signature.len().next_multiple_of(8) - signature.len();
        fill(&mut input, &mut front, padding).map_err(&fail)?;
        let header = header(&mut input, &mut front, &MAIN).map_err(&fail)?;
        let metadata = PackageMetadata::parse(&mut &front[..]).map_err(|e| fail(e.to_string()))?;
        Ok(Self { path: path.to_owned(), metadata, front, header })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The main header as it stands in the file: what signatures and digests cover.
    pub fn header_bytes(&self) -> &[u8] {
        &self.front[self.header.clone()]
    }

    /// Where the main header lies in the file.
    pub fn header_range(&self) -> Range<usize> {
        self.header.clone()
    }

    /// Where the payload begins in the file.
    pub fn payload_offset(&self) -> u64 {
        self.front.len() as u64
    }

    /// The compressed payload, from its beginning, not buffered.
    ///
    /// # Errors
    /// An I/O error that names the file.
    pub fn payload(&self) -> Result<impl Read> {
        let mut file = fs_err::File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.payload_offset()))?;
        Ok(file)
    }

    /// BUILDTIME, in seconds since 1970; 0 where there is none.
    pub fn build_time(&self) -> u32 {
        self.int(IndexTag::RPMTAG_BUILDTIME).unwrap_or(0)
    }

    /// A text of the header.
    pub fn string(&self, tag: IndexTag) -> Option<&str> {
        self.metadata.header.get_entry_data_as_string(tag).ok()
    }

    /// A number of the header.
    pub fn int(&self, tag: IndexTag) -> Option<u32> {
        self.metadata.header.get_entry_data_as_u32(tag).ok()
    }

    /// A list of texts; empty where there is none.
    pub fn strings(&self, tag: IndexTag) -> Vec<&str> {
        self.metadata.header.get_entry_data_as_string_array(tag).unwrap_or_default()
    }

    /// A list of numbers; empty where there is none.
    pub fn ints(&self, tag: IndexTag) -> Vec<u32> {
        self.metadata.header.get_entry_data_as_u32_array(tag).unwrap_or_default()
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

fn fill(
    input: &mut impl Read,
    into: &mut Vec<u8>,
    bytes: usize,
) -> std::result::Result<(), String> {
    // `take` rather than a buffer of that size: memory grows only with what is really there.
    match input.take(bytes as u64).read_to_end(into) {
        Ok(n) if n == bytes => Ok(()),
        Ok(_) => Err("is truncated: the file ends inside its headers".into()),
        Err(e) => Err(e.to_string()),
    }
}

/// Appends one header to `front` and says where it lies.
fn header(
    input: &mut impl Read,
    front: &mut Vec<u8>,
    limits: &Limits,
) -> std::result::Result<Range<usize>, String> {
    let what = limits.what;
    let start = front.len();
    fill(input, front, INTRO)?;
    let intro = &front[start..];
    if intro[..8] != HEADER_MAGIC {
        return Err(format!("the {what} does not begin with its magic number"));
    }
    let (entries, data) = (be32(intro, 8), be32(intro, 12));
    if entries == 0 || entries > limits.entries || data > limits.data {
        return Err(format!(
            "the {what} claims {entries} entries and {data} bytes, which is beyond all limits"
        ));
    }
    fill(input, front, entries as usize * ENTRY + data as usize)?;
    let (index, store) = front[start + INTRO..].split_at(entries as usize * ENTRY);
    let mut reached = 0;
    for (i, entry) in index.chunks_exact(ENTRY).enumerate() {
        let tag = be32(entry, 0);
        if i == 0 && (tag != limits.region || be32(entry, 4) != BIN || be32(entry, 12) != 16) {
            return Err(format!("the {what} does not begin with its region"));
        }
        let end = check_entry(entry, store).map_err(|e| format!("the {what}'s tag {tag} {e}"))?;
        // In order and apart, so that all checks together look at each byte once. The region's own
        // data stands last, though its entry is the first.
        if i > 0 {
            if (be32(entry, 8) as usize) < reached {
                return Err(format!("the {what}'s tag {tag} overlaps the one before"));
            }
            reached = end;
        }
    }
    Ok(start..front.len())
}

const STRING: u32 = 6;
const BIN: u32 = 7;
const STRING_ARRAY: u32 = 8;
const I18N_STRING: u32 = 9;

/// Checks one entry of the index, and says where its data ends.
fn check_entry(entry: &[u8], store: &[u8]) -> std::result::Result<usize, &'static str> {
    let (kind, offset, count) = (be32(entry, 4), be32(entry, 8) as usize, be32(entry, 12) as usize);
    let data = store.get(offset..).ok_or("points outside the header")?;
    let width = match kind {
        1 | 2 | BIN => 1,
        3 => 2,
        4 => 4,
        5 => 8,
        STRING if count != 1 => return Err("is a single text with a count"),
        STRING | STRING_ARRAY | I18N_STRING => {
            return Ok(offset + strings_length(data, count)?);
        }
        _ => return Err("has an unknown type"),
    };
    if count == 0 {
        return Err("is empty");
    }
    if !offset.is_multiple_of(width) {
        return Err("is not aligned");
    }
    match count.checked_mul(width) {
        Some(size) if size <= data.len() => Ok(offset + size),
        _ => Err("reaches outside the header"),
    }
}

/// Bytes that `count` terminated texts take.
fn strings_length(data: &[u8], count: usize) -> std::result::Result<usize, &'static str> {
    let mut length = 0;
    for _ in 0..count {
        let rest = &data[length..];
        let end = rest.iter().position(|b| *b == 0).ok_or("holds a text without an end")?;
        length += end + 1;
    }
    Ok(length)
}

fn be32(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
