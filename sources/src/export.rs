//! Writes the tree of a commit as a tar file.
//!
//! It reads git's objects, and checks out no work tree. So attributes, filters, line ends and export-subst, in
//! the repository or in the user's settings, cannot change the content of files.
//! Submodules become empty folders.

use std::{
    ffi::OsString,
    io::{BufRead, BufReader, Read, Write},
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

use el7rpm::spec::Source;

use super::{
    git::Git,
    limits::{Limits, Tally, processor_time, short, size_of},
    links::{LONGEST, plain},
};
use base::{
    failure::{Class, Classify, Failure, Result},
    process::Allowance,
};

/// An entry of a commit's tree.
struct TreeEntry {
    mode: String,
    object: String,
    path: PathBuf,
}

/// Writes the tree of a commit as a tar file. The same commit always gives the same bytes.
pub(super) fn export(
    git: &Git,
    source: &Source,
    repository: &Path,
    id: &str,
    tar: &Path,
) -> Result<()> {
    // A few git objects can refer to each other so often that they stand for any number of files.
    let fetched = size_of(&repository.join("objects"));
    let limits = Limits::for_size(fetched);
    let entries = list(git, source, repository, id, limits)?;
    let has_content = |e: &&TreeEntry| e.mode == "120000" || e.mode.starts_with("100");
    let wanted = entries.iter().filter(has_content).map(|e| e.object.as_str());
    let wanted: Vec<_> = std::iter::once(id).chain(wanted).collect();
    let command = git.command(repository, ["cat-file", "--batch"]);
    let reader = command.reader((wanted.join("\n") + "\n").into()).class(Class::Source)?;
    let input = BufReader::with_capacity(1 << 16, &reader);
    let objects = Objects { source, input, left: limits.bytes };
    let allowance = Allowance { time: &|| processor_time(fetched), counts: |_| true };
    match allowance.hold(&reader, || write(objects, &entries, id, tar)) {
        (_, true) => {
            Err(unusable(source, "it takes far more processor time than its size is worth"))
        }
        (written, false) => written,
    }
}

fn write<R: BufRead>(
    mut objects: Objects<'_, R>,
    entries: &[TreeEntry],
    id: &str,
    tar: &Path,
) -> Result<()> {
    let time = objects.commit_time(id)?;
    let mut builder = tar::Builder::new(fs_err::File::create(tar).class(Class::Output)?);
    for entry in entries {
        objects.append(&mut builder, entry, time)?;
    }
    builder.into_inner().and_then(|f| f.sync_all()).class(Class::Output)
}

/// Lists a commit's tree. git is stopped if there are more entries than the limit.
fn list(
    git: &Git,
    source: &Source,
    repository: &Path,
    id: &str,
    limits: Limits,
) -> Result<Vec<TreeEntry>> {
    let command = git.command(repository, ["ls-tree", "-r", "-t", "-z", "--full-tree", id]);
    let reader = command.reader(Vec::new()).class(Class::Source)?;
    let mut input = BufReader::with_capacity(1 << 16, &reader);
    let mut tally = Tally::within(limits);
    let mut entries = Vec::new();
    let mut line = Vec::new();
    while input.by_ref().take(LONGEST as u64 + 100).read_until(0, &mut line).class(Class::Source)?
        > 0
    {
        let entry = line.strip_suffix(&[0]).and_then(tree_entry);
        let entry = entry.ok_or_else(|| unusable(source, "it has too long a path"))?;
        plain(entry.path.as_os_str().as_bytes()).map_err(|why| {
            let path = entry.path.to_string_lossy();
            unusable(source, &format!("its entry `{}` {why}", short(&path)))
        })?;
        tally.add(&entry.path, entry.object.len()).map_err(|why| unusable(source, &why.0))?;
        entries.push(entry);
        line.clear();
    }
    let ended = reader.status().class(Class::Source)?;
    match ended.is_some_and(|status| status.success()) {
        true => Ok(entries),
        false => {
            Err(unusable(source, "git cannot list its files within the memory that it may use"))
        }
    }
}

/// The failure for a commit with an entry that may not be in a source.
pub(super) fn unusable(source: &Source, why: &str) -> Failure {
    let message = format!("the commit of `{}` cannot be used: {why}", source.name);
    Failure::new(Class::Source, message).help("pin another commit; nothing was kept of this one")
}

fn odd(what: &str) -> Failure {
    Failure::new(Class::Source, format!("git {what}"))
        .help("check that git is installed completely: `git --version`")
}

/// `MODE TYPE OBJECT<tab>PATH`
fn tree_entry(bytes: &[u8]) -> Option<TreeEntry> {
    let tab = bytes.iter().position(|b| *b == b'\t')?;
    let mut words = std::str::from_utf8(&bytes[..tab]).ok()?.split(' ');
    let (mode, _, object) = (words.next()?, words.next()?, words.next()?);
    let path = OsString::from_vec(bytes[tab + 1..].to_vec()).into();
    Some(TreeEntry { mode: mode.to_owned(), object: object.to_owned(), path })
}

/// Reads objects from `git cat-file --batch`, one after the other.
struct Objects<'a, R> {
    source: &'a Source,
    input: R,
    /// Bytes that may still be read.
    left: u64,
}

