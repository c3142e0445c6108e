//! The payload: a compressed cpio archive in the `newc` format, written to disk as a stream.
//!
//! Every file is read once. Meanwhile the digests of the file, of the archive and of the
//! compressed stream are computed. The memory needed does not depend on the payload's size.

mod compress;
mod cpio;
mod decoder;
mod gzip;

use std::io::{self, Read, Write};

use sha2::{Digest, Sha256};

pub use compress::{Compression, Format};
pub use cpio::{CpioReader, Member, MemberHeader, Next};
pub(crate) use decoder::Decoder;

use crate::{
    Error, Result,
    stage::{Entry, EntryKind, StagedRoot},
};

/// Digests and size of a payload that has been written.
#[derive(Clone, Debug, Default)]
pub(crate) struct PayloadFacts {
    /// SHA-256 of each entry's content, in hex; empty for entries that are no regular files.
    pub(crate) file_digests: Vec<String>,
    /// SHA-256 of the compressed payload, in hex.
    pub(crate) digest: String,
    /// SHA-256 of the archive before compression, in hex.
    pub(crate) archive_digest: String,
    /// Size in bytes after compression.
    pub(crate) size: u64,
}

/// Inode numbers and link counts for the archive, assigned as rpm does: from 1, in order of the entries.
/// Names of one file (hard links) have the number of the first name.
#[derive(Clone, Debug)]
pub(crate) struct Inodes {
    /// For each entry, its inode number.
    pub(crate) numbers: Vec<u32>,
    /// For each entry, how many entries have its number.
    pub(crate) links: Vec<u32>,
    /// For each entry, whether it is the last with its number. The archive has the content there.
    pub(crate) last: Vec<bool>,
}

impl Inodes {
    /// Numbers the entries of `root`.
    pub(crate) fn of(root: &StagedRoot) -> Self {
        let mut first = std::collections::HashMap::new();
        let mut numbers = Vec::with_capacity(root.entries.len());
        for (i, entry) in root.entries.iter().enumerate() {
            let own = i as u32 + 1;
            numbers.push(match &entry.kind {
                // Names of one file on disk may have different attributes in a package. As hard links, rpm
                // would give all of them the attributes of the last one.
                EntryKind::File { inode: Some(inode), .. } => {
                    let attributes =
                        (entry.mode, &entry.user, &entry.group, entry.flags.bits(), &entry.caps);
                    *first.entry((*inode, attributes)).or_insert(own)
                }
                _ => own,
            });
        }
        let mut links = std::collections::HashMap::<u32, u32>::new();
        for number in &numbers {
            *links.entry(*number).or_default() += 1;
        }
        let mut seen = std::collections::HashSet::new();
        let mut last: Vec<_> = numbers.iter().rev().map(|n| seen.insert(*n)).collect();
        last.reverse();
        Self { links: numbers.iter().map(|n| links[n]).collect(), numbers, last }
    }

    /// The numbers of the entries in the archive's order, which is that of rpm's `iterWriteArchiveNext`: first
    /// files with one name, then files with several names, the names of each together.
    pub(crate) fn archive_order(&self) -> Vec<usize> {
        let count = self.numbers.len();
        let mut order: Vec<_> = (0..count).filter(|i| self.links[*i] < 2).collect();
        let mut names: Vec<_> = (0..count).filter(|i| self.links[*i] > 1).collect();
        // The number is the position of the first name. The sort is stable, so names stay in their order.
        names.sort_by_key(|i| self.numbers[*i]);
        order.extend(names);
        order
    }
}

/// Size in bytes of the archive before compression. No file has to be read for it.
pub(crate) fn archive_size(root: &StagedRoot, inodes: &Inodes) -> u64 {
    let members = root.entries.iter().enumerate().filter(|(_, e)| e.is_shipped());
    let size =
        |(i, e): (usize, &Entry)| cpio::member_size(&e.path, content_size(e, inodes.last[i]));
    members.map(size).sum::<u64>() + cpio::TRAILER_SIZE
}

fn content_size(entry: &Entry, last: bool) -> u64 {
    match &entry.kind {
        EntryKind::File { size, .. } if last => *size,
        EntryKind::Link { target } => target.len() as u64,
        _ => 0,
    }
}

