//! Patches of a description, applied to the tree of a source by `git apply`.
//!
//! It accepts all forms of patches, with new modes, and with renamed and binary files. It has no
//! fuzz: every line of context must exist, but may be at another position. It applies a patch as a whole or
//! not at all, and does not write outside of the folder or through links. It gets an empty repository, so
//! that it uses no repository around the tree, no settings of the user, and no attributes, with which a tree could
//! change lines or run programs.

use std::{
    collections::{BTreeMap, BTreeSet},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use el7rpm::input;
use walkdir::WalkDir;

use super::{
    folder::SourceFolder,
    git::Git,
    limits::short,
    metadata,
    unpack::{set_mode, set_time},
};
use base::{
    failure::{Class, Classify, Failure, Result},
    process::Program,
    workspace::Workspace,
};

/// A patch that has been read.
#[derive(Clone, Debug)]
pub(super) struct Patch {
    /// Its path, relative to the checkout.
    name: String,
    content: Vec<u8>,
}

/// Limit in bytes for a patch, which is read into memory.
const LARGEST: u64 = 64 << 20;

/// Number of git's lines that a message has.
const LINES: usize = 20;

impl Patch {
    pub(super) fn read(path: &Path, workspace: &Workspace) -> Result<Self> {
        let content = input::read(path, LARGEST).class(Class::Source)?;
        Ok(Self { name: workspace.relative(path).display().to_string(), content })
    }

    fn apply(&self, git: &Git, source: &str, repository: &Path, tree: &Path) -> Result<()> {
        let output = command(git, repository, tree).output_with_input(&mut self.content.as_slice());
        let (output, fed) = output.class(Class::Tool)?;
        if output.status.success() {
            return fed.map(|_| ()).class(Class::Tool);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let message = format!(
            "the patch {} does not apply to the source `{source}`: {}",
            self.name,
            self.place(&said)
        );
        let mut failure = Failure::new(Class::Source, message).help(
            "every line of a hunk's context has to be there: make the patch again, from what is pinned \
             and the patches before it",
        );
        let skip = said.lines().count().saturating_sub(LINES);
        failure.last_lines = said.lines().skip(skip).map(short).collect();
        Err(failure)
    }

    /// The file and hunk that do not apply, or else git's first line.
    fn place(&self, said: &str) -> String {
        let errors = || said.lines().filter_map(|line| line.strip_prefix("error: "));
        let failed =
            errors().find_map(|error| error.strip_prefix("patch failed: ")?.rsplit_once(':'));
        if let Some((file, line)) = failed {
            let hunk = self.hunk(file, line);
            let hunk = hunk.map_or_else(|| format!("line {line}"), |hunk| format!("hunk {hunk}"));
            return format!("{}, {hunk}", short(file));
        }
        let first = errors().find(|error| !error.starts_with("while searching for"));
        first.map_or_else(|| short(said), short)
    }

    /// The header of the hunk of `file` that begins in this line.
    fn hunk(&self, file: &str, line: &str) -> Option<String> {
        let text = String::from_utf8_lossy(&self.content);
        let names = |head: &str| head.split('\t').next().is_some_and(|name| name.ends_with(file));
        let begins = [format!("@@ -{line},"), format!("@@ -{line} ")];
        let own = text
            .lines()
            .skip_while(|l| !((l.starts_with("--- ") || l.starts_with("+++ ")) && names(l)));
        let mut heads = own.filter(|l| begins.iter().any(|begin| l.starts_with(begin)));
        heads.next().map(short)
    }
}

/// Applies the patches, one after the other. Changed files become newer than all other files of the tree. Their time
/// is always the same. `links_out`: links that may lead out of the tree. git writes through no link.
pub(super) fn apply(
    patches: &[Patch],
    source: &str,
    tree: &Path,
    links_out: &BTreeSet<PathBuf>,
) -> Result<()> {
    if patches.is_empty() {
        return Ok(());
    }
    let tree = fs_err::canonicalize(tree).class(Class::Output)?;
    let git = Git::find()?;
    let repository = repository()?;
    let before = look(&tree)?;
    for patch in patches {
        patch.apply(&git, source, repository.path(), &tree)?;
        // The next patch must not be able to write through a link that this one has made.
        SourceFolder::read(&tree, links_out).map_err(|failure| {
            let inside = format!("{}/", tree.display());
            refused(patch, source, &failure.message.replace(&inside, ""))
        })?;
        check_names(patch, source, &before, &look(&tree)?)?;
    }
    set_modes_and_times(&tree, &before)
}

fn refused(patch: &Patch, source: &str, why: &str) -> Failure {
    let name = &patch.name;
    Failure::new(
        Class::Source,
        format!("the patch {name} is refused for the source `{source}`: {why}"),
    )
    .help("a patch may change what is in the tree of its source, and nothing else")
}

/// An empty repository, so that git does not look for one around the tree. Its attributes take precedence over
/// all others.
fn repository() -> Result<tempfile::TempDir> {
    let dir = tempfile::tempdir().class(Class::Output)?;
    for folder in ["objects", "refs", "info"] {
        fs_err::create_dir(dir.path().join(folder)).class(Class::Output)?;
    }
    let attributes = "* -text !eol -crlf -ident -filter !working-tree-encoding\n";
    for (file, text) in [("HEAD", "ref: refs/heads/none\n"), ("info/attributes", attributes)] {
        fs_err::write(dir.path().join(file), text).class(Class::Output)?;
    }
    Ok(dir)
}

fn command(git: &Git, repository: &Path, tree: &Path) -> Program {
    let settings = ["core.symlinks=true", "core.fileMode=true", "apply.ignoreWhitespace=no"];
    let arguments = settings.iter().flat_map(|setting| ["-c", setting]);
    let arguments = arguments.chain(["apply", "--verbose", "--whitespace=nowarn", "-p1", "-"]);
    let mut command = git.command(tree, arguments);
    command.env("GIT_DIR", repository).env("GIT_WORK_TREE", tree);
    command
}

/// All files of a tree, including the folder itself.
type Seen = BTreeMap<PathBuf, Look>;

#[derive(PartialEq, Eq)]
struct Look {
    inode: u64,
    mode: u32,
    time: (i64, i64),
}

fn look(tree: &Path) -> Result<Seen> {
    let mut seen = Seen::new();
    for entry in WalkDir::new(tree) {
        let entry = entry.map_err(std::io::Error::from).class(Class::Output)?;
        let meta = fs_err::symlink_metadata(entry.path()).class(Class::Output)?;
        let path = entry.path().strip_prefix(tree).unwrap_or(entry.path());
        let time = (meta.mtime(), meta.mtime_nsec());
        seen.insert(path.to_owned(), Look { inode: meta.ino(), mode: meta.mode(), time });
    }
    Ok(seen)
}

/// Fails if the patch has added a file with which git or hg would run programs.
fn check_names(patch: &Patch, source: &str, before: &Seen, now: &Seen) -> Result<()> {
    let settings = metadata::settings_of_repositories(now);
    let is_new = |path: &Path| now.get(path) != before.get(path);
    let odd = |path: &&PathBuf| metadata::is_in(path) || settings.contains(*path);
    match now.keys().filter(|path| is_new(path)).find(odd) {
        None => Ok(()),
        Some(path) => {
            let path = short(&path.to_string_lossy());
            Err(refused(patch, source, &format!("git or hg would run programs by `{path}`")))
        }
    }
}

/// Gives new and changed files the permissions of a fresh checkout, and all the same time.
fn set_modes_and_times(tree: &Path, before: &Seen) -> Result<()> {
    let newest = before.values().map(|look| look.time.0).max().unwrap_or(0);
    for (path, look) in look(tree)?.iter().filter(|(path, look)| before.get(*path) != Some(look)) {
        let at = tree.join(path);
        let kind = fs_err::symlink_metadata(&at).class(Class::Output)?;
        if !kind.is_symlink() {
            set_mode(&at, kind.is_dir() || look.mode & 0o100 != 0)?;
        }
        set_time(&at, newest + 1, 0)?;
    }
    Ok(())
}
