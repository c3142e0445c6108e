//! Reads a whole tar file before anything is written. It finds out which files the tree will have, and
//! whether an entry would be written outside of its folder, or would fill the disk.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    io::{self, Read},
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
    rc::Rc,
};

use tar::{Archive, Entry, EntryType};

use super::{
    limits::{Limits, Refusal, Tally, short},
    links::{LONGEST, leading_out, plain},
    metadata, pax,
};

/// Limit in bytes for the headers of one entry, such as long names.
const HEADERS: u64 = 1 << 18;

/// A file, folder or link of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) kind: NodeKind,
    /// Its time in seconds since 1970; `None` for a folder that has no entry in the archive.
    pub(super) time: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NodeKind {
    Dir,
    File {
        /// The number of its entry in the archive.
        number: usize,
        executable: bool,
    },
    Link(PathBuf),
    /// A hard link: another name of a file.
    Hard(PathBuf),
}

/// The tree that will be written.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) nodes: BTreeMap<PathBuf, Node>,
    /// The first entry that is left out because it belongs to version control.
    pub(super) left_out: Option<PathBuf>,
    /// Whether an entry at the top of the tree was left out.
    left_out_on_top: bool,
    tally: Tally,
}

impl Layout {
    /// Reads the tar file `reader`. `strip`: if all entries are in one folder, its name is removed from their paths.
    /// `links_out`: the links that may lead out, by these paths.
    pub(super) fn of(
        reader: impl Read,
        limits: Limits,
        strip: bool,
        links_out: &BTreeSet<PathBuf>,
    ) -> Result<Self, Refusal> {
        let mut own = Self {
            nodes: BTreeMap::new(),
            left_out: None,
            left_out_on_top: false,
            tally: Tally::within(limits),
        };
        each(reader, limits, |number, entry| own.add(number, entry))?;
        if strip {
            own.strip();
        }
        own.leave_out_repositories()?;
        if own.nodes.is_empty() {
            return Err(Refusal("it holds nothing".into()));
        }
        own.check_links(links_out)?;
        Ok(own)
    }

    fn add(&mut self, number: usize, entry: &mut Entry<'_, impl Read>) -> Result<(), Refusal> {
        let kind = entry.header().entry_type();
        let name = entry.path_bytes().into_owned();
        let refuse = |why: &str| {
            Err(Refusal(format!("its entry `{}` {why}", short(&String::from_utf8_lossy(&name)))))
        };
        if kind == EntryType::XGlobalHeader {
            return match pax::global_fault(entry)? {
                Some(why) => refuse(&why),
                None => Ok(()),
            };
        }
        if let Some(why) = pax::fault(entry) {
            return refuse(&why);
        }
        let path = match plain(&name) {
            Ok(path) => path,
            Err(why) => return refuse(why),
        };
        if metadata::is_in(&path) {
            let top: &Path = path.iter().next().map_or(&path, Path::new);
            self.left_out_on_top |= metadata::is_in(top);
            self.left_out.get_or_insert(path);
            return Ok(());
        }
        let kind = match self.kind(number, entry, &name) {
            Ok(kind) => kind,
            Err(why) => return refuse(why),
        };
        let time = entry.header().mtime().ok().and_then(|t| i64::try_from(t).ok());
        let node = Node { kind, time: Some(time.unwrap_or(0)) };
        match self.check_place(&path, &node) {
            Ok(()) => self.put(path, node),
            Err(why) => refuse(&why),
        }
    }

