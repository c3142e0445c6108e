//! Makes a lock: fetches the keys and checks their fingerprints, reads the metadata and checks its signature and checksums,
//! and chooses packages.

use std::{
    collections::{BTreeMap, HashSet},
    io::{BufReader, Read},
    sync::Arc,
};

use el7rpm::{
    input,
    metadata::{self, Dependency, Evr, MetadataFile, Offer, Sense},
    openpgp::{self, Certificate},
    resolve::{self, Universe},
};
use fs_err::File;
use sha2::{Digest, Sha256};

use super::{
    description::{Description, KeySource, Repository},
    lockfile::{Lock, LockedKey, LockedPackage},
};
use base::failure::{Class, Failure, Result, Trouble};
use sources::{Fetcher, Mirrored};

/// Architectures of packages. Everything is built for x86_64.
const ARCHES: [&str; 2] = ["x86_64", "noarch"];
/// Most bytes of repomd.xml and of its signature. They have some kilobytes.
const REPOMD: u64 = 1 << 20;
/// How often filelists.xml is read at most.
const FILELISTS: usize = 8;

/// Chooses packages from the repositories for all wishes of the description.
///
/// # Errors
/// [`Trouble::Unavailable`] if a repository cannot be reached. [`Trouble::Failed`] if a key or metadata is wrong, or if a wish
/// cannot be satisfied, with the chain of requirements.
pub fn lock(description: &Description, fetcher: &Fetcher<'_>, step: &str) -> Result<Lock, Trouble> {
    let mut keys = BTreeMap::new();
    for (name, source) in &description.keys {
        keys.insert(name.as_str(), key(fetcher, name, source, step)?);
    }
    let mut offers = Vec::new();
    let mut filelists = Vec::new();
    for (number, (name, repository)) in description.repositories.iter().enumerate() {
        let (certificate, _) = &keys[repository.key.as_str()];
        let reader = RepositoryReader { name, repository, fetcher, step };
        let files = reader.repomd(certificate)?;
        let primary = reader.file(&files, "primary")?;
        offers.extend(reader.primary(&primary, number)?);
        filelists.push((name, repository, files));
    }
    let mut universe = Universe::new(offers);
    let wishes = wishes(description);
    // A package that has one of these paths may require others.
    let mut known = HashSet::new();
    for _ in 0..FILELISTS {
        let unknown = universe.unknown_paths(&wishes);
        let paths = &unknown.map_err(|why| unsatisfiable(description, &why))? - &known;
        if paths.is_empty() {
            break;
        }
        for (name, repository, files) in &filelists {
            let reader = RepositoryReader { name, repository, fetcher, step };
            universe.add_files(&reader.filelists(&reader.file(files, "filelists")?, &paths)?);
        }
        known.extend(paths);
    }
    let chosen =
        resolve::resolve(&universe, &wishes).map_err(|why| unsatisfiable(description, &why))?;
    let names: Vec<_> = description.repositories.keys().collect();
    let package = |at: usize| locked(&universe.offers[at], &names);
    Ok(Lock::new(
        &description.sha256,
        keys.into_values().map(|(_, locked)| locked).collect(),
        chosen.into_iter().map(package).collect(),
    ))
}

fn locked(offer: &Offer, repositories: &[&String]) -> LockedPackage {
    LockedPackage {
        name: offer.name.to_string(),
        evr: offer.evr.to_string(),
        arch: offer.arch.to_string(),
        repository: repositories[offer.repository].clone(),
        path: offer.path.clone(),
        size: offer.size,
        sha256: offer.sha256.clone(),
    }
}

fn wishes(description: &Description) -> Vec<Dependency> {
    let all = description.wanted.iter().flat_map(|want| &want.packages);
    let any = |name: &String| Dependency {
        name: name.as_str().into(),
        sense: Sense::Any,
        evr: Evr { epoch: 0, version: "".into(), release: "".into() },
    };
    all.map(any).collect()
}

fn unsatisfiable(description: &Description, why: &str) -> Failure {
    let message =
        format!("no choice of packages satisfies containers/{}/image.toml", description.name);
    let mut failure = Failure::new(Class::Source, message)
        .help("the lines above lead from a wanted package to what is missing or in conflict");
    failure.last_lines = why.lines().map(str::to_owned).collect();
    failure
}

