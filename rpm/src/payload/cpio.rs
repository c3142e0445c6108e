//! The `newc` cpio archive. It is written as rpm writes it; when it is read, every length is checked.
//!
//! A member is a header of 110 ASCII characters (magic `070701`, then thirteen numbers of eight
//! hex digits), its name with a NUL, padding to 4 bytes, the content, padding to 4 bytes.
//! `070702` is the same with a sum of the content's bytes at its end. Newer rpm writes `07070X` where a file is
//! larger than 4 GB: the file's number in the header, in place of all fields and the name.
//! Source: rpm's `lib/cpio.c`, cpio(5).

use std::io::{self, Read, Write};

use crate::limits;

const HEADER: usize = 110;
const TRAILER: &str = "TRAILER!!!";
/// Bytes of the archive's last member.
pub(super) const TRAILER_SIZE: u64 = padded((HEADER + TRAILER.len() + 1) as u64);
/// A path with the leading dot and the NUL.
const MAX_NAME: usize = limits::PATH + 2;

const fn padded(size: u64) -> u64 {
    size.next_multiple_of(4)
}

/// The fields of a member that rpm uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberHeader {
    /// Inode number; names of one file share it.
    pub inode: u32,
    /// `st_mode`.
    pub mode: u16,
    /// Number of names.
    pub links: u32,
    /// Seconds since 1970.
    pub mtime: u32,
    /// Bytes of content.
    pub size: u32,
}

/// Bytes that a file takes in the archive, given its path and the size of its content.
pub(super) fn member_size(path: &str, content: u64) -> u64 {
    // The name is stored as `.` + path + NUL.
    padded((HEADER + path.len() + 2) as u64) + padded(content)
}

/// Writes the header of a member. Its content comes next, and then [`pad`].
pub(super) fn start(out: &mut impl Write, member: &MemberHeader, name: &str) -> io::Result<()> {
    let MemberHeader { inode, mode, links, mtime, size } = *member;
    let name_size = name.len() + 1;
    // In order: ino, mode, uid, gid, nlink, mtime, filesize, dev (major, minor), rdev (major,
    // minor), namesize, check. rpm takes owners and devices from its header and writes none here.
    let header = format!(
        "070701{inode:08x}{mode:08x}{:08x}{:08x}{links:08x}{mtime:08x}{size:08x}{:08x}{:08x}{:08x}{:08x}{name_size:08x}{:08x}",
        0, 0, 0, 0, 0, 0, 0
    );
    out.write_all(header.as_bytes())?;
    out.write_all(name.as_bytes())?;
    out.write_all(&[0])?;
    pad(out, (HEADER + name_size) as u64)
}

/// Writes zeros up to a multiple of 4 bytes.
pub(super) fn pad(out: &mut impl Write, written: u64) -> io::Result<()> {
    out.write_all(&[0; 3][..(padded(written) - written) as usize])
}

/// Writes the member that ends the archive.
pub(super) fn trailer(out: &mut impl Write) -> io::Result<()> {
    let name_size = TRAILER.len() + 1;
    let header = format!(
        "070701{:08x}{:08x}{:08x}{:08x}{:08x}{:048x}{name_size:08x}{:08x}",
        0, 0, 0, 0, 1, 0, 0
    );
    out.write_all(header.as_bytes())?;
    out.write_all(TRAILER.as_bytes())?;
    out.write_all(&[0])?;
    pad(out, (HEADER + name_size) as u64)
}

/// A member of an archive that is being read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Name as stored, usually `./path`.
    pub name: String,
    /// Its other fields.
    pub header: MemberHeader,
}

/// The next member of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// A member with all its fields.
    Member(Member),
    /// A member that gives only its number in the package's header. The caller tells [`CpioReader::expect`] how
    /// much content it has.
    Number(u32),
}

/// Reads an archive member by member. As a [`Read`] it gives the content of the current member.
pub struct CpioReader<R> {
    inner: R,
    /// Bytes of content and of padding of the current member that have not been read yet.
    content: u64,
    padding: u64,
    /// The sum of the current member's bytes that its header states, and the sum of the bytes read so far.
    sum: Option<(u32, u32)>,
    done: bool,
}

