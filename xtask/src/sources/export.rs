//! The tree of a commit as a tar file.
//!
//! It is read from git's objects themselves: no work tree is checked out, so that nothing in the
//! repository or in the user's settings (attributes, filters, line ends, export-subst) has a say in
//! what the files hold. Submodules stay empty.

use std::{
    io::{BufRead, BufReader, Read},
    os::unix::ffi::OsStrExt,
    path::Path,
};

use el7rpm::spec::Source;

use super::{folder::zero_ended, git::Git, links::plain};
use crate::failure::{Class, Classify, Failure, Result};

/// An entry of a commit's tree.
struct TreeEntry<'a> {
    mode: &'a str,
    object: &'a str,
    path: &'a Path,
}

/// Writes the tree of a commit as a tar file. The same commit always gives the same bytes.
pub(super) fn export(
    git: &Git<'_>,
    source: &Source,
    repository: &Path,
    id: &str,
    tar: &Path,
) -> Result<()> {
    let list = git.read(repository, ["ls-tree", "-r", "-t", "-z", "--full-tree", id])?;
    let entries: Option<Vec<_>> = zero_ended(&list).map(tree_entry).collect();
    let entries = entries.ok_or_else(|| odd("ls-tree printed what it never prints"))?;
    for entry in &entries {
        plain(entry.path.as_os_str().as_bytes()).map_err(|why| {
            let path = entry.path.display();
            unusable(source, &format!("its entry `{path}` {why}"))
        })?;
    }
    let has_content = |e: &&TreeEntry<'_>| e.mode == "120000" || e.mode.starts_with("100");
    let wanted = entries.iter().filter(has_content).map(|e| e.object);
    let wanted: Vec<_> = std::iter::once(id).chain(wanted).collect();
    let command = git.command(repository, ["cat-file", "--batch"]);
    let command = command.stdin_bytes(wanted.join("\n") + "\n").stderr_null();
    let reader = command.reader().class(Class::Source)?;
    let mut objects = BufReader::with_capacity(1 << 16, &reader);
    let time = commit_time(&mut objects, id)?;
    let mut builder = tar::Builder::new(fs_err::File::create(tar).class(Class::Output)?);
    for entry in &entries {
        append(&mut builder, &mut objects, entry, time)?;
    }
    builder.into_inner().and_then(|f| f.sync_all()).class(Class::Output)
}

/// The failure of a commit with something in it that has no place in a tree.
pub(super) fn unusable(source: &Source, why: &str) -> Failure {
    let message = format!("the commit of `{}` cannot be used: {why}", source.name);
    Failure::new(Class::Source, message).help("pin another commit; nothing was kept of this one")
}

fn odd(what: &str) -> Failure {
    Failure::new(Class::Source, format!("git {what}")).help("is git whole? `git --version`")
}

/// `MODE TYPE OBJECT<tab>PATH`
fn tree_entry(line: &Path) -> Option<TreeEntry<'_>> {
    let bytes = line.as_os_str().as_bytes();
    let tab = bytes.iter().position(|b| *b == b'\t')?;
    let mut words = std::str::from_utf8(&bytes[..tab]).ok()?.split(' ');
    let (mode, _, object) = (words.next()?, words.next()?, words.next()?);
    let path = Path::new(std::ffi::OsStr::from_bytes(&bytes[tab + 1..]));
    Some(TreeEntry { mode, object, path })
}

/// The head of the next object; its content follows, and the end of a line.
fn object_size(objects: &mut impl BufRead, id: &str) -> Result<u64> {
    let mut head = String::new();
    objects.read_line(&mut head).class(Class::Source)?;
    let mut words = head.split_whitespace();
    let size = (words.next() == Some(id)).then(|| words.nth(1)).flatten();
    size.and_then(|s| s.parse().ok()).ok_or_else(|| odd(&format!("cannot read the object {id}")))
}

fn end_of_object(objects: &mut impl BufRead) -> Result<()> {
    objects.read_exact(&mut [0]).class(Class::Source)
}

fn commit_time(objects: &mut impl BufRead, id: &str) -> Result<u64> {
    let size = object_size(objects, id)?;
    let mut text = Vec::new();
    objects.by_ref().take(size).read_to_end(&mut text).class(Class::Source)?;
    end_of_object(objects)?;
    let text = String::from_utf8_lossy(&text);
    let committer = text.lines().find(|l| l.starts_with("committer ")).unwrap_or_default();
    // After the address: seconds since 1970, and a zone.
    let mut words = committer.rsplit(' ');
    Ok(words.nth(1).and_then(|t| t.parse().ok()).unwrap_or(0))
}

fn append(
    builder: &mut tar::Builder<fs_err::File>,
    objects: &mut impl BufRead,
    entry: &TreeEntry<'_>,
    time: u64,
) -> Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_mtime(time);
    // Old repositories have 100664 and the like as well.
    let executable = u32::from_str_radix(entry.mode, 8).is_ok_and(|mode| mode & 0o100 != 0);
    header.set_mode(if executable { 0o755 } else { 0o644 });
    header.set_size(0);
    match entry.mode {
        "040000" | "160000" => {
            header.set_entry_type(tar::EntryType::Directory);
            builder.append_data(&mut header, entry.path, std::io::empty()).class(Class::Source)
        }
        "120000" => {
            let size = object_size(objects, entry.object)?;
            let mut target = Vec::new();
            objects.by_ref().take(size).read_to_end(&mut target).class(Class::Source)?;
            end_of_object(objects)?;
            header.set_entry_type(tar::EntryType::Symlink);
            append_target(builder, &mut header, &target)?;
            builder.append_data(&mut header, entry.path, std::io::empty()).class(Class::Source)
        }
        file if file.starts_with("100") => {
            let size = object_size(objects, entry.object)?;
            header.set_size(size);
            let content = objects.by_ref().take(size);
            builder.append_data(&mut header, entry.path, content).class(Class::Source)?;
            end_of_object(objects)
        }
        other => Err(odd(&format!("knows entries of mode {other}, which means nothing here"))),
    }
}

/// The target of a link, byte for byte; the library's own way would tidy it.
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