/// Fetches a key and checks its fingerprint.
fn key(
    fetcher: &Fetcher<'_>,
    name: &str,
    source: &KeySource,
    step: &str,
) -> Result<(Certificate, LockedKey), Trouble> {
    let file = Mirrored { what: format!("the key `{name}`"), urls: source.urls.clone() };
    fetcher.unpinned(&file, input::MAX_TEXT, step, |_, bytes| {
        let text = std::str::from_utf8(bytes).map_err(|_| "it is not an armored key".to_owned())?;
        let certificate = Certificate::only(text).map_err(|e| e.to_string())?;
        let found = certificate.fingerprint();
        if found != source.fingerprint {
            return Err(format!(
                "its fingerprint is {found}, but image.toml has {}",
                source.fingerprint
            ));
        }
        let sha256 = Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect();
        let size = bytes.len() as u64;
        Ok((certificate, LockedKey { name: name.to_owned(), sha256, size }))
    })
}

/// Reads the metadata of one repository.
struct RepositoryReader<'a> {
    name: &'a str,
    repository: &'a Repository,
    fetcher: &'a Fetcher<'a>,
    step: &'a str,
}

impl RepositoryReader<'_> {
    fn mirrored(&self, path: &str) -> Mirrored {
        Mirrored {
            what: format!("{path} of the repository `{}`", self.name),
            urls: self.repository.urls.iter().map(|url| format!("{url}{path}")).collect(),
        }
    }

    /// Reads repomd.xml, with its signature from the same address.
    fn repomd(&self, certificate: &Certificate) -> Result<Vec<MetadataFile>, Trouble> {
        let file = self.mirrored("repodata/repomd.xml");
        self.fetcher.unpinned(&file, REPOMD, self.step, |url, bytes| {
            if self.repository.signed_metadata {
                self.check_signature(url, bytes, certificate)?;
            }
            metadata::read_repomd(bytes).map_err(|e| e.to_string())
        })
    }

    fn check_signature(
        &self,
        url: &str,
        repomd: &[u8],
        certificate: &Certificate,
    ) -> Result<(), String> {
        let what = format!("the signature of repomd.xml of `{}`", self.name);
        let signature = Mirrored { what, urls: vec![format!("{url}.asc")] };
        let checked = self.fetcher.unpinned(&signature, REPOMD, self.step, |_, armored| {
            let packet = openpgp::packet_from_armor(armored);
            let checked = packet.and_then(|packet| certificate.verify(&packet, repomd));
            checked.map_err(|mismatch| format!("the signature {mismatch}"))
        });
        checked.map_err(|trouble| {
            let (Trouble::Unavailable(failure) | Trouble::Failed(failure)) = trouble;
            format!("{}: {}", failure.message, failure.last_lines.join("; "))
        })
    }

    fn file(&self, files: &[MetadataFile], kind: &str) -> Result<MetadataFile, Trouble> {
        let found = files.iter().find(|file| file.kind == kind && !file.sha256.is_empty());
        found.cloned().ok_or_else(|| {
            let message = format!("the repository `{}` has no {kind} with a SHA-256", self.name);
            Failure::new(Class::Source, message).into()
        })
    }

    /// Fetches a file of the metadata and decompresses it while it is read.
    fn open(&self, file: &MetadataFile) -> Result<BufReader<impl Read + use<>>, Trouble> {
        let mirrored = self.mirrored(&file.path);
        let path = self.fetcher.pinned(&mirrored, &file.sha256, file.size, self.step)?;
        let content = File::open(path).map_err(|e| self.unreadable(file, &e))?;
        let content = file.decompressed(BufReader::with_capacity(1 << 17, content));
        Ok(BufReader::with_capacity(1 << 17, content.map_err(|e| self.unreadable(file, &e))?))
    }

    fn primary(&self, file: &MetadataFile, number: usize) -> Result<Vec<Offer>, Trouble> {
        let offers = metadata::read_primary(self.open(file)?, number, &ARCHES);
        offers.map_err(|e| self.unreadable(file, &e).into())
    }

    fn filelists(
        &self,
        file: &MetadataFile,
        paths: &HashSet<Arc<str>>,
    ) -> Result<Vec<(String, Arc<str>)>, Trouble> {
        let found = metadata::find_in_filelists(self.open(file)?, paths);
        found.map_err(|e| self.unreadable(file, &e).into())
    }

    fn unreadable(&self, file: &MetadataFile, error: &std::io::Error) -> Failure {
        let message = format!("{} of the repository `{}`: {error}", file.kind, self.name);
        Failure::new(Class::Source, message).help("try another mirror with `--mirror NAME=URL`")
    }
}
