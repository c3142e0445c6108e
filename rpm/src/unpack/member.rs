//! Unpacks one package: each member of its payload is compared with the list of files in its header.

use std::{
    collections::{HashMap, HashSet},
    io::{self, BufReader, Read, Write},
    os::unix::fs::MetadataExt,
    rc::Rc,
};

use md5::Md5;
use rpm::IndexTag;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use super::{
    modes,
    tree::{Spot, Tree, What},
};
use crate::{
    Error, Result,
    payload::{CpioReader, Decoder, Next, hex},
    read::{DigestKind, FileList, Listed, ListedKind, Rpm},
    spec::printable,
};

/// Most bytes of content for each byte of the payload. Text is compressed to a tenth, not to a thousandth.
const RATIO: u64 = 200;
/// Bytes of content that any package may have, however small its payload is.
const FEW: u64 = 100 << 20;
/// Most bytes of content of any package.
const MANY: u64 = 16 << 30;
/// Most bytes behind the end of the archive.
const REST: u64 = 1 << 16;

/// Unpacks a package.
pub(super) fn unpack(tree: &mut Tree, rpm: &Rpm) -> Result<()> {
    let package: Rc<str> = rpm.nevra().into();
    let list = FileList::of(rpm)?;
    let mut unpacking =
        Package { tree, list: &list, package, seen: HashSet::new(), names: HashMap::new() };
    // Folders come first: a payload may name a file before its folder.
    for file in list.files.iter().filter(|f| f.kind == ListedKind::Folder && !f.is_ghost) {
        unpacking.tree.add_folder(file, &unpacking.package)?;
    }
    if list.files.is_empty() {
        return Ok(());
    }
    unpacking.payload(rpm)?;
    unpacking.check_complete()
}

struct Package<'a> {
    tree: &'a mut Tree,
    list: &'a FileList,
    package: Rc<str>,
    /// Indices of the files that the payload had.
    seen: HashSet<usize>,
    /// The state of hard links, by the index of the first name.
    names: HashMap<usize, Names>,
}

/// The hard links of one file.
#[derive(Default)]
struct Names {
    /// Names that came before the content.
    waiting: Vec<usize>,
    /// The name that came with the content.
    content: Option<usize>,
}

