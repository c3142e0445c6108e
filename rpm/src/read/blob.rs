//! Reads and checks the bytes of one header: an intro, an index of entries, and the data that the entries point to.
//!
//! Everything that rpm refuses is refused. The rules are those of `rpmReadSignature`, `headerVerify` and
//! `headerImport` of 4.11.3 and of `hdrblobInit` of 4.18. Where the two differ, the stricter rule is used. All checks together
//! read each byte once.

use std::{collections::BTreeSet, io::Read, ops::Range};

use crate::limits::{self, HeaderLimits, SIGNATURE};

const MAGIC: [u8; 8] = [0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0];
const INTRO: usize = 16;
const ENTRY: usize = 16;
/// Bytes of the region's trailer, which has the form of an entry.
const TRAILER: usize = ENTRY;
/// Tag of the region in the signature headers of very old packages.
const HEADER_IMAGE: u32 = 61;

const STRING: u32 = 6;
const BIN: u32 = 7;
const STRING_ARRAY: u32 = 8;
const I18N_STRING: u32 = 9;

/// Appends the next `bytes` bytes of `input` to `into`.
pub(super) fn fill(input: &mut impl Read, into: &mut Vec<u8>, bytes: usize) -> Result<(), String> {
    // `take`, and no buffer of the stated size: memory grows only with the bytes that are really there.
    match input.take(bytes as u64).read_to_end(into) {
        Ok(n) if n == bytes => Ok(()),
        Ok(_) => Err("is truncated: the file ends inside its headers".into()),
        Err(e) => Err(e.to_string()),
    }
}

/// Appends the next header of `input` to `front`, and returns its position there.
pub(super) fn read(
    input: &mut impl Read,
    front: &mut Vec<u8>,
    limits: &HeaderLimits,
) -> Result<Range<usize>, String> {
    let name = limits.name;
    let start = front.len();
    fill(input, front, INTRO)?;
    if front[start..][..8] != MAGIC {
        return Err(format!("the {name} does not begin with its magic number"));
    }
    let (entries, data) = lengths(&front[start..]);
    within(limits, entries, data)?;
    fill(input, front, entries as usize * ENTRY + data as usize)?;
    let (index, store) = front[start + INTRO..].split_at(entries as usize * ENTRY);
    check(limits, index, store).map_err(|message| format!("the {name}{message}"))?;
    Ok(start..front.len())
}

/// Number of entries and bytes of data that a header's intro states.
fn lengths(header: &[u8]) -> (u32, u32) {
    (be32(header, 8), be32(header, 12))
}

/// Checks the lengths of a header that has just been built.
pub(crate) fn check_lengths(limits: &HeaderLimits, header: &[u8]) -> Result<(), String> {
    let (entries, data) = lengths(header);
    within(limits, entries, data)
}

/// The tags of a header that has just been built, with the bytes that each takes. Their data must be in the same order.
pub(crate) fn entries(header: &[u8]) -> impl Iterator<Item = (u32, usize)> {
    let (entries, data) = lengths(header);
    let index = &header[INTRO + ENTRY..INTRO + entries as usize * ENTRY];
    let starts = index.chunks_exact(ENTRY).map(|bytes| IndexEntry::of(bytes).offset);
    let ends = starts.clone().skip(1).chain([data - TRAILER as u32]);
    let tags = index.chunks_exact(ENTRY).map(|bytes| IndexEntry::of(bytes).tag);
    tags.zip(starts.zip(ends)).map(|(tag, (start, end))| (tag, (end - start) as usize))
}

fn within(limits: &HeaderLimits, entries: u32, data: u32) -> Result<(), String> {
    let name = limits.name;
    if entries == 0 {
        return Err(format!("the {name} is empty"));
    }
    if entries > limits.entries {
        return Err(format!(
            "the {name} has {entries} tags; rpm 4.11.3 reads at most {}",
            limits.entries
        ));
    }
    match data > limits.data {
        true => Err(format!(
            "the {name} has {data} bytes of data; rpm 4.11.3 reads at most {}",
            limits.data
        )),
        false => Ok(()),
    }
}

/// An entry of the index.
struct IndexEntry {
    tag: u32,
    kind: u32,
    offset: u32,
    count: u32,
}

impl IndexEntry {
    fn of(bytes: &[u8]) -> Self {
        let [tag, kind, offset, count] = [0, 4, 8, 12].map(|at| be32(bytes, at));
        Self { tag, kind, offset, count }
    }