/// Writes the payload of `root` to `out`.
///
/// # Errors
/// An I/O error that names the file, or [`Error::Stage`] if a file changed since it was staged.
pub(crate) fn write(
    package: &str,
    root: &StagedRoot,
    inodes: &Inodes,
    mtime: u32,
    compression: Compression,
    out: impl Write,
) -> Result<PayloadFacts> {
    let compressed = Digesting::new(out);
    let mut archive = Digesting::new(compression.encoder(compressed)?);
    let mut buffer = vec![0; 128 * 1024];
    let mut digests = vec![String::new(); root.entries.len()];
    for i in inodes.archive_order() {
        let entry = &root.entries[i];
        if !entry.is_shipped() {
            continue;
        }
        let size = content_size(entry, inodes.last[i]);
        let header = MemberHeader {
            inode: inodes.numbers[i],
            mode: full_mode(entry),
            links: inodes.links[i],
            mtime,
            size: size as u32,
        };
        cpio::start(&mut archive, &header, &format!(".{}", entry.path))?;
        match &entry.kind {
            EntryKind::File { source, size, .. } if inodes.last[i] => {
                digests[i] = copy(package, source, *size, &mut archive, &mut buffer)?;
            }
            EntryKind::Link { target } => archive.write_all(target.as_bytes())?,
            _ => {}
        }
        cpio::pad(&mut archive, size)?;
    }
    cpio::trailer(&mut archive)?;
    let (encoder, archive_digest, _) = archive.finish();
    let (mut out, digest, size) = encoder.finish()?.finish();
    out.flush()?;
    share_digests(inodes, &mut digests);
    Ok(PayloadFacts { file_digests: digests, digest, archive_digest, size })
}

/// Gives all names of one file the digest of its content.
fn share_digests(inodes: &Inodes, digests: &mut [String]) {
    let of_content: std::collections::HashMap<u32, String> = (0..digests.len())
        .filter(|i| inodes.last[*i] && inodes.links[*i] > 1)
        .map(|i| (inodes.numbers[i], digests[i].clone()))
        .collect();
    for (digest, number) in digests.iter_mut().zip(&inodes.numbers) {
        if let Some(shared) = of_content.get(number) {
            digest.clone_from(shared);
        }
    }
}

/// Permission bits and file type, as in `st_mode`.
pub(crate) fn full_mode(entry: &Entry) -> u16 {
    entry.mode
        | match entry.kind {
            EntryKind::File { .. } | EntryKind::Ghost => 0o100_000,
            EntryKind::Dir => 0o040_000,
            EntryKind::Link { .. } => 0o120_000,
        }
}

fn copy(
    package: &str,
    source: &std::path::Path,
    size: u64,
    out: &mut impl Write,
    buffer: &mut [u8],
) -> Result<String> {
    let mut file = fs_err::File::open(source)?.take(size + 1);
    let mut hash = Sha256::new();
    let mut total = 0;
    loop {
        let n = match file.read(buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e.into()),
        };
        total += n as u64;
        if total > size {
            break;
        }
        hash.update(&buffer[..n]);
        out.write_all(&buffer[..n])?;
    }
    if total != size {
        return Err(Error::stage_help(
            package,
            format!("{} changed while it was being packaged", source.display()),
            "run again when nothing writes to the file",
        ));
    }
    Ok(hex(&hash.finalize()))
}

/// Lower-case hexadecimal, as in all of rpm's digests.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Computes the SHA-256 and the size of everything that is written through it.
struct Digesting<W> {
    inner: W,
    hash: Sha256,
    size: u64,
}

impl<W: Write> Digesting<W> {
    fn new(inner: W) -> Self {
        Self { inner, hash: Sha256::new(), size: 0 }
    }

    fn finish(self) -> (W, String, u64) {
        (self.inner, hex(&self.hash.finalize()), self.size)
    }
}

impl<W: Write> Write for Digesting<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(data)?;
        self.hash.update(&data[..n]);
        self.size += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    #[test]
    fn hard_links_share_an_inode_and_come_last() {
        let file = |path: &str, inode, mode| {
            Entry::new(path, EntryKind::File { source: PathBuf::new(), size: 3, inode }, mode)
        };
        let root = StagedRoot {
            entries: vec![
                file("/a", Some((1, 7)), 0o644),
                file("/b", None, 0o644),
                file("/c", Some((1, 7)), 0o644),
                // With another mode it is a file of its own.
                file("/d", Some((1, 7)), 0o600),
            ],
        };
        let inodes = Inodes::of(&root);
        assert_eq!(inodes.numbers, [1, 2, 1, 4]);
        assert_eq!(inodes.links, [2, 1, 2, 1]);
        assert_eq!(inodes.last, [false, true, true, true]);
        assert_eq!(inodes.archive_order(), [1, 3, 0, 2]);
        // The content of /a and /c is in the archive once, with /c.
        let single = StagedRoot { entries: root.entries[..1].to_vec() };
        let double = StagedRoot { entries: vec![root.entries[0].clone(), root.entries[2].clone()] };
        let size = |root: &StagedRoot| archive_size(root, &Inodes::of(root));
        assert_eq!(size(&double) - size(&single), cpio::member_size("/c", 0));
    }
}
