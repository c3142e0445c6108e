//! Fetches the packages of a lock into the store, several at once, and checks each: its size and SHA-256, its name and
//! version, and the signatures over header and payload by the key of its repository.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use el7rpm::{
    input,
    openpgp::Certificate,
    verify::{self, Required},
};

use super::{
    description::Description,
    lockfile::{Lock, LockedPackage},
};
use base::{
    events::Event,
    failure::{Class, Classify, Failure, Result, Trouble},
};
use sources::{Fetcher, Mirrored};

/// How many packages are fetched and checked at once.
const AT_ONCE: usize = 4;

/// Fetches and checks all packages of the lock. The result is their paths in the store.
pub(super) fn fetch(
    description: &Description,
    lock: &Lock,
    fetcher: &Fetcher<'_>,
    step: &str,
) -> Result<Vec<PathBuf>, Trouble> {
    let keys = keys(description, lock, fetcher, step)?;
    let packages = Packages { description, fetcher, step, keys };
    packages.fetch(&lock.packages)
}

/// The keys of the lock, by name. Each must have the fingerprint of image.toml.
fn keys<'a>(
    description: &'a Description,
    lock: &Lock,
    fetcher: &Fetcher<'_>,
    step: &str,
) -> Result<BTreeMap<&'a str, Certificate>, Trouble> {
    let mut keys = BTreeMap::new();
    for (name, source) in &description.keys {
        let Some(locked) = lock.keys.iter().find(|key| key.name == *name) else {
            return Err(description.outdated(&format!("it has no key `{name}`")).into());
        };
        let file = Mirrored { what: format!("the key `{name}`"), urls: source.urls.clone() };
        let path = fetcher.pinned(&file, &locked.sha256, Some(locked.size), step)?;
        let text = input::read_text(&path, input::MAX_TEXT).class(Class::Key)?;
        let certificate = Certificate::only(&text).map_err(Failure::from)?;
        if certificate.fingerprint() != source.fingerprint {
            let why = format!("the fingerprint of its key `{name}` is not that of image.toml");
            return Err(description.outdated(&why).into());
        }
        keys.insert(name.as_str(), certificate);
    }
    Ok(keys)
}

struct Packages<'a> {
    description: &'a Description,
    fetcher: &'a Fetcher<'a>,
    step: &'a str,
    keys: BTreeMap<&'a str, Certificate>,
}

impl Packages<'_> {
    /// Fetches all packages, several at once. After a failure no further one is begun.
    fn fetch(&self, all: &[LockedPackage]) -> Result<Vec<PathBuf>, Trouble> {
        let next = AtomicUsize::new(0);
        let work = || {
            let mut done = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(package) = all.get(number) else { return done };
                let path = self.one(package);
                if path.is_err() {
                    next.store(all.len(), Ordering::Relaxed);
                }
                done.push((number, path));
            }
        };
        let mut done = Vec::new();
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
            for worker in workers {
                match worker.join() {
                    Ok(part) => done.extend(part),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
        });
        done.sort_by_key(|(number, _)| *number);
        done.into_iter().map(|(_, path)| path).collect()
    }

    fn one(&self, package: &LockedPackage) -> Result<PathBuf, Trouble> {
        let repository = self.description.repository_of(package)?;
        let file = Mirrored {
            what: format!("{} of the repository `{}`", package.nevra(), package.repository),
            urls: repository.urls.iter().map(|url| format!("{url}{}", package.path)).collect(),
        };
        let path = self.fetcher.pinned(&file, &package.sha256, Some(package.size), self.step)?;
        check(package, &path, &self.keys[repository.key.as_str()])?;
        let line = format!("{} is checked", package.nevra());
        self.fetcher.reporter.event(&Event::StepOutput { step: self.step, line: &line });
        Ok(path)
    }
}

fn check(package: &LockedPackage, path: &Path, certificate: &Certificate) -> Result<()> {
    let report = verify::verify(path, certificate, Required::AsWritten).class(Class::Source)?;
    let nevra = package.nevra();
    let mut faults: Vec<_> =
        report.failures().map(|(check, why)| format!("{check} {why}")).collect();
    let size = fs_err::metadata(path).class(Class::Source)?.len();
    if size != package.size {
        faults.push(format!("it has {size} bytes, and the lock says {}", package.size));
    }
    // An epoch of 0 may be stated or not.
    if report.nevra.replacen("-0:", "-", 1) != nevra {
        faults.push(format!("it is {}, not {nevra}", report.nevra));
    }
    if faults.is_empty() {
        return Ok(());
    }
    let mut failure = Failure::new(Class::Verify, format!("{nevra} failed verification"))
        .help("nothing was unpacked; find out who changed the lock or the package");
    failure.package = Some(nevra);
    failure.last_lines = faults;
    Err(failure)
}