impl Package<'_> {
    fn payload(&mut self, rpm: &Rpm) -> Result<()> {
        let compressor = rpm.string(IndexTag::RPMTAG_PAYLOADCOMPRESSOR).unwrap_or("gzip");
        let packed = rpm.payload_size()?;
        let payload = BufReader::with_capacity(1 << 18, rpm.payload()?);
        let unpacked = Decoder::new(compressor, payload).map_err(|e| self.damaged(&e))?;
        let most = packed.saturating_mul(RATIO).clamp(FEW, MANY);
        let unpacked = Metered { inner: unpacked, left: most };
        let mut archive = CpioReader::new(BufReader::with_capacity(1 << 17, unpacked));
        let by_path: HashMap<&str, usize> =
            self.list.files.iter().enumerate().map(|(at, f)| (f.path.as_str(), at)).collect();
        let last_names = self.last_names();
        while let Some(next) = archive.next_of_any_kind().map_err(|e| self.damaged(&e))? {
            let at = match next {
                Next::Member(member) => {
                    let path = member.name.strip_prefix('.').unwrap_or(&member.name);
                    let rooted = format!("/{}", path.trim_start_matches('/'));
                    let Some(at) = by_path.get(rooted.as_str()) else {
                        let message =
                            format!("holds {}, which its header does not list", printable(&rooted));
                        return Err(self.wrong(&message));
                    };
                    self.member(*at, member.header.size.into(), &mut archive)?;
                    *at
                }
                Next::Number(number) => {
                    let at = number as usize;
                    let size = self.expected(at, &last_names)?;
                    archive.expect(size);
                    self.member(at, size, &mut archive)?;
                    at
                }
            };
            if !self.seen.insert(at) {
                let path = printable(&self.list.files[at].path);
                return Err(self.wrong(&format!("holds {path} twice")));
            }
        }
        self.end(archive.into_inner())
    }

    /// For the first name of each file with hard links, its last name.
    fn last_names(&self) -> HashMap<usize, usize> {
        let all = self.list.files.iter().enumerate();
        all.filter_map(|(at, file)| Some((file.same_as?, at))).collect()
    }

    /// The size of a member that has only a number. Of hard links, the last has the content.
    fn expected(&self, at: usize, last_names: &HashMap<usize, usize>) -> Result<u64> {
        let file = self.list.files.get(at);
        let file = file.ok_or_else(|| self.wrong("holds a file that its header does not list"))?;
        let later = |first| last_names.get(&first).is_some_and(|last| *last > at);
        Ok(match &file.kind {
            ListedKind::File { .. } if file.same_as.is_some_and(later) => 0,
            ListedKind::File { size, .. } => *size,
            ListedKind::Link { target } => target.len() as u64,
            _ => 0,
        })
    }

    /// Reads to the end of the payload, where compressors have their checksums.
    fn end(&self, rest: impl Read) -> Result<()> {
        let read = io::copy(&mut rest.take(REST + 1), &mut io::sink());
        match read.map_err(|e| self.damaged(&e))? {
            0..=REST => Ok(()),
            _ => Err(self.wrong("goes on behind the end of its archive")),
        }
    }

    fn member(&mut self, at: usize, size: u64, content: &mut impl Read) -> Result<()> {
        let list = self.list;
        let file = &list.files[at];
        match &file.kind {
            _ if file.is_ghost => Ok(()),
            ListedKind::Folder => Ok(()),
            ListedKind::Special => {
                self.tree.summary.special += 1;
                Ok(())
            }
            ListedKind::Link { target } => {
                let mut stated = Vec::new();
                let read = content.take(size.min(REST)).read_to_end(&mut stated);
                read.map_err(|e| self.damaged(&e))?;
                if stated != target.as_bytes() {
                    let path = printable(&file.path);
                    return Err(self.wrong(&format!(
                        "holds another target of the link {path} than its header"
                    )));
                }
                self.tree.add_link(file, target, &self.package)
            }
            ListedKind::File { size: stated, .. } => {
                self.tree.summary.files += 1;
                if file.mode & modes::SET_ID != 0 {
                    self.tree.summary.set_id += 1;
                }
                match file.same_as {
                    Some(first) => self.one_of_several(first, at, size, *stated, content),
                    None => self.file(at, size, content),
                }
            }
        }
    }

    /// Adds a hard link. The archive has the content with one of the names.
    fn one_of_several(
        &mut self,
        first: usize,
        at: usize,
        size: u64,
        stated: u64,
        content: &mut impl Read,
    ) -> Result<()> {
        let names = self.names.entry(first).or_default();
        if let Some(of) = names.content {
            return match size {
                0 => self.name(of, at),
                _ => self.file(at, size, content),
            };
        }
        if size == 0 && stated > 0 {
            names.waiting.push(at);
            return Ok(());
        }
        names.content = Some(at);
        let waiting = std::mem::take(&mut names.waiting);
        self.file(at, size, content)?;
        waiting.into_iter().try_for_each(|name| self.name(at, name))
    }

    /// Makes `at` a hard link to the file `of`.
    fn name(&mut self, of: usize, at: usize) -> Result<()> {
        let list = self.list;
        let (from, to) = (&list.files[of], &list.files[at]);
        if from.kind != to.kind {
            let (from, to) = (printable(&from.path), printable(&to.path));
            return Err(self.wrong(&format!(
                "holds one file as {from} and {to}, for which its header has different digests"
            )));
        }
        let old = self.tree.spot_with_folders(&from.path, &self.package)?;
        let new = self.tree.spot_with_folders(&to.path, &self.package)?;
        let what = self.tree.node(&old).cloned();
        let what =
            what.ok_or_else(|| self.wrong("has a hard link to a file that it does not hold"))?;
        match self.tree.add_name(&old, &new, &to.path)? {
            true => self.tree.note(&new, what, &self.package),
            false if self.tree.node(&new) == Some(&what) => {}
            false => return Err(self.tree.conflict(&new, &to.path, &self.package)),
        }
        Ok(())
    }

    fn file(&mut self, at: usize, size: u64, content: &mut impl Read) -> Result<()> {
        let list = self.list;
        let file = &list.files[at];
        let ListedKind::File { size: stated, digest } = &file.kind else { return Ok(()) };
        if size != *stated {
            let path = printable(&file.path);
            return Err(
                self.wrong(&format!("holds {size} bytes of {path}, its header says {stated}"))
            );
        }
        let spot = self.tree.spot_with_folders(&file.path, &self.package)?;
        let created = self.tree.create_file(&spot, &file.path)?;
        let mut sums = Sums::new(self.list.digest);
        match &created {
            Some(out) => self.copy(content, out, &mut sums)?,
            None => self.copy(content, io::sink(), &mut sums)?,
        }
        let (found, sha256) = sums.finish();
        if found != *digest {
            let path = printable(&file.path);
            return Err(self.wrong(&format!("holds another {path} than its header's digest says")));
        }
        self.settle(file, &spot, created, sha256, size)
    }

    /// Sets mode and time of a new file, or checks that the existing file is the same.
    fn settle(
        &mut self,
        file: &Listed,
        spot: &Spot,
        created: Option<fs_err::File>,
        sha256: [u8; 32],
        size: u64,
    ) -> Result<()> {
        let what = What::File { mode: modes::file_mode(file.mode), sha256 };
        let Some(out) = created else {
            return match self.tree.node(spot) == Some(&what) {
                true => Ok(()),
                false => Err(self.tree.conflict(spot, &file.path, &self.package)),
            };
        };
        let stat = out.metadata()?;
        modes::file(out.file(), file.mode, file.time)
            .map_err(|e| self.tree.broken(&file.path, e))?;
        self.tree.contents.insert((stat.dev(), stat.ino()), sha256);
        self.tree.summary.bytes += size;
        self.tree.note(spot, what, &self.package);
        Ok(())
    }

    fn copy(&self, from: &mut impl Read, mut to: impl Write, sums: &mut Sums) -> Result<()> {
        let mut buffer = [0; 1 << 16];
        loop {
            match from.read(&mut buffer).map_err(|e| self.damaged(&e))? {
                0 => return Ok(()),
                n => {
                    sums.update(&buffer[..n]);
                    to.write_all(&buffer[..n])?;
                }
            }
        }
    }

    /// Checks that the payload had all files of the list but ghosts.
    fn check_complete(&self) -> Result<()> {
        let missing =
            self.list.files.iter().enumerate().find(|(at, f)| {
                !f.is_ghost && f.kind != ListedKind::Folder && !self.seen.contains(at)
            });
        let names = self.names.values().any(|names| !names.waiting.is_empty());
        match missing {
            Some((_, file)) => {
                let path = printable(&file.path);
                Err(self.wrong(&format!("does not hold {path}, which its header lists")))
            }
            None if names => Err(self.wrong("has hard links of a file without its content")),
            None => Ok(()),
        }
    }

    fn wrong(&self, message: &str) -> Error {
        Error::unpack(&*self.package, format!("the payload of {} {message}", self.package))
    }

    fn damaged(&self, error: &io::Error) -> Error {
        let message = printable(&error.to_string());
        Error::unpack(
            &*self.package,
            format!("the payload of {} cannot be read: {message}", self.package),
        )
    }
}

