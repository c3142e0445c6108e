//! Looks through a whole tar file before anything of it is written: what will stand where, and
//! whether anything in it would get out of its folder, or fill the disk.

use std::{
    cell::Cell,
    collections::BTreeMap,
    ffi::OsString,
    io::{self, Read},
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
    rc::Rc,
};

use tar::{Archive, Entry, EntryType};

use super::links::{leads_out, plain};

/// What an archive may ask for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Of anything.
    pub(super) entries: usize,
    /// Of all that comes out of it, headers included.
    pub(super) bytes: u64,
}

impl Limits {
    /// For an archive of this size. Text shrinks to a tenth, not to a thousandth.
    pub(super) fn for_size(packed: u64) -> Self {
        let by_ratio = packed.saturating_mul(200).max(100 << 20);
        Self { entries: 1_000_000, bytes: by_ratio.min(16 << 30) }
    }
}

/// For the headers of one entry: long names and the like.
const HEADERS: u64 = 1 << 18;

/// Something in a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) kind: Kind,
    /// Seconds since 1970; `None` for a folder that the archive does not name.
    pub(super) time: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Dir,
    File {
        /// Its number in the archive.
        number: usize,
        executable: bool,
    },
    Link(PathBuf),
    /// Another name of a file.
    Hard(PathBuf),
}

/// What will stand where.
#[derive(Debug, Default)]
pub(super) struct Layout {
    pub(super) nodes: BTreeMap<PathBuf, Node>,
}

/// Why an archive is not unpacked.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal(pub(super) String);

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self(format!("it cannot be read: {}", short(&error.to_string())))
    }
}

/// A text out of an archive, no longer than a line.
fn short(text: &str) -> String {
    const ENOUGH: usize = 100;
    match text.char_indices().nth(ENOUGH) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

impl Layout {
    /// Looks through `reader`; `strip` takes away the one folder that everything is in.
    pub(super) fn of(reader: impl Read, limits: Limits, strip: bool) -> Result<Self, Refusal> {
        let mut own = Self::default();
        each(reader, limits, |number, entry| {
            own.add(number, entry)?;
            // Folders that only the names of others speak of count as well.
            too_many(own.nodes.len(), limits)
        })?;
        if strip {
            own.strip();
        }
        if own.nodes.is_empty() {
            return Err(Refusal("it holds nothing".into()));
        }
        own.check_links()?;
        Ok(own)
    }

    fn add(&mut self, number: usize, entry: &mut Entry<'_, impl Read>) -> Result<(), Refusal> {
        let kind = entry.header().entry_type();
        if kind == EntryType::XGlobalHeader {
            return Ok(());
        }
        let name = entry.path_bytes().into_owned();
        let refuse = |why: &str| {
            Err(Refusal(format!("its entry `{}` {why}", short(&String::from_utf8_lossy(&name)))))
        };
        let path = match plain(&name) {
            Ok(path) => path,
            Err(why) => return refuse(why),
        };
        let kind = match self.kind(number, entry, &name) {
            Ok(kind) => kind,
            Err(why) => return refuse(why),
        };
        let time = entry.header().mtime().ok().and_then(|t| i64::try_from(t).ok());
        match self.put(path, Node { kind, time: Some(time.unwrap_or(0)) }) {
            Ok(()) => Ok(()),
            Err(why) => refuse(&why),
        }
    }

    fn kind(
        &self,
        number: usize,
        entry: &mut Entry<'_, impl Read>,
        name: &[u8],
    ) -> Result<Kind, &'static str> {
        let target = entry.link_name_bytes().map(|t| t.into_owned()).unwrap_or_default();
        match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous if is_sparse(entry) => {
                Err("is a sparse file: pack it without --sparse")
            }
            // So were folders written before there was a type for them.
            EntryType::Regular if name.ends_with(b"/") => Ok(Kind::Dir),
            EntryType::Regular | EntryType::Continuous => {
                let mode = entry.header().mode().unwrap_or(0o644);
                Ok(Kind::File { number, executable: mode & 0o111 != 0 })
            }
            EntryType::Directory => Ok(Kind::Dir),
            EntryType::Symlink if target.is_empty() || target.contains(&0) => {
                Err("is a link to nothing")
            }
            EntryType::Symlink if target.len() > 3000 => Err("is a link to too long a path"),
            EntryType::Symlink => Ok(Kind::Link(OsString::from_vec(target).into())),
            EntryType::Link => {
                let to = plain(&target).map_err(|_| "is a hard link out of the archive")?;
                match self.nodes.get(&to).map(|n| &n.kind) {
                    Some(Kind::File { .. }) => Ok(Kind::Hard(to)),
                    Some(Kind::Hard(file)) => Ok(Kind::Hard(file.clone())),
                    _ => Err("is a hard link to what is no file before it in the archive"),
                }
            }
            EntryType::Char | EntryType::Block => Err("is a device"),
            EntryType::Fifo => Err("is a FIFO"),
            EntryType::GNUSparse => Err("is a sparse file: pack it without --sparse"),
            _ => Err("is of a kind that has no place in sources"),
        }
    }

    fn put(&mut self, path: PathBuf, node: Node) -> Result<(), String> {
        for above in path.ancestors().skip(1).filter(|p| *p != Path::new("")) {
            match self.nodes.get(above).map(|n| &n.kind) {
                None => {
                    self.nodes.insert(above.to_owned(), Node { kind: Kind::Dir, time: None });
                }
                Some(Kind::Dir) => break,
                Some(_) => {
                    let above = short(&above.to_string_lossy());
                    return Err(format!("lies below `{above}`, which is no folder"));
                }
            }
        }
        match self.nodes.get_mut(&path) {
            // The root, which needs no entry.
            _ if path == Path::new("") && node.kind == Kind::Dir => Ok(()),
            _ if path == Path::new("") => Err("has no name".into()),
            None => {
                self.nodes.insert(path, node);
                Ok(())
            }
            Some(known) if known.kind == Kind::Dir && node.kind == Kind::Dir => {
                known.time = node.time;
                Ok(())
            }
            Some(_) => Err("stands in it twice".into()),
        }
    }

    fn strip(&mut self) {
        let mut tops = self.nodes.iter().filter(|(p, _)| p.components().count() == 1);
        let (Some((top, Node { kind: Kind::Dir, .. })), None) = (tops.next(), tops.next()) else {
            return;
        };
        let top = top.clone();
        let below = |path: &Path| path.strip_prefix(&top).unwrap_or(path).to_owned();
        self.nodes.remove(&top);
        let nodes = std::mem::take(&mut self.nodes).into_iter().map(|(path, mut node)| {
            if let Kind::Hard(to) = &mut node.kind {
                *to = below(to);
            }
            (below(&path), node)
        });
        self.nodes = nodes.collect();
    }

    fn check_links(&self) -> Result<(), Refusal> {
        let link_at = |path: &Path| match self.nodes.get(path) {
            Some(Node { kind: Kind::Link(target), .. }) => Some(target.as_path()),
            _ => None,
        };
        for (path, node) in &self.nodes {
            if let Kind::Link(target) = &node.kind
                && leads_out(path, target, link_at)
            {
                let (path, target) = (path.to_string_lossy(), target.to_string_lossy());
                let (path, target) = (short(&path), short(&target));
                return Err(Refusal(format!("its link `{path}` leads out of it, to `{target}`")));
            }
        }
        Ok(())
    }
}