    fn kind(
        &self,
        number: usize,
        entry: &mut Entry<'_, impl Read>,
        name: &[u8],
    ) -> Result<NodeKind, &'static str> {
        let target = entry.link_name_bytes().map(|t| t.into_owned()).unwrap_or_default();
        match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous if is_sparse(entry) => {
                Err("is a sparse file: pack it without --sparse")
            }
            // Old tar files mark folders in this way.
            EntryType::Regular if name.ends_with(b"/") => Ok(NodeKind::Dir),
            EntryType::Regular | EntryType::Continuous => {
                let mode = entry.header().mode().unwrap_or(0o644);
                Ok(NodeKind::File { number, executable: mode & 0o111 != 0 })
            }
            EntryType::Directory => Ok(NodeKind::Dir),
            EntryType::Symlink if target.is_empty() || target.contains(&0) => {
                Err("is a link to nothing")
            }
            EntryType::Symlink if target.len() > LONGEST => Err("is a link to too long a path"),
            EntryType::Symlink => Ok(NodeKind::Link(OsString::from_vec(target).into())),
            EntryType::Link => {
                let to = plain(&target).map_err(|_| "is a hard link out of the archive")?;
                match self.nodes.get(&to).map(|n| &n.kind) {
                    Some(NodeKind::File { .. }) => Ok(NodeKind::Hard(to)),
                    Some(NodeKind::Hard(file)) => Ok(NodeKind::Hard(file.clone())),
                    _ => Err(
                        "is a hard link to an entry that is no file, or comes later in the archive",
                    ),
                }
            }
            EntryType::Char | EntryType::Block => Err("is a device"),
            EntryType::Fifo => Err("is a FIFO"),
            EntryType::GNUSparse => Err("is a sparse file: pack it without --sparse"),
            _ => Err("is neither a file, a folder nor a link"),
        }
    }

    /// Fails if an entry cannot have this path, because of the entries before it.
    fn check_place(&self, path: &Path, node: &Node) -> Result<(), String> {
        let known = |path: &Path| self.nodes.get(path).map(|n| &n.kind);
        let mut above = path.ancestors().skip(1).filter_map(|p| Some((p, known(p)?)));
        match above.next() {
            None | Some((_, NodeKind::Dir)) => {}
            Some((above, _)) => {
                let above = short(&above.to_string_lossy());
                return Err(format!("lies below `{above}`, which is no folder"));
            }
        }
        match known(path) {
            // The root is no entry.
            None if path == Path::new("") && node.kind != NodeKind::Dir => {
                Err("has no name".into())
            }
            None => Ok(()),
            Some(NodeKind::Dir) if node.kind == NodeKind::Dir => Ok(()),
            Some(_) => Err("stands in it twice".into()),
        }
    }

    /// Adds an entry, and the folders that contain it. Folders without entries of their own
    /// are counted as well.
    fn put(&mut self, path: PathBuf, node: Node) -> Result<(), Refusal> {
        if path == Path::new("") {
            return Ok(());
        }
        for above in path.ancestors().skip(1).filter(|p| *p != Path::new("")) {
            if self.nodes.contains_key(above) {
                break;
            }
            self.tally.add(above, 0)?;
            self.nodes.insert(above.to_owned(), Node { kind: NodeKind::Dir, time: None });
        }
        let target = match &node.kind {
            NodeKind::Link(target) | NodeKind::Hard(target) => target.as_os_str().len(),
            NodeKind::Dir | NodeKind::File { .. } => 0,
        };
        self.tally.add(&path, target)?;
        self.nodes.insert(path, node);
        Ok(())
    }

    fn strip(&mut self) {
        let mut tops = self.nodes.iter().filter(|(p, _)| p.components().count() == 1);
        let (Some((top, Node { kind: NodeKind::Dir, .. })), None) = (tops.next(), tops.next())
        else {
            return;
        };
        if self.left_out_on_top {
            return;
        }
        let top = top.clone();
        let below = |path: &Path| path.strip_prefix(&top).unwrap_or(path).to_owned();
        self.nodes.remove(&top);
        let nodes = std::mem::take(&mut self.nodes).into_iter().map(|(path, mut node)| {
            if let NodeKind::Hard(to) = &mut node.kind {
                *to = below(to);
            }
            (below(&path), node)
        });
        self.nodes = nodes.collect();
    }

    /// Leaves out settings and hooks of folders that git would treat as repositories, because they can run programs.
    fn leave_out_repositories(&mut self) -> Result<(), Refusal> {
        let settings = metadata::settings_of_repositories(&self.nodes);
        let Some(first) = settings.first() else { return Ok(()) };
        self.left_out.get_or_insert_with(|| first.clone());
        self.nodes.retain(|path, _| !path.ancestors().any(|p| settings.contains(p)));
        let lost = self.nodes.iter().find_map(|(path, node)| match &node.kind {
            NodeKind::Hard(to) if !self.nodes.contains_key(to) => Some((path, to)),
            _ => None,
        });
        let Some((path, to)) = lost else { return Ok(()) };
        let (path, to) = (path.to_string_lossy(), to.to_string_lossy());
        let (path, to) = (short(&path), short(&to));
        Err(Refusal(format!("its entry `{path}` is a hard link to `{to}`, which is left out")))
    }

    fn check_links(&self, links_out: &BTreeSet<PathBuf>) -> Result<(), Refusal> {
        let tree = self.nodes.iter().filter_map(|(path, node)| match &node.kind {
            NodeKind::Dir => Some((path.as_path(), None)),
            NodeKind::Link(target) => Some((path.as_path(), Some(target.as_path()))),
            NodeKind::File { .. } | NodeKind::Hard(_) => None,
        });
        let Some((path, target)) = leading_out(tree, links_out) else { return Ok(()) };
        let (path, target) = (path.to_string_lossy(), target.to_string_lossy());
        let (path, target) = (short(&path), short(&target));
        Err(Refusal(format!("its link `{path}` {LEADS_OUT}, to `{target}`")))
    }
}

