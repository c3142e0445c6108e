//! Sources: what is compiled, pinned by content, fetched once for all checkouts of a user, and
//! unpacked by rules of our own.
//!
//! A [`Fetcher`] gets a source into the [`Store`]: an archive or another file ([`archive`]), the tree of
//! a commit ([`commit`]), or nothing where it is a folder of the checkout ([`folder`]). What it hands
//! out is [`Fetched`], which writes the tree where a build wants it, with the description's patches.

mod address;
mod archive;
mod bzip2;
mod commit;
mod download;
mod export;
mod folder;
mod git;
#[cfg(test)]
mod hostile;
mod hosts;
mod http;
mod limits;
mod links;
mod metadata;
mod patch;
mod pin;
mod plain;
mod reach;
mod signature;
mod store;
mod supplied;
mod survey;
mod tried;
mod unpack;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use el7rpm::spec::{Origin, Source};

pub use archive::Pinned;
pub use hosts::Patience;
pub use pin::write as write_pin;
pub use store::Store;

use base::{
    events::{Event, Reporter},
    failure::{Result, Trouble},
    key::{Identity, KeyBuilder},
    workspace::Workspace,
};
use folder::Folder;
use hosts::{Hosts, Problem};
use limits::short;
use patch::Patch;
use plain::PlainFile;
use unpack::TarFile;

/// Gets sources into the store. One serves a whole run, from all of its threads.
pub struct Fetcher<'a> {
    /// Where sources are kept.
    pub store: &'a Store,
    /// The checkout.
    pub workspace: &'a Workspace,
    /// Who is told what happens.
    pub reporter: &'a dyn Reporter,
    /// Whether no network may be asked.
    pub offline: bool,
    /// `--source`: what the user brings along, by the sources' names.
    pub supplied: BTreeMap<String, PathBuf>,
    /// How long hosts are waited for.
    pub patience: Patience,
    hosts: Hosts,
    client: OnceLock<http::Client>,
}

/// A source that is there.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// Its name.
    source: String,
    content: Content,
    patches: Vec<Patch>,
}

#[derive(Clone, Debug)]
enum Content {
    Tar(TarFile),
    Plain(PlainFile),
    Folder(Folder),
}

impl<'a> Fetcher<'a> {
    /// With a network, and nothing that the user brings along.
    pub fn new(store: &'a Store, workspace: &'a Workspace, reporter: &'a dyn Reporter) -> Self {
        Self {
            store,
            workspace,
            reporter,
            offline: false,
            supplied: BTreeMap::new(),
            patience: Patience::default(),
            hosts: Hosts::default(),
            client: OnceLock::new(),
        }
    }

    /// Whether a source can be had without asking anybody. A quick look, for plans.
    pub fn is_there(&self, source: &Source) -> bool {
        match &source.origin {
            Origin::Git { commit, .. } => self.store.find_commit(commit).is_some(),
            Origin::Archive { sha256: Some(sha256), .. } => self.store.archive(sha256).is_file(),
            Origin::Archive { sha256: None, .. } => false,
            Origin::Folder(path) => path.is_dir(),
        }
    }

    /// Gets a source, unless it is there.
    ///
    /// # Errors
    /// [`Trouble::Unavailable`] if no location could be reached or none has it;
    /// [`Trouble::Failed`] if one gave something else, or if it is not pinned.
    pub fn fetch(&self, source: &Source, step: &str) -> Result<Fetched, Trouble> {
        let content = match &source.origin {
            Origin::Git { urls, commit } => {
                let path = commit::fetch(self, source, urls, commit, step)?;
                let what = format!("the commit of `{}`", source.name);
                Content::Tar(TarFile { path, what, strip: false })
            }
            Origin::Archive { urls, sha256, file, .. } => {
                let path = archive::fetch(self, source, urls, sha256.as_deref(), step)?;
                match file {
                    Some(name) => Content::Plain(archive::plain_file(source, name, path)),
                    None => Content::Tar(archive::tar_file(source, path)),
                }
            }
            Origin::Folder(path) => Content::Folder(self.folder(source, path)?),
        };
        let patches = source.patches.iter().map(|path| Patch::read(path, self.workspace));
        let patches = patches.collect::<Result<_>>()?;
        Ok(Fetched { source: source.name.clone(), content, patches })
    }