/// Computes the digest of the header's kind, and SHA-256 for the digest of the tree.
struct Sums {
    kind: Other,
    sha256: Sha256,
}

enum Other {
    Md5(Md5),
    Sha1(Sha1),
    Sha512(Box<Sha512>),
    None,
}

impl Sums {
    fn new(kind: DigestKind) -> Self {
        let kind = match kind {
            DigestKind::Md5 => Other::Md5(Md5::new()),
            DigestKind::Sha1 => Other::Sha1(Sha1::new()),
            DigestKind::Sha512 => Other::Sha512(Box::default()),
            DigestKind::Sha256 => Other::None,
        };
        Self { kind, sha256: Sha256::new() }
    }

    fn update(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        match &mut self.kind {
            Other::Md5(hash) => hash.update(bytes),
            Other::Sha1(hash) => hash.update(bytes),
            Other::Sha512(hash) => hash.update(bytes),
            Other::None => {}
        }
    }

    fn finish(self) -> (String, [u8; 32]) {
        let sha256: [u8; 32] = self.sha256.finalize().into();
        let of_header = match self.kind {
            Other::Md5(hash) => hex(&hash.finalize()),
            Other::Sha1(hash) => hex(&hash.finalize()),
            Other::Sha512(hash) => hex(&hash.finalize()),
            Other::None => hex(&sha256),
        };
        (of_header, sha256)
    }
}

/// Reads at most `left` bytes; more are an error.
struct Metered<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(n as u64).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, "it has far too much content for its size")
        })?;
        Ok(n)
    }
}