impl<R: Read> CpioReader<R> {
    /// Reads from `inner`, which must be at the beginning of the archive.
    pub fn new(inner: R) -> Self {
        Self { inner, content: 0, padding: 0, sum: None, done: false }
    }

    /// The next member with all its fields, or `None` after the last. What was not read of the previous
    /// member's content is skipped.
    ///
    /// # Errors
    /// `InvalidData` for anything that is not an archive as rpm 4.11 writes it.
    pub fn next_member(&mut self) -> io::Result<Option<Member>> {
        match self.next_of_any_kind()? {
            Some(Next::Member(member)) => Ok(Some(member)),
            Some(Next::Number(_)) => Err(invalid("a member has a number in place of its name")),
            None => Ok(None),
        }
    }

    /// As [`CpioReader::next_member`], also for archives with files of more than 4 GB.
    ///
    /// # Errors
    /// `InvalidData` for anything that is not an archive as rpm writes it.
    pub fn next_of_any_kind(&mut self) -> io::Result<Option<Next>> {
        if self.done {
            return Ok(None);
        }
        io::copy(&mut *self, &mut io::sink())?;
        let mut pad = [0; 3];
        let rest = std::mem::take(&mut self.padding) as usize;
        self.inner.read_exact(&mut pad[..rest]).map_err(inside)?;
        let mut magic = [0; 6];
        self.inner.read_exact(&mut magic).map_err(inside)?;
        match &magic {
            b"070701" | b"070702" => self.named(magic[5] == b'2'),
            // The number, and padding up to 16 bytes.
            b"07070X" => {
                let mut rest = [0; 10];
                self.inner.read_exact(&mut rest).map_err(inside)?;
                self.sum = None;
                Ok(Some(Next::Number(number(&rest[..8])?)))
            }
            _ => Err(invalid("a member does not begin with cpio's magic number")),
        }
    }

    /// Sets the size of the content of a [`Next::Number`].
    pub fn expect(&mut self, size: u64) {
        self.content = size;
        // The size may be any number that a hostile header holds, so nothing may be added to it.
        self.padding = (4 - size % 4) % 4;
    }

    fn named(&mut self, has_sum: bool) -> io::Result<Option<Next>> {
        let mut header = [0; HEADER - 6];
        self.inner.read_exact(&mut header).map_err(inside)?;
        let field = |i: usize| number(&header[8 * i..][..8]);
        let name = self.name(field(11)? as usize)?;
        if name == TRAILER {
            self.done = true;
            return Ok(None);
        }
        let mode = u16::try_from(field(1)?).map_err(|_| invalid("a member's mode is too large"))?;
        let member = MemberHeader {
            inode: field(0)?,
            mode,
            links: field(4)?,
            mtime: field(5)?,
            size: field(6)?,
        };
        let sum = field(12)?;
        // A hard link without content has no sum either.
        self.sum = (has_sum && member.size > 0).then_some((sum, 0));
        self.expect(member.size.into());
        Ok(Some(Next::Member(Member { name, header: member })))
    }

    fn name(&mut self, size: usize) -> io::Result<String> {
        if !(2..=MAX_NAME).contains(&size) {
            return Err(invalid("a member's name has an impossible length"));
        }
        let mut name = vec![0; size + padded((HEADER + size) as u64) as usize - HEADER - size];
        self.inner.read_exact(&mut name)?;
        name.truncate(size);
        if name.pop() != Some(0) || name.contains(&0) {
            return Err(invalid("a member's name is not terminated where it should be"));
        }
        String::from_utf8(name).map_err(|_| invalid("a member's name is not UTF-8"))
    }

    /// Returns the source, at the position after the last byte that was read.
    pub fn into_inner(self) -> R {
        self.inner
    }
}

/// Reads the content of the current member.
impl<R: Read> Read for CpioReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = self.content.min(buffer.len() as u64) as usize;
        let n = self.inner.read(&mut buffer[..most])?;
        if n == 0 && most > 0 {
            return Err(invalid("the archive ends inside a file"));
        }
        self.content -= n as u64;
        if let Some((stated, sum)) = &mut self.sum {
            *sum = buffer[..n].iter().fold(*sum, |sum, byte| sum.wrapping_add((*byte).into()));
            if self.content == 0 && stated != sum {
                return Err(invalid("a member's sum is wrong"));
            }
        }
        Ok(n)
    }
}

