//! Fetches an archive, or a file that is not unpacked: from the store, from a file that the user brings, or from its
//! locations, one after the other. Only bytes with the pinned SHA-256 are accepted.

use std::path::{Path, PathBuf};

use el7rpm::spec::{Origin, Source, UpstreamSignature};

use super::{
    Fetcher, address,
    download::{Downloads, SizeLimit},
    hosts::LocationProblem,
    plain::PlainFile,
    signature,
    store::{StoreEntry, hex, sha256_of},
    tried::Tried,
    unpack::TarFile,
};
use base::{
    events::Event,
    failure::{Class, Classify, Failure, Result, Trouble},
};

/// An archive that has just been pinned.
pub struct Pinned {
    /// The source with its pin.
    pub source: Source,
    /// Its SHA-256.
    pub sha256: String,
    /// The key that signed it, if package.toml has `signature`.
    pub signed_by: Option<String>,
}

/// Returns the archive's path in the store. Fetches it if it is not there.
pub(super) fn fetch(
    fetcher: &Fetcher<'_>,
    source: &Source,
    urls: &[String],
    sha256: Option<&str>,
    step: &str,
) -> Result<PathBuf, Trouble> {
    let sha256 = sha256.ok_or_else(|| unpinned(source))?;
    let entry = fetcher.store.lock(sha256, fetcher.reporter)?;
    let path = fetcher.store.archive(sha256);
    match sha256_of(&path)? {
        Some(found) if found == sha256 => return Ok(path),
        Some(_) => {
            let message = format!("{} was damaged; it is fetched again", path.display());
            fetcher.reporter.event(&Event::Note { message: &message });
            fs_err::remove_file(&path).class(Class::Output)?;
        }
        None => {}
    }
    match fetcher.supplied.get(&source.name) {
        Some(file) => take_supplied(file, source, sha256, &entry)?,
        None => download(fetcher, source, urls, sha256, &entry, step)?,
    }
    fetcher.store.keep(&entry.partial, &path)?;
    Ok(path)
}

/// The failure of an archive without a pin.
pub(super) fn unpinned(source: &Source) -> Failure {
    let message = format!("{} is not pinned: it has no sha256", what(source));
    Failure::new(Class::Source, message)
        .help("`cargo xtask fetch --pin` downloads it once and writes its sha256 into the file")
}

/// Copies a file that the user brings into the store, if it has the pinned SHA-256.
fn take_supplied(file: &Path, source: &Source, sha256: &str, entry: &StoreEntry) -> Result<()> {
    super::supplied::check_file(source, file)?;
    let found = sha256_of(file)?.ok_or_else(|| super::supplied::missing(source, file))?;
    if found != sha256 {
        let other = format!("its sha256 is {found}, pinned is {sha256}");
        return Err(super::supplied::refused(source, file, &other));
    }
    copy(file, &entry.partial)?;
    match sha256_of(&entry.partial)? {
        Some(copied) if copied == sha256 => Ok(()),
        _ => Err(super::supplied::refused(source, file, "it changed while it was read")),
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let mut from = fs_err::File::open(from).class(Class::Source)?;
    let mut to = fs_err::File::create(to).class(Class::Output)?;
    std::io::copy(&mut from, &mut to).class(Class::Output)?;
    Ok(())
}

fn download(
    fetcher: &Fetcher<'_>,
    source: &Source,
    urls: &[String],
    sha256: &str,
    entry: &StoreEntry,
    step: &str,
) -> Result<(), Trouble> {
    let downloads = downloads(fetcher, step, limit_of(source));
    let mut tried = Tried::new(source);
    for url in urls {
        if let Some(problem) = fetcher.may_not_ask(url) {
            tried.add(url, problem);
            continue;
        }
        match load_verified(&downloads, url, sha256, &entry.partial)? {
            Ok(()) => return Ok(()),
            Err(problem) => tried.add(url, problem),
        }
    }
    Err(tried.trouble())
}

pub(super) fn downloads<'a>(
    fetcher: &'a Fetcher<'_>,
    step: &'a str,
    limit: SizeLimit,
) -> Downloads<'a> {
    Downloads {
        client: fetcher.client(),
        hosts: &fetcher.hosts,
        patience: fetcher.patience,
        reporter: fetcher.reporter,
        step,
        limit,
    }
}

fn limit_of(source: &Source) -> SizeLimit {
    match source.origin {
        Origin::Archive { size, .. } => SizeLimit::of_archive(size),
        _ => SizeLimit::of_archive(None),
    }
}

/// Downloads a pinned file, and checks its SHA-256. If it continued an earlier download of another file, it starts again.
pub(super) fn load_verified(
    downloads: &Downloads<'_>,
    url: &str,
    sha256: &str,
    partial: &Path,
) -> Result<Result<(), LocationProblem>, Trouble> {
    if sha256_of(partial)?.is_some_and(|found| found == sha256) {
        return Ok(Ok(()));
    }
    let went_on = fs_err::metadata(partial).is_ok_and(|m| m.len() > 0);
    for fresh in [!went_on, true] {
        if let Err(problem) = downloads.load(url, partial, true)? {
            return Ok(Err(problem));
        }
        let found = sha256_of(partial)?.unwrap_or_default();
        if found == sha256 {
            return Ok(Ok(()));
        }
        fs_err::remove_file(partial).class(Class::Output)?;
        if fresh {
            return Ok(Err(LocationProblem::Wrong(format!(
                "it gave sha256 {found}, pinned is {sha256}"
            ))));
        }
    }
    Ok(Err(LocationProblem::Refused("it gave nothing".into())))
}