/// Whether it is a sparse file. GNU tar's newer forms look like plain files, whose content begins with a list of holes.
fn is_sparse(entry: &mut Entry<'_, impl Read>) -> bool {
    match entry.pax_extensions() {
        Ok(Some(mut extensions)) => {
            extensions.any(|e| e.is_ok_and(|e| e.key_bytes().starts_with(b"GNU.sparse.")))
        }
        _ => false,
    }
}

/// What is said of a link that leads out.
pub(super) const LEADS_OUT: &str = "leads out of it";

/// What to do about it.
pub(super) const LINKS_OUT_HELP: &str = "look at what was pinned before you trust it; if the build is to have this link as it is, name its path in \
     `links-out` of the source in package.toml";

/// The message for a file that is no tar file.
pub(super) const NO_TAR_FILE: &str =
    "only tar files are, plain or packed with gzip, xz, lzma or bzip2";

/// Calls `take` with each entry and its number, and checks the limits. The rest of each entry's content is
/// read as well, so that damaged and too large files are noticed.
pub(super) fn each(
    mut reader: impl Read,
    limits: Limits,
    mut take: impl FnMut(usize, &mut Entry<'_, Metered<'_>>) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let mut first = Vec::new();
    reader.by_ref().take(BLOCK).read_to_end(&mut first)?;
    check_first(&first)?;
    let reader = io::Cursor::new(first).chain(reader);
    let headers = Rc::new(Cell::new(HEADERS));
    let state = Rc::new(Cell::new(ReadState::More));
    let metered = Metered {
        inner: Box::new(reader),
        left: limits.bytes,
        headers: headers.clone(),
        state: state.clone(),
    };
    let mut archive = Archive::new(metered);
    for (number, entry) in archive.entries()?.enumerate() {
        limits.check_entries(number)?;
        let mut entry = entry.map_err(|error| damaged(error, number, state.get()))?;
        headers.set(u64::MAX);
        take(number, &mut entry)?;
        io::copy(&mut entry, &mut io::sink())
            .map_err(|error| damaged(error, number, state.get()))?;
        headers.set(HEADERS);
    }
    Ok(())
}

/// Size in bytes of a header, with which an archive begins.
const BLOCK: u64 = 512;

/// Fails if this is not the beginning of a tar file. The library's error would quote the bytes.
fn check_first(block: &[u8]) -> Result<(), Refusal> {
    if block.is_empty() {
        return Err(Refusal("it holds nothing".into()));
    }
    let mut header = tar::Header::new_old();
    let is_whole = block.len() as u64 == BLOCK;
    if is_whole {
        header.as_mut_bytes().copy_from_slice(block);
    }
    let sum = |block: &[u8]| block.iter().map(|b| u32::from(*b)).sum::<u32>();
    // The checksum's own field counts as spaces.
    let found = || sum(&block[..148]) + 8 * u32::from(b' ') + sum(&block[156..]);
    let is_end = block.iter().all(|b| *b == 0);
    match is_whole && (is_end || header.cksum().is_ok_and(|stated| stated == found())) {
        true => Ok(()),
        false => Err(Refusal(NO_TAR_FILE.into())),
    }
}

/// The message for an error of reading an entry. The library's own errors quote bytes of the entry, and are not shown; errors
/// of the reader below it are.
fn damaged(error: io::Error, number: usize, state: ReadState) -> Refusal {
    match state {
        ReadState::Failed => error.into(),
        ReadState::Ended => Refusal("it ends too early".into()),
        ReadState::More => Refusal(format!("the header of its entry {} is damaged", number + 1)),
    }
}

/// The state of reading.
#[derive(Clone, Copy)]
enum ReadState {
    More,
    Ended,
    Failed,
}

/// Counts the bytes that are read. (The library that reads entries would take names of any length into memory.)
pub(super) struct Metered<'a> {
    inner: Box<dyn Read + 'a>,
    left: u64,
    headers: Rc<Cell<u64>>,
    state: Rc<Cell<ReadState>>,
}

impl Metered<'_> {
    fn count(&mut self, n: usize) -> io::Result<usize> {
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

impl Read for Metered<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer).and_then(|n| self.count(n));
        self.state.set(match read {
            Ok(0) => ReadState::Ended,
            Ok(_) => ReadState::More,
            // The caller tries again.
            Err(ref e) if e.kind() == io::ErrorKind::Interrupted => ReadState::More,
            Err(_) => ReadState::Failed,
        });
        read
    }
}
