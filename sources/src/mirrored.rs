//! Fetches a file that several servers have: metadata of a repository, or a package. The servers are tried in order. If the
//! content is known beforehand, a server with another content is passed over.

use std::path::PathBuf;

use super::{
    Fetcher, address,
    archive::{downloads, load_verified},
    download::SizeLimit,
    hosts::LocationProblem,
    store::sha256_of,
};
use base::{
    events::Event,
    failure::{Class, Classify, Failure, Result, Trouble},
};

/// A file and its addresses.
#[derive(Clone, Debug)]
pub struct Mirrored {
    /// What the file is, for messages.
    pub what: String,
    /// Its addresses, in the order in which they are tried.
    pub urls: Vec<String>,
}

impl Fetcher<'_> {
    /// Fetches a file with this SHA-256 into the store, unless the store has it. The result is the path in the store.
    ///
    /// # Errors
    /// [`Trouble::Unavailable`] if no address can be reached, [`Trouble::Failed`] if one has another content
    /// and none has the right one.
    pub fn pinned(
        &self,
        file: &Mirrored,
        sha256: &str,
        size: Option<u64>,
        step: &str,
    ) -> Result<PathBuf, Trouble> {
        if sha256.len() != 64 || !sha256.bytes().all(|b| b.is_ascii_hexdigit()) {
            let message = format!("the SHA-256 of {} is not 64 hex digits", file.what);
            return Err(Failure::new(Class::Source, message).into());
        }
        let entry = self.store.lock(sha256, self.reporter)?;
        let path = self.store.archive(sha256);
        match sha256_of(&path)? {
            Some(found) if found == sha256 => return Ok(path),
            Some(_) => {
                let message = format!("{} was damaged; it is fetched again", path.display());
                self.reporter.event(&Event::Note { message: &message });
                fs_err::remove_file(&path).class(Class::Output)?;
            }
            None => {}
        }
        let limit = size.map_or(SizeLimit::Fixed(1 << 30), SizeLimit::Listed);
        let downloads = downloads(self, step, limit);
        file.try_urls(self, |url| load_verified(&downloads, url, sha256, &entry.partial))?;
        self.store.keep(&entry.partial, &path)?;
        Ok(path)
    }

    /// Fetches a file of unknown content, of at most `limit` bytes. If `check` refuses the content from one address, the next one
    /// is tried. The file is not kept.
    ///
    /// # Errors
    /// As [`Fetcher::pinned`].
    pub fn unpinned<T>(
        &self,
        file: &Mirrored,
        limit: u64,
        step: &str,
        mut check: impl FnMut(&str, &[u8]) -> Result<T, String>,
    ) -> Result<T, Trouble> {
        let entry = self
            .store
            .lock(&format!("mirrored-{}", super::archive::name_of(&file.urls)?), self.reporter)?;
        let at = entry.scratch()?.join("file");
        let downloads = downloads(self, step, SizeLimit::Fixed(limit));
        let mut result = None;
        file.try_urls(self, |url| {
            if let Err(problem) = downloads.load(url, &at, false)? {
                return Ok(Err(problem));
            }
            let content = fs_err::read(&at).class(Class::Source)?;
            Ok(check(url, &content)
                .map(|found| result = Some(found))
                .map_err(LocationProblem::Wrong))
        })?;
        result.ok_or_else(|| {
            Failure::new(Class::Source, format!("{} has no address", file.what)).into()
        })
    }
}

impl Mirrored {
    fn try_urls(
        &self,
        fetcher: &Fetcher<'_>,
        mut load: impl FnMut(&str) -> Result<Result<(), LocationProblem>, Trouble>,
    ) -> Result<(), Trouble> {
        let mut ended = Vec::new();
        for url in &self.urls {
            let problem = match fetcher.may_not_ask(url) {
                Some(problem) => problem,
                None => match load(url)? {
                    Ok(()) => return Ok(()),
                    Err(problem) => problem,
                },
            };
            ended.push((address::shown(url), problem));
        }
        Err(self.trouble(&ended))
    }

    fn trouble(&self, ended: &[(String, LocationProblem)]) -> Trouble {
        let wrong = ended.iter().any(|(_, problem)| matches!(problem, LocationProblem::Wrong(_)));
        let (message, help) = match wrong {
            true => (
                format!("no address has the right content for {}", self.what),
                "the file was not kept; find out why it differs",
            ),
            false => (
                format!("{} cannot be fetched", self.what),
                "connect to a network, or give another address: in image.toml, or with `--mirror NAME=URL` for a repository",
            ),
        };
        let mut failure = Failure::new(Class::Source, message).help(help);
        failure.last_lines =
            ended.iter().map(|(url, problem)| format!("{url}: {}", problem.text())).collect();
        match wrong {
            true => Trouble::Failed(failure),
            false => Trouble::Unavailable(failure),
        }
    }
}
