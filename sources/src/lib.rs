//! Fetches and unpacks sources. They are pinned by content, and stored once for all checkouts of a user.
//!
//! A [`Fetcher`] fetches a source into the [`Store`]: an archive or another file ([`archive`]), or the tree of
//! a commit ([`commit`]). A folder of the checkout ([`folder`]) is not stored. The result is
//! [`Fetched`], which writes the tree into a build's folder, and applies the description's patches.

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
mod mirrored;
mod patch;
mod pax;
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
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::OnceLock,
};

use el7rpm::spec::{Origin, Source};

pub use archive::Pinned;
pub use hosts::Patience;
pub use mirrored::Mirrored;
pub use pin::write as write_pin;
pub use store::Store;

use base::{
    events::{Event, Reporter},
    failure::{Result, Trouble},
    key::{Identity, KeyBuilder},
    workspace::Workspace,
};
use folder::SourceFolder;
use hosts::{Hosts, LocationProblem};
use limits::short;
use patch::Patch;
use plain::PlainFile;
use unpack::TarFile;

/// Fetches sources into the store. A run has one fetcher, which all threads use.
pub struct Fetcher<'a> {
    /// The store for sources.
    pub store: &'a Store,
    /// The checkout.
    pub workspace: &'a Workspace,
    /// Gets the events.
    pub reporter: &'a dyn Reporter,
    /// Whether no network may be used.
    pub offline: bool,
    /// `--source`: files and repositories that the user brings, by the names of the sources.
    pub supplied: BTreeMap<String, PathBuf>,
    /// How long to wait for hosts.
    pub patience: Patience,
    hosts: Hosts,
    client: OnceLock<http::Client>,
}

/// A source that has been fetched.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// Its name.
    source: String,
    content: FetchedContent,
    patches: Vec<Patch>,
    /// Paths of the links that may lead out.
    links_out: BTreeSet<PathBuf>,
}

#[derive(Clone, Debug)]
enum FetchedContent {
    Tar(TarFile),
    Plain(PlainFile),
    Folder(SourceFolder),
}

impl<'a> Fetcher<'a> {
    /// A fetcher that may use the network, without `--source`.
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

    /// Whether a source is in the store, or is a folder that exists. This is a quick check for plans: nothing is hashed.
    pub fn is_there(&self, source: &Source) -> bool {
        match &source.origin {
            Origin::Git { commit, .. } => self.store.find_commit(commit).is_some(),
            Origin::Archive { sha256: Some(sha256), .. } => self.store.archive(sha256).is_file(),
            Origin::Archive { sha256: None, .. } => false,
            Origin::Folder(path) => path.is_dir(),
        }
    }

    /// Fetches a source, unless it is in the store.
    ///
    /// # Errors
    /// [`Trouble::Unavailable`] if no location can be reached or none has it;
    /// [`Trouble::Failed`] if a location gave other bytes, or if the source is not pinned.
    pub fn fetch(&self, source: &Source, step: &str) -> Result<Fetched, Trouble> {
        let content = match &source.origin {
            Origin::Git { urls, commit } => {
                let path = commit::fetch(self, source, urls, commit, step)?;
                let what = format!("the commit of `{}`", source.name);
                let links_out = source.links_out.clone();
                FetchedContent::Tar(TarFile { path, what, strip: false, links_out })
            }
            Origin::Archive { urls, sha256, file, .. } => {
                let path = archive::fetch(self, source, urls, sha256.as_deref(), step)?;
                match file {
                    Some(name) => FetchedContent::Plain(archive::plain_file(source, name, path)),
                    None => FetchedContent::Tar(archive::tar_file(source, path)),
                }
            }
            Origin::Folder(path) => FetchedContent::Folder(self.folder(source, path)?),
        };
        let patches = source.patches.iter().map(|path| Patch::read(path, self.workspace));
        let patches = patches.collect::<Result<_>>()?;
        let links_out = source.links_out.clone();
        Ok(Fetched { source: source.name.clone(), content, patches, links_out })
    }