/// Downloads an archive without a pin, and returns its SHA-256. If package.toml has
/// upstream's signature, it must be valid.
pub(super) fn pin(
    fetcher: &Fetcher<'_>,
    source: &Source,
    urls: &[String],
    signature: Option<&UpstreamSignature>,
    step: &str,
) -> Result<Pinned, Trouble> {
    let name = format!("unpinned-{}", name_of(urls)?);
    let entry = fetcher.store.lock(&name, fetcher.reporter)?;
    match fetcher.supplied.get(&source.name) {
        Some(file) => {
            super::supplied::check_file(source, file)?;
            copy(file, &entry.partial)?;
        }
        None => load_any(fetcher, source, urls, &entry, step)?,
    }
    let vouched = check_signature(fetcher, source, signature, &entry, step);
    let judged = vouched.and_then(|signed_by| {
        // A server's error page has a SHA-256 as well.
        match &source.origin {
            Origin::Archive { file: Some(name), .. } => {
                plain_file(source, name, entry.partial.clone()).check()?;
            }
            _ => tar_file(source, entry.partial.clone()).look_through()?,
        }
        Ok(signed_by)
    });
    if judged.is_err() {
        fs_err::remove_file(&entry.partial).class(Class::Output)?;
    }
    let signed_by = judged?;
    let sha256 = sha256_of(&entry.partial)?.unwrap_or_default();
    let _both = fetcher.store.lock(&sha256, fetcher.reporter)?;
    fetcher.store.keep(&entry.partial, &fetcher.store.archive(&sha256))?;
    let mut pinned = source.clone();
    if let Origin::Archive { sha256: pin, .. } = &mut pinned.origin {
        *pin = Some(sha256.clone());
    }
    Ok(Pinned { source: pinned, sha256, signed_by })
}

/// The archive of a source. If all its files are in one folder, that folder's name is removed from their paths.
pub(super) fn tar_file(source: &Source, path: PathBuf) -> TarFile {
    TarFile { path, what: what(source), strip: true, links_out: source.links_out.clone() }
}

/// The file of a source that is not unpacked.
pub(super) fn plain_file(source: &Source, name: &str, path: PathBuf) -> PlainFile {
    PlainFile { path, name: name.to_owned(), what: what(source) }
}

/// The name of the source in messages.
fn what(source: &Source) -> String {
    let is_plain = matches!(source.origin, Origin::Archive { file: Some(_), .. });
    format!("the {} of `{}`", if is_plain { "file" } else { "archive" }, source.name)
}

/// Checks upstream's signature, if package.toml has one. Returns the key that made it.
fn check_signature(
    fetcher: &Fetcher<'_>,
    source: &Source,
    signature: Option<&UpstreamSignature>,
    entry: &StoreEntry,
    step: &str,
) -> Result<Option<String>, Trouble> {
    let Some(wanted) = signature else { return Ok(None) };
    let file = entry.scratch()?.join("signature");
    let downloads = downloads(fetcher, step, SizeLimit::AtMost(signature::LARGEST));
    load_signature(fetcher, &downloads, source, wanted, &file)?;
    Ok(Some(signature::check(source, wanted, &file, &entry.partial)?))
}

fn load_any(
    fetcher: &Fetcher<'_>,
    source: &Source,
    urls: &[String],
    entry: &StoreEntry,
    step: &str,
) -> Result<(), Trouble> {
    let downloads = downloads(fetcher, step, limit_of(source));
    let mut tried = Tried::new(source);
    for url in urls {
        let ended = match fetcher.may_not_ask(url) {
            Some(problem) => Err(problem),
            None => downloads.load(url, &entry.partial, false)?,
        };
        match ended {
            Ok(()) => return Ok(()),
            Err(problem) => tried.add(url, problem),
        }
    }
    Err(tried.trouble())
}

/// Downloads the signature. If it cannot be had, that is an error: the archive is not pinned without it.
fn load_signature(
    fetcher: &Fetcher<'_>,
    downloads: &Downloads<'_>,
    source: &Source,
    wanted: &UpstreamSignature,
    file: &Path,
) -> Result<(), Trouble> {
    let ended = match fetcher.may_not_ask(&wanted.url) {
        Some(problem) => Err(problem),
        None => downloads.load(&wanted.url, file, false)?,
    };
    let Err(problem) = ended else { return Ok(()) };
    let message = format!(
        "the signature of `{}` cannot be fetched: {}: {}",
        source.name,
        address::shown(&wanted.url),
        problem.text()
    );
    let failure = Failure::new(Class::Source, message).help("nothing was pinned");
    Err(match problem {
        LocationProblem::Unreachable { .. } => Trouble::Unavailable(failure),
        _ => Trouble::Failed(failure),
    })
}

/// A name in the store for this list of locations.
pub(super) fn name_of(urls: &[String]) -> Result<String> {
    use sha2::{Digest, Sha256};
    Ok(hex(&Sha256::digest(urls.join("\n").as_bytes())))
}
