//! Sources: what is compiled, pinned by content, fetched once for all checkouts of a user, and
//! unpacked by rules of our own.
//!
//! A [`Fetcher`] gets a source into the [`Store`]: an archive ([`archive`]), the tree of a commit
//! ([`commit`]), or nothing where it is a folder of the checkout ([`folder`]). What it hands out is
//! [`Fetched`], which writes the tree where a build wants it.

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
mod pin;
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

pub(crate) use archive::Pinned;
pub(crate) use hosts::Patience;
pub(crate) use pin::write as write_pin;
pub(crate) use store::Store;

use crate::{
    events::{Event, Reporter},
    failure::{Result, Trouble},
    key::{Key, KeyBuilder},
    workspace::Workspace,
};
use folder::Folder;
use hosts::{Hosts, Problem};
use limits::short;
use unpack::TarFile;

/// Gets sources into the store. One serves a whole run, from all of its threads.
pub(crate) struct Fetcher<'a> {
    pub(crate) store: &'a Store,
    pub(crate) workspace: &'a Workspace,
    pub(crate) reporter: &'a dyn Reporter,
    /// Whether no network may be asked.
    pub(crate) offline: bool,
    /// `--source`: what the user brings along, by the sources' names.
    pub(crate) supplied: BTreeMap<String, PathBuf>,
    pub(crate) patience: Patience,
    hosts: Hosts,
    client: OnceLock<http::Client>,
}

/// A source that is there.
#[derive(Clone, Debug)]
pub(crate) struct Fetched(Content);

#[derive(Clone, Debug)]
enum Content {
    Tar(TarFile),
    Folder(Folder),
}

impl<'a> Fetcher<'a> {
    /// With a network, and nothing that the user brings along.
    pub(crate) fn new(
        store: &'a Store,
        workspace: &'a Workspace,
        reporter: &'a dyn Reporter,
    ) -> Self {
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
    pub(crate) fn is_there(&self, source: &Source) -> bool {
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
    pub(crate) fn fetch(&self, source: &Source, step: &str) -> Result<Fetched, Trouble> {
        let content = match &source.origin {
            Origin::Git { urls, commit } => {
                let path = commit::fetch(self, source, urls, commit, step)?;
                let what = format!("the commit of `{}`", source.name);
                Content::Tar(TarFile { path, what, strip: false })
            }
            Origin::Archive { urls, sha256, .. } => {
                let path = archive::fetch(self, source, urls, sha256.as_deref(), step)?;
                Content::Tar(archive::tar_file(source, path))
            }
            Origin::Folder(path) => Content::Folder(self.folder(source, path)?),
        };
        Ok(Fetched(content))
    }

    /// Downloads an archive that has no pin, and says what to pin it to; `None` for other sources.
    ///
    /// # Errors
    /// As [`Fetcher::fetch`]; a signature that does not hold is a failure.
    pub(crate) fn pin(&self, source: &Source, step: &str) -> Result<Option<Pinned>, Trouble> {
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
            && Folder::read(supplied)?.key()? != own.key()?
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
    /// Writes its tree into the folder `into`, which is made if need be, and has to be empty. The
    /// same source always gives the same tree, down to the times. What version control keeps in a
    /// tree is left out, with a note.
    ///
    /// # Errors
    /// [`Class::Source`] for a source with something in it that has no place in a tree; then
    /// nothing is written.
    pub(crate) fn unpack(&self, into: &Path, reporter: &dyn Reporter) -> Result<()> {
        let tar = match &self.0 {
            Content::Tar(tar) => tar,
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

/// What tells a source from others: its pin, or the content of its folder. Of an archive without a pin
/// nothing is known but what it is called; it can be planned, and not fetched.
pub(crate) fn identity(source: &Source) -> Result<Key> {
    let key = KeyBuilder::new("source", 1);
    Ok(match &source.origin {
        Origin::Git { commit, .. } => key.text("commit", commit).finish(),
        Origin::Archive { sha256: Some(sha256), .. } => key.text("sha256", sha256).finish(),
        Origin::Archive { sha256: None, .. } => key.text("unpinned", &source.name).finish(),
        Origin::Folder(path) => Folder::read(path)?.key()?,
    })
}