    fn is_region(&self) -> bool {
        self.kind == BIN && self.count as usize == TRAILER
    }
}

fn check(limits: &HeaderLimits, index: &[u8], store: &[u8]) -> Result<(), String> {
    let region = check_region(limits, index, store)?;
    let (mut reached, mut size) = (0, 0);
    let mut seen = BTreeSet::new();
    for bytes in index.chunks_exact(ENTRY).skip(1) {
        let entry = IndexEntry::of(bytes);
        let fail = |message: &str| format!("'s tag {} {message}", entry.tag);
        let length = data_length(&entry, store).map_err(fail)?;
        let offset = entry.offset as usize;
        // Data is in the order of the entries, and does not overlap.
        if offset < reached {
            return Err(fail("overlaps the one before"));
        }
        reached = offset + length;
        if reached > region && offset < region + TRAILER {
            return Err(fail("overlaps the region's trailer"));
        }
        size = align(entry.kind, size) + length;
        // Which of two equal tags rpm reads depends on its version.
        if limits.region == SIGNATURE.region && !seen.insert(entry.tag) {
            return Err(fail("occurs twice"));
        }
    }
    match size + TRAILER == store.len() {
        true => Ok(()),
        false => Err(" has data that belongs to no tag".into()),
    }
}

/// Checks the first entry and the trailer that it points to. Returns the trailer's offset in the data.
fn check_region(limits: &HeaderLimits, index: &[u8], store: &[u8]) -> Result<usize, String> {
    let first = IndexEntry::of(index);
    if first.tag != limits.region || !first.is_region() {
        return Err(" does not begin with its region".into());
    }
    let at = first.offset as usize;
    let Some(bytes) = store.get(at..at + TRAILER) else {
        return Err("'s region has its trailer outside the data".into());
    };
    let trailer = IndexEntry::of(bytes);
    let is_old = limits.region == SIGNATURE.region && trailer.tag == HEADER_IMAGE;
    if !(trailer.tag == limits.region || is_old) || !trailer.is_region() {
        return Err("'s region has a damaged trailer".into());
    }
    // The trailer states the length of the index as a negative number.
    let stated = trailer.offset.wrapping_neg() as usize;
    let fits = stated.is_multiple_of(ENTRY) && (ENTRY..=index.len()).contains(&stated);
    // Only a signature header may have entries after its region: signing adds them.
    let is_whole = stated == index.len() && at + TRAILER == store.len();
    match fits && (is_whole || limits.region == SIGNATURE.region) {
        true => Ok(at),
        false => Err("'s region is not as long as the index".into()),
    }
}

/// Checks an entry's fields, and returns the length of its data.
fn data_length(entry: &IndexEntry, store: &[u8]) -> Result<usize, &'static str> {
    let (offset, count) = (entry.offset as usize, entry.count as usize);
    // rpm reads tags as signed numbers.
    if !(limits::LOWEST_TAG..=i32::MAX as u32).contains(&entry.tag) {
        return Err("is none that may stand there");
    }
    if !limits::TYPES.contains(&entry.kind) {
        return Err("has an unknown type");
    }
    let data = store.get(offset..).ok_or("points outside the header")?;
    if count == 0 {
        return Err("is empty");
    }
    if entry.kind != BIN && entry.count > limits::ARRAY {
        return Err("has more elements than rpm reads");
    }
    if matches!(entry.kind, STRING | STRING_ARRAY | I18N_STRING) {
        return match entry.kind == STRING && count != 1 {
            true => Err("is a single text with a count"),
            false => strings_length(data, count),
        };
    }
    let width = width(entry.kind);
    if !offset.is_multiple_of(width) {
        return Err("is not aligned");
    }
    match count.checked_mul(width) {
        Some(size) if size <= data.len() => Ok(size),
        _ => Err("reaches outside the header"),
    }
}

/// Bytes of one element of this type, which are its alignment as well.
fn width(kind: u32) -> usize {
    match kind {
        3 => 2,
        4 => 4,
        5 => 8,
        _ => 1,
    }
}

fn align(kind: u32, size: usize) -> usize {
    size.next_multiple_of(width(kind))
}

/// Bytes of `count` strings with their NULs.
fn strings_length(data: &[u8], count: usize) -> Result<usize, &'static str> {
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