    /// Downloads an archive that has no pin, and says what to pin it to; `None` for other sources.
    ///
    /// # Errors
    /// As [`Fetcher::fetch`]; a signature that does not hold is a failure.
    pub fn pin(&self, source: &Source, step: &str) -> Result<Option<Pinned>, Trouble> {
        match &source.origin {
            Origin::Archive { urls, sha256: None, signature, .. } => {
                archive::pin(self, source, urls, signature.as_ref(), step).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The folder of the checkout, or one with the same content.
    fn folder(&self, source: &Source, path: &Path) -> Result<Folder> {
        let own = Folder::read(path)?;
        if let Some(supplied) = self.supplied.get(&source.name)
            && Folder::read(supplied)?.identity()?.key != own.identity()?.key
        {
            let why = format!("it differs from {}", self.workspace.relative(path).display());
            return Err(supplied::refused(source, supplied, &why));
        }
        Ok(own)
    }

    /// Why a location is not asked at all.
    fn may_not_ask(&self, url: &str) -> Option<Problem> {
        let host = address::host(url)?;
        if self.offline {
            let why = "--offline forbids to ask it".into();
            return Some(Problem::Unreachable { host, why });
        }
        let why = self.hosts.why(&host)?;
        Some(Problem::Unreachable { host, why })
    }

    fn client(&self) -> &http::Client {
        self.client.get_or_init(|| http::Client::new(self.patience))
    }
}

impl Fetched {
    /// Writes its tree into the folder `into`, which is made if need be, and has to be empty, and
    /// applies the patches. The same source always gives the same tree, down to the times. What version
    /// control keeps in a tree is left out, with a note.
    ///
    /// # Errors
    /// [`Class::Source`] for a source with something in it that has no place in a tree, or a patch that
    /// does not apply; then nothing is written.
    pub fn unpack(&self, into: &Path, reporter: &dyn Reporter) -> Result<()> {
        self.lay_down(into, reporter)?;
        self.patch(into)
    }

    /// Applies the patches to the tree that has been laid down in `tree`.
    ///
    /// # Errors
    /// As [`Fetched::unpack`].
    pub fn patch(&self, tree: &Path) -> Result<()> {
        let patched = patch::apply(&self.patches, &self.source, tree);
        if patched.is_err() {
            // Nobody is to take half a tree for a whole one.
            let _ = unpack::clear(tree);
        }
        patched
    }

    /// Writes its tree as [`Fetched::unpack`] does, as it is without patches.
    ///
    /// # Errors
    /// As [`Fetched::unpack`].
    pub fn lay_down(&self, into: &Path, reporter: &dyn Reporter) -> Result<()> {
        let tar = match &self.content {
            Content::Tar(tar) => tar,
            Content::Plain(file) => return file.put(into),
            Content::Folder(folder) => return folder.copy(into),
        };
        if let Some(path) = tar.unpack(into)? {
            let (what, path) = (&tar.what, short(&path.to_string_lossy()));
            let message = format!(
                "{what} holds `{path}`, by which git or hg would run programs; it is left out"
            );
            reporter.event(&Event::Note { message: &message });
        }
        Ok(())
    }
}

/// What tells a source from others: its pin, or the content of its folder, and its patches. Of an archive
/// without a pin nothing is known but what it is called; it can be planned, and not fetched.
pub fn identity(source: &Source) -> Result<Identity> {
    let key = KeyBuilder::new("source", 1);
    let mut key = match &source.origin {
        Origin::Git { commit, .. } => key.text(&format!("the commit of {}", source.name), commit),
        Origin::Archive { sha256: Some(sha256), .. } => {
            key.text(&format!("the checksum of {}", source.name), sha256)
        }
        Origin::Archive { sha256: None, .. } => key.text("unpinned", &source.name),
        // A key of its own, which is that of a folder whose source has no more to it.
        Origin::Folder(path) if source.patches.is_empty() => return Folder::read(path)?.identity(),
        Origin::Folder(path) => key.identity("folder", &Folder::read(path)?.identity()?),
    };
    if let Origin::Archive { file: Some(name), .. } = &source.origin {
        key = key.text(&format!("the file name of {}", source.name), name);
    }
    for patch in &source.patches {
        key = key.file("patch", patch)?;
    }
    Ok(key.identify())
}