/// Bytes of a commit that are read: more than any commit's header has.
const HEAD: u64 = 1 << 20;

impl<R: BufRead> Objects<'_, R> {
    /// Reads the size of the next object. Its content comes next, and then a line feed.
    fn size(&mut self, id: &str) -> Result<u64> {
        let mut head = String::new();
        self.input.read_line(&mut head).class(Class::Source)?;
        let mut words = head.split_whitespace();
        let size = (words.next() == Some(id)).then(|| words.nth(1)).flatten();
        let size: u64 = size.and_then(|s| s.parse().ok()).ok_or_else(|| self.ended_early(id))?;
        self.left = self
            .left
            .checked_sub(size)
            .ok_or_else(|| unusable(self.source, "there is far too much in it for its size"))?;
        Ok(size)
    }

    /// Copies `size` bytes, and reads the line feed after them.
    fn copy(&mut self, id: &str, size: u64, to: &mut impl Write) -> Result<()> {
        let copied = std::io::copy(&mut self.input.by_ref().take(size), to).class(Class::Output)?;
        self.end(id, copied == size)
    }

    fn end(&mut self, id: &str, whole: bool) -> Result<()> {
        let ended = self.input.read_exact(&mut [0]).is_ok();
        if whole && ended { Ok(()) } else { Err(self.ended_early(id)) }
    }

    /// The failure if git ends early. It gives no reason itself.
    fn ended_early(&self, id: &str) -> Failure {
        unusable(
            self.source,
            &format!("git cannot read the object {id}, or it is too large for it"),
        )
    }

    fn commit_time(&mut self, id: &str) -> Result<u64> {
        let size = self.size(id)?;
        let mut text = Vec::new();
        self.input.by_ref().take(size.min(HEAD)).read_to_end(&mut text).class(Class::Source)?;
        self.copy(id, size - text.len() as u64, &mut std::io::sink())?;
        let text = String::from_utf8_lossy(&text);
        let committer = text.lines().find(|l| l.starts_with("committer ")).unwrap_or_default();
        // After the e-mail address: seconds since 1970, and a time zone.
        let mut words = committer.rsplit(' ');
        Ok(words.nth(1).and_then(|t| t.parse().ok()).unwrap_or(0))
    }

    fn target(&mut self, entry: &TreeEntry) -> Result<Vec<u8>> {
        let size = self.size(&entry.object)?;
        if size > LONGEST as u64 {
            let path = short(&entry.path.to_string_lossy());
            return Err(unusable(
                self.source,
                &format!("its link `{path}` leads to too long a path"),
            ));
        }
        let mut target = Vec::new();
        self.copy(&entry.object, size, &mut target)?;
        Ok(target)
    }

    fn append(
        &mut self,
        builder: &mut tar::Builder<fs_err::File>,
        entry: &TreeEntry,
        time: u64,
    ) -> Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_mtime(time);
        // Old repositories have other modes as well, such as 100664.
        let executable = u32::from_str_radix(&entry.mode, 8).is_ok_and(|mode| mode & 0o100 != 0);
        header.set_mode(if executable { 0o755 } else { 0o644 });
        header.set_size(0);
        let path = entry.path.as_path();
        match entry.mode.as_str() {
            "040000" | "160000" => {
                header.set_entry_type(tar::EntryType::Directory);
                builder.append_data(&mut header, path, std::io::empty()).class(Class::Output)
            }
            "120000" => {
                let target = self.target(entry)?;
                header.set_entry_type(tar::EntryType::Symlink);
                append_target(builder, &mut header, &target)?;
                builder.append_data(&mut header, path, std::io::empty()).class(Class::Output)
            }
            file if file.starts_with("100") => {
                let size = self.size(&entry.object)?;
                header.set_size(size);
                let mut content = self.input.by_ref().take(size);
                builder.append_data(&mut header, path, &mut content).class(Class::Output)?;
                let whole = content.limit() == 0;
                self.end(&entry.object, whole)
            }
            other => Err(odd(&format!(
                "has entries of mode {other}, which are neither files, folders, links nor submodules"
            ))),
        }
    }
}

/// Appends a link with its exact target. The function of the library would normalise it.
fn append_target(
    builder: &mut tar::Builder<fs_err::File>,
    header: &mut tar::Header,
    target: &[u8],
) -> Result<()> {
    const ROOM: usize = 100;
    if target.len() > ROOM {
        let mut long = tar::Header::new_gnu();
        long.set_entry_type(tar::EntryType::GNULongLink);
        long.set_path("././@LongLink").class(Class::Source)?;
        long.set_size(target.len() as u64 + 1);
        long.set_mode(0o644);
        long.set_cksum();
        builder.append(&long, target.chain(&[0][..])).class(Class::Source)?;
    }
    let short = &target[..target.len().min(ROOM)];
    header.set_link_name_literal(short).class(Class::Source)
}