fn number(digits: &[u8]) -> io::Result<u32> {
    let text =
        std::str::from_utf8(digits).ok().filter(|t| t.bytes().all(|b| b.is_ascii_hexdigit()));
    text.and_then(|t| u32::from_str_radix(t, 16).ok())
        .ok_or_else(|| invalid("a member's header holds no number where one belongs"))
}

/// Replaces the error for an unexpected end of the data.
fn inside(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => invalid("the archive ends inside a member"),
        _ => error,
    }
}

fn invalid(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive() -> Vec<u8> {
        let mut out = Vec::new();
        let file = MemberHeader { inode: 1, mode: 0o100_644, links: 1, mtime: 7, size: 5 };
        start(&mut out, &file, "./a").unwrap();
        out.extend(b"hello");
        pad(&mut out, 5).unwrap();
        start(&mut out, &MemberHeader { inode: 2, mode: 0o040_755, size: 0, ..file }, "./d")
            .unwrap();
        trailer(&mut out).unwrap();
        out
    }

    #[test]
    fn a_written_archive_is_read_back() {
        let bytes = archive();
        assert_eq!(bytes.len() as u64, member_size("/a", 5) + member_size("/d", 0) + TRAILER_SIZE);
        let mut reader = CpioReader::new(&bytes[..]);
        let first = reader.next_member().unwrap().unwrap();
        assert_eq!((first.name.as_str(), first.header.mtime), ("./a", 7));
        let mut content = String::new();
        reader.read_to_string(&mut content).unwrap();
        assert_eq!(content, "hello");
        assert_eq!(reader.next_member().unwrap().unwrap().name, "./d");
        assert!(reader.next_member().unwrap().is_none());
        assert!(reader.into_inner().is_empty());
    }

    /// An archive with this magic number and this sum of the content "hello".
    fn with_sum(magic: &[u8; 6], sum: u32) -> Vec<u8> {
        let mut bytes = archive();
        bytes[..6].copy_from_slice(magic);
        bytes[HEADER - 8..HEADER].copy_from_slice(format!("{sum:08x}").as_bytes());
        bytes
    }

    #[test]
    fn sums_are_checked_where_there_are_any() {
        let sum: u32 = b"hello".iter().map(|b| u32::from(*b)).sum();
        let read = |bytes: &[u8]| {
            let mut reader = CpioReader::new(bytes);
            reader.next_member()?;
            reader.next_member()
        };
        assert_eq!(read(&with_sum(b"070702", sum)).unwrap().unwrap().name, "./d");
        assert!(read(&with_sum(b"070702", sum + 1)).is_err());
        assert!(read(&with_sum(b"070701", sum + 1)).is_ok());
    }

    #[test]
    fn members_of_large_files_have_a_number_in_place_of_a_name() {
        let mut bytes = b"07070X0000000a\0\0hello\0\0\0".to_vec();
        trailer(&mut bytes).unwrap();
        let mut reader = CpioReader::new(&bytes[..]);
        assert_eq!(reader.next_of_any_kind().unwrap(), Some(Next::Number(10)));
        reader.expect(5);
        let mut content = String::new();
        reader.read_to_string(&mut content).unwrap();
        assert_eq!((content.as_str(), reader.next_of_any_kind().unwrap()), ("hello", None));
        let mut reader = CpioReader::new(&bytes[..]);
        reader.next_of_any_kind().unwrap();
        reader.expect(u64::MAX);
        assert!(reader.next_of_any_kind().is_err());
        assert!(CpioReader::new(&bytes[..]).next_member().is_err());
    }

    #[test]
    fn damaged_archives_are_errors_without_panic() {
        let whole = archive();
        for cut in 0..whole.len() {
            let mut reader = CpioReader::new(&whole[..cut]);
            let mut outcome = Ok(());
            while outcome.is_ok() {
                match reader.next_member() {
                    Ok(Some(_)) => {}
                    Ok(None) => break,
                    Err(e) => outcome = Err(e),
                }
            }
            // The padding behind the trailer's name belongs to the archive.
            assert!(outcome.is_err(), "cut at {cut}");
        }
    }
}
