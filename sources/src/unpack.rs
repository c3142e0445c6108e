//! Writes the tree of an archive into a new folder, after [`Layout`] has found nothing wrong with it.
//!
//! Owners are dropped, and permissions are those of a fresh checkout. Times are kept, because make
//! compares them. Times in the future are set back.

use std::{
    collections::BTreeSet,
    io::{self, BufReader, Read},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use fs_err::File;
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};

use super::{
    bzip2::Streams,
    limits::{Limits, Refusal},
    survey::{LEADS_OUT, LINKS_OUT_HELP, Layout, Metered, NO_TAR_FILE, NodeKind, each},
};
use base::failure::{Class, Classify, Failure, Result};

/// A tar file, compressed or not.
#[derive(Clone, Debug)]
pub(super) struct TarFile {
    pub(super) path: PathBuf,
    /// What it is to the user.
    pub(super) what: String,
    /// If all entries are in one folder: whether its name is removed from their paths.
    pub(super) strip: bool,
    /// Paths of the links that may lead out.
    pub(super) links_out: BTreeSet<PathBuf>,
}

/// Limit in bytes for the memory to unpack xz or lzma. Their highest level needs 65 MiB.
const XZ_MEMORY: u64 = 512 << 20;

impl TarFile {
    /// Writes its tree into the folder `into`, which must be empty or not exist. Files of
    /// version control are left out; the path of the first one is returned.
    pub(super) fn unpack(&self, into: &Path) -> Result<Option<PathBuf>> {
        let size = fs_err::metadata(&self.path).class(Class::Source)?.len();
        self.unpack_within(into, Limits::for_size(size))
    }

    pub(super) fn unpack_within(&self, into: &Path, limits: Limits) -> Result<Option<PathBuf>> {
        let layout = self.survey(limits)?;
        fill_new_folder(into, || self.write(&layout, limits, into))?;
        Ok(layout.left_out)
    }

    /// Checks that it can be unpacked, and writes nothing.
    pub(super) fn look_through(&self) -> Result<()> {
        let size = fs_err::metadata(&self.path).class(Class::Source)?.len();
        self.survey(Limits::for_size(size)).map(|_| ())
    }

    fn survey(&self, limits: Limits) -> Result<Layout> {
        let survey = || Layout::of(self.open()?, limits, self.strip, &self.links_out);
        survey().map_err(|refusal| self.refuse(&refusal))
    }

    /// Opens it, and uncompresses its content.
    fn open(&self) -> Result<Box<dyn Read>, Refusal> {
        let mut file = BufReader::with_capacity(1 << 16, File::open(&self.path)?);
        let mut magic = Vec::new();
        file.by_ref().take(6).read_to_end(&mut magic)?;
        let whole = io::Cursor::new(magic.clone()).chain(file);
        Ok(match magic.as_slice() {
            [0x1f, 0x8b, ..] => Box::new(flate2::read::MultiGzDecoder::new(whole)),
            [0xfd, b'7', b'z', b'X', b'Z', 0] => {
                let flags = liblzma::stream::CONCATENATED;
                let stream = liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY, flags)
                    .map_err(io::Error::from)?;
                Box::new(liblzma::read::XzDecoder::new_stream(whole, stream))
            }
            // lzma's usual properties, and a dictionary of 64 KiB or a multiple of it.
            [0x5d, 0, 0, ..] => {
                let stream = liblzma::stream::Stream::new_lzma_decoder(XZ_MEMORY)
                    .map_err(io::Error::from)?;
                Box::new(liblzma::read::XzDecoder::new_stream(whole, stream))
            }
            [b'B', b'Z', b'h', ..] => Box::new(Streams::new(whole)),
            [b'P', b'K', ..] | [0x28, 0xb5, 0x2f, 0xfd, ..] => {
                return Err(Refusal(NO_TAR_FILE.into()));
            }
            _ => Box::new(whole),
        })
    }

    fn write(&self, layout: &Layout, limits: Limits, into: &Path) -> Result<()> {
        for (path, node) in &layout.nodes {
            if node.kind == NodeKind::Dir {
                fs_err::create_dir(into.join(path)).class(Class::Output)?;
            }
        }
        self.write_files(layout, limits, into)?;
        for (path, node) in &layout.nodes {
            let at = into.join(path);
            match &node.kind {
                NodeKind::Link(target) => fs_err::os::unix::fs::symlink(target, at),
                NodeKind::Hard(file) => fs_err::hard_link(into.join(file), at),
                NodeKind::Dir | NodeKind::File { .. } => Ok(()),
            }
            .class(Class::Output)?;
        }
        set_times(layout, into)
    }

    fn write_files(&self, layout: &Layout, limits: Limits, into: &Path) -> Result<()> {
        let mut files = layout.nodes.iter().filter_map(|(path, node)| match node.kind {
            NodeKind::File { number, executable } => Some((number, (path, executable))),
            _ => None,
        });
        let files: std::collections::HashMap<_, _> = files.by_ref().collect();
        // A full disk must not look like a damaged archive.
        let mut failed = None;
        let ended = self.open().and_then(|reader| {
            each(reader, limits, |number, entry| {
                let Some((path, executable)) = files.get(&number) else { return Ok(()) };
                write_file(&into.join(path), *executable, entry).map_err(|failure| {
                    failed = Some(failure);
                    Refusal(String::new())
                })
            })
        });
        match (failed, ended) {
            (Some(failure), _) => Err(failure),
            (None, ended) => ended.map_err(|refusal| self.refuse(&refusal)),
        }
    }

    fn refuse(&self, refusal: &Refusal) -> Failure {
        let help = match &refusal.0 {
            why if why == NO_TAR_FILE => {
                "if it is to be taken as it is, write `unpack = false` beside its `url`"
            }
            why if why.contains(LEADS_OUT) => LINKS_OUT_HELP,
            _ => "nothing was written; look at what was pinned before you trust it",
        };
        Failure::new(Class::Source, format!("{} is not unpacked: {}", self.what, refusal.0))
            .help(help)
    }
}