    /// Downloads an archive without a pin, and returns its SHA-256; `None` for other sources.
    ///
    /// # Errors
    /// As [`Fetcher::fetch`]; also if upstream's signature is not valid.
    pub fn pin(&self, source: &Source, step: &str) -> Result<Option<Pinned>, Trouble> {
        match &source.origin {
            Origin::Archive { urls, sha256: None, signature, .. } => {
                archive::pin(self, source, urls, signature.as_ref(), step).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The list of the source's folder, or of the folder with the same content that the user brings.
    fn folder(&self, source: &Source, path: &Path) -> Result<SourceFolder> {
        let read = |path| SourceFolder::read(path, &source.links_out);
        let own = read(path)?;
        if let Some(supplied) = self.supplied.get(&source.name)
            && read(supplied)?.identity()?.key != own.identity()?.key
        {
            let why = format!("it differs from {}", self.workspace.relative(path).display());
            return Err(supplied::refused(source, supplied, &why));
        }
        Ok(own)
    }

    /// Why a location is not tried; `None` if it may be.
    fn may_not_ask(&self, url: &str) -> Option<LocationProblem> {
        let host = address::host(url)?;
        if self.offline {
            let why = "--offline forbids to ask it".into();
            return Some(LocationProblem::Unreachable { host, why });
        }
        let why = self.hosts.reason(&host)?;
        Some(LocationProblem::Unreachable { host, why })
    }

    fn client(&self) -> &http::Client {
        self.client.get_or_init(|| http::Client::new(self.patience))
    }
}

impl Fetched {
    /// Writes its tree into the folder `into`, which must be empty or not exist, and
    /// applies the patches. The same source always gives the same tree, with the same times. Files of version
    /// control are left out, with a note.
    ///
    /// # Errors
    /// [`base::failure::Class::Source`] for a source with an entry that may not be in a tree, or a patch that
    /// does not apply. Then `into` is left empty.
    pub fn unpack(&self, into: &Path, reporter: &dyn Reporter) -> Result<()> {
        self.lay_down(into, reporter)?;
        self.patch(into)
    }

    /// Applies the patches to the tree in the folder `tree`.
    ///
    /// # Errors
    /// As [`Fetched::unpack`].
    pub fn patch(&self, tree: &Path) -> Result<()> {
        let patched = patch::apply(&self.patches, &self.source, tree, &self.links_out);
        if patched.is_err() {
            // A tree with a part of the patches must not be used.
            let _ = unpack::clear(tree);
        }
        patched
    }

    /// Writes its tree as [`Fetched::unpack`] does, but without the patches.
    ///
    /// # Errors
    /// As [`Fetched::unpack`].
    pub fn lay_down(&self, into: &Path, reporter: &dyn Reporter) -> Result<()> {
        let tar = match &self.content {
            FetchedContent::Tar(tar) => tar,
            FetchedContent::Plain(file) => return file.put(into),
            FetchedContent::Folder(folder) => return folder.copy(into),
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

/// The key of a source: of its pin or of the content of its folder, and of its patches. The key of an archive
/// without a pin has its name only. Such a source can be planned, but not fetched.
pub fn identity(source: &Source) -> Result<Identity> {
    let key = KeyBuilder::new("source", 1);
    let folder = |path: &Path| SourceFolder::read(path, &source.links_out)?.identity();
    let mut key = match &source.origin {
        Origin::Git { commit, .. } => key.text(&format!("the commit of {}", source.name), commit),
        Origin::Archive { sha256: Some(sha256), .. } => {
            key.text(&format!("the checksum of {}", source.name), sha256)
        }
        Origin::Archive { sha256: None, .. } => key.text("unpinned", &source.name),
        // The key of a folder alone is the key of its content.
        Origin::Folder(path) if source.patches.is_empty() && source.links_out.is_empty() => {
            return folder(path);
        }
        Origin::Folder(path) => key.identity("folder", &folder(path)?),
    };
    if let Origin::Archive { file: Some(name), .. } = &source.origin {
        key = key.text(&format!("the file name of {}", source.name), name);
    }
    for patch in &source.patches {
        key = key.file("patch", patch)?;
    }
    // Without its name here, a link is refused: what was made with it must be made again.
    for link in &source.links_out {
        key = key.text(&format!("a link out of {}", source.name), &format!("{link:?}"));
    }
    Ok(key.identify())
}