/// GNU tar's newer forms of sparse files look like plain ones, and hold a list of holes.
fn is_sparse(entry: &mut Entry<'_, impl Read>) -> bool {
    match entry.pax_extensions() {
        Ok(Some(mut extensions)) => {
            extensions.any(|e| e.is_ok_and(|e| e.key_bytes().starts_with(b"GNU.sparse.")))
        }
        _ => false,
    }
}

fn too_many(entries: usize, limits: Limits) -> Result<(), Refusal> {
    match entries > limits.entries {
        true => Err(Refusal(format!("it has more than {} entries", limits.entries))),
        false => Ok(()),
    }
}

/// Hands each entry with its number to `take`, within the limits. Whatever of its content is left
/// is read, so that a file that is damaged or too large is found out.
pub(super) fn each(
    reader: impl Read,
    limits: Limits,
    mut take: impl FnMut(usize, &mut Entry<'_, Metered<'_>>) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let headers = Rc::new(Cell::new(HEADERS));
    let metered = Metered { inner: Box::new(reader), left: limits.bytes, headers: headers.clone() };
    let mut archive = Archive::new(metered);
    for (number, entry) in archive.entries()?.enumerate() {
        too_many(number, limits)?;
        let mut entry = entry?;
        headers.set(u64::MAX);
        take(number, &mut entry)?;
        io::copy(&mut entry, &mut io::sink())?;
        headers.set(HEADERS);
    }
    Ok(())
}

/// Counts what is read: the library that reads entries takes names of any length into memory.
pub(super) struct Metered<'a> {
    inner: Box<dyn Read + 'a>,
    left: u64,
    headers: Rc<Cell<u64>>,
}

impl Read for Metered<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        let too_much = |what: &str| Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
        let Some(left) = self.left.checked_sub(n as u64) else {
            return too_much("there is far too much in it for its size");
        };
        let Some(headers) = self.headers.get().checked_sub(n as u64) else {
            return too_much("a name in it is far too long");
        };
        self.left = left;
        self.headers.set(headers);
        Ok(n)
    }
}