fn write_file(
    path: &Path,
    executable: bool,
    entry: &mut tar::Entry<'_, Metered<'_>>,
) -> Result<()> {
    let mut options = fs_err::OpenOptions::new();
    let mut file = options.write(true).create_new(true).open(path).class(Class::Output)?;
    let size = entry.size();
    let copied = io::copy(entry, &mut file).class(Class::Output)?;
    if copied != size {
        let message = format!("{} ends too early", path.display());
        return Err(Failure::new(Class::Source, message));
    }
    set_mode(path, executable)
}

/// Sets the permissions that a file has in a fresh checkout. The umask does not matter.
pub(super) fn set_mode(path: &Path, executable: bool) -> Result<()> {
    let mode = if executable { 0o755 } else { 0o644 };
    let permissions = std::fs::Permissions::from_mode(mode);
    fs_err::set_permissions(path, permissions).class(Class::Output)
}

/// Fills a folder, which must be empty or not exist. If this fails, the folder is emptied, because half a tree must not be
/// used.
pub(super) fn fill_new_folder(into: &Path, fill: impl FnOnce() -> Result<()>) -> Result<()> {
    new_folder(into)?;
    fill().inspect_err(|_| {
        let _ = clear(into);
    })
}

fn new_folder(into: &Path) -> Result<()> {
    fs_err::create_dir_all(into).class(Class::Output)?;
    match fs_err::read_dir(into).class(Class::Output)?.next() {
        None => Ok(()),
        Some(_) => {
            let message = format!("{} is not empty; sources go into new folders", into.display());
            Err(Failure::new(Class::Output, message))
        }
    }
}

/// Removes everything in a folder.
pub(super) fn clear(into: &Path) -> Result<()> {
    fs_err::remove_dir_all(into).class(Class::Output)?;
    fs_err::create_dir(into).class(Class::Output)
}

fn set_times(layout: &Layout, into: &Path) -> Result<()> {
    let times = Times::of(layout.nodes.values().filter_map(|n| n.time));
    // Changes inside a folder change its time, so folders come last.
    for (path, node) in layout.nodes.iter().rev() {
        let path = into.join(path);
        if node.kind == NodeKind::Dir {
            set_mode(&path, true)?;
        }
        set_time(&path, times.without_future(node.time), 0)?;
    }
    set_mode(into, true)?;
    set_time(into, times.without_future(None), 0)
}

/// Corrects the times of a tree that are in the future.
pub(super) struct Times {
    now: i64,
    newest: i64,
}

impl Times {
    pub(super) fn of(all: impl Iterator<Item = i64>) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_or(i64::MAX, |d| d.as_secs() as i64);
        Self { now, newest: all.filter(|t| *t <= now).max().unwrap_or(0) }
    }

    /// The time, or the newest time of the tree that is not in the future. So a file that is newer than
    /// another one stays newer, or gets the same time.
    pub(super) fn without_future(&self, time: Option<i64>) -> i64 {
        time.filter(|t| *t <= self.now).unwrap_or(self.newest)
    }
}

/// Sets the time of a file, a folder, or a link itself.
pub(super) fn set_time(path: &Path, seconds: i64, nanos: i64) -> Result<()> {
    let time = Timespec { tv_sec: seconds, tv_nsec: nanos };
    let times = Timestamps { last_access: time, last_modification: time };
    utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)
        .map_err(|e| {
            let error = io::Error::from(e);
            io::Error::new(error.kind(), format!("{}: {error}", path.display()))
        })
        .class(Class::Output)
}
