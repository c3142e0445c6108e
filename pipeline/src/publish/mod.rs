//! Publishes signed RPMs as a repository.
//!
//! The repository is written beside its destination, verified there, and exchanged with the former one in one step:
//! readers see the old or the new one, never a mixture, however the run ends.

mod check;
mod destination;
mod list;
mod names;
mod release;
mod repo_file;
mod whole;

use std::{
    collections::BTreeMap,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

use el7rpm::{openpgp, read::Rpm, repodata, signature::SignedRpm};
use serde::{Deserialize, Serialize};

pub use check::{Expected, rpms_in, verify_repository};
pub use destination::{Destination, swap};
use list::files_below;
pub use names::PUBLIC_KEY;
use names::{RELEASE, REPO_FILE, SUMS, sums_signature};
pub use release::{Published, Release, read_release};

use crate::keys::Keys;
use base::{
    events::Reporter,
    failure::{Class, Classify, Result},
    key::{Key, KeyBuilder},
    workspace::Workspace,
};

/// The repository's address if `--base-url` gives no other.
pub const DEFAULT_BASE_URL: &str = "file:///srv/mesos-calico/el7";

/// The key of the last published repository, with size and time of its files: the next run compares these instead of
/// reading the files.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    key: String,
    out: String,
    /// Name, size, and time of the last change in nanoseconds.
    files: Vec<(String, u64, i128)>,
}

/// A repository that is to be published.
pub struct Publication<'a> {
    /// The checkout.
    pub workspace: &'a Workspace,
    /// The folder of the repository.
    pub destination: &'a Destination,
    /// Its address for hosts.
    pub base_url: &'a str,
    /// The key that signs it.
    pub keys: &'a Keys,
    /// Signed RPMs with the keys of their steps, in order of the plan.
    pub rpms: &'a [(Key, SignedRpm)],
    /// The version line of the compiler, if a package contains a program that was compiled from a crate.
    pub compiler: Option<&'a str>,
    /// The digests of the roots in which files were compiled, by the name of the image.
    pub roots: BTreeMap<String, String>,
    /// Whether checks of builds were left out.
    pub unchecked: bool,
}

impl Publication<'_> {
    /// Identity of the repository.
    fn key(&self) -> Key {
        let mut key = KeyBuilder::new("publish", 3)
            .text("version", env!("CARGO_PKG_VERSION"))
            .text("base url", self.base_url)
            .text("checks", if self.unchecked { "left out" } else { "all" })
            .text("signing key", &self.keys.signer.certificate().fingerprint());
        for (rpm, _) in self.rpms {
            key = key.key("rpm", rpm);
        }
        key.finish()
    }

    fn record_path(&self) -> std::path::PathBuf {
        let out = self.destination.out.to_string_lossy();
        let name = KeyBuilder::new("record", 1).text("out", &out).finish();
        self.workspace.state.join("published").join(format!("{}.json", name.short()))
    }

    fn record(&self) -> Result<Record> {
        let out = &self.destination.out;
        let mut files = Vec::new();
        for file in files_below(out)? {
            let m = fs_err::symlink_metadata(out.join(&file)).class(Class::Output)?;
            let time = i128::from(m.mtime()) * 1_000_000_000 + i128::from(m.mtime_nsec());
            files.push((file, m.size(), time));
        }
        Ok(Record { key: self.key().to_string(), out: out.to_string_lossy().into_owned(), files })
    }

    /// The release at the destination, if it is this one and its files are unchanged.
    pub fn current(&self) -> Option<Release> {
        let recorded = fs_err::read(self.record_path()).ok()?;
        let recorded: Record = serde_json::from_slice(&recorded).ok()?;
        let same = self.destination.out.is_dir() && self.record().ok()? == recorded;
        same.then(|| read_release(&self.destination.out).ok().flatten()).flatten()
    }

    /// The names among `names` that the repository at the destination has.
    pub fn present_of(&self, names: &[&str]) -> Result<Vec<String>> {
        let present = read_release(&self.destination.out)?.map(|r| r.packages).unwrap_or_default();
        let present = present.into_iter().map(|p| p.name);
        Ok(present.filter(|name| names.contains(&name.as_str())).collect())
    }

    /// Whether this repository has every package of the one at the destination, in the same or a newer version, and
    /// the same key has signed both.
    pub fn has_all_of_the_present(&self) -> Result<bool> {
        let Some(present) = read_release(&self.destination.out)? else { return Ok(true) };
        let own = self.rpms.iter().map(|(_, rpm)| Rpm::open(rpm.path()));
        let own = own.collect::<el7rpm::Result<Vec<_>>>()?;
        let has = |published: &Published| {
            let there = Rpm::open(&self.destination.out.join(&published.file));
            there.is_ok_and(|there| own.iter().any(|own| own.replaces(&there)))
        };
        let same_key = present.signed_by == self.keys.signer.certificate().fingerprint();
        Ok(same_key && present.packages.iter().all(has))
    }

    /// Writes the repository unless it is at the destination already. Returns whether it was written.
    pub fn write_if_new(&self, reporter: &dyn Reporter) -> Result<bool> {
        let is_new = self.current().is_none();
        if is_new {
            self.write(reporter)?;
        }
        Ok(is_new)
    }

    /// Writes the repository and exchanges it with the former one.
    fn write(&self, reporter: &dyn Reporter) -> Result<Release> {
        repo_file::check_url(self.base_url)?;
        let release = self.destination.replace(reporter, |dir| {
            // The revision of the metadata counts as well: an older release.json has none.
            let released = read_release(&self.destination.out)?.map(|r| r.revision);
            let indexed = repodata::revision(&self.destination.out).class(Class::Output)?;
            self.fill(dir, released.max(indexed).unwrap_or(0))
        })?;
        let path = self.record_path();
        fs_err::create_dir_all(path.parent().unwrap_or(Path::new("/"))).class(Class::Output)?;
        let record = serde_json::to_vec(&self.record()?).unwrap_or_default();
        fs_err::write(path, record).class(Class::Output)?;
        Ok(release)
    }

    fn fill(&self, dir: &Path, not_before: u32) -> Result<Release> {
        let signer = self.keys.signer.as_ref();
        let certificate = signer.certificate();
        // Copies, not links: a change of a published file must not change the cache.
        let copies = self.rpms.iter().map(|(_, rpm)| rpm.copy_into(dir));
        let copies = copies.collect::<el7rpm::Result<Vec<_>>>().class(Class::Output)?;
        let repository = repodata::write(dir, &copies, not_before, signer).class(Class::Output)?;
        let put =
            |name: &str, content: &str| fs_err::write(dir.join(name), content).class(Class::Output);
        put(PUBLIC_KEY, &certificate.to_armored()?)?;
        put(REPO_FILE, &repo_file::write(self.base_url))?;
        let release = Release {
            version: env!("CARGO_PKG_VERSION").into(),
            revision: repository.revision(),
            signed_by: certificate.fingerprint(),
            development: self.keys.development,
            compiler: self.compiler.map(str::to_owned),
            roots: self.roots.clone(),
            unchecked: self.unchecked,
            packages: repository.packages().iter().map(Published::from).collect(),
            files: Vec::new(),
        };
        let release = self.seal(dir, release)?;
        for_all_to_read(dir)?;
        verify_repository(dir, certificate, Expected::Published)?;
        Ok(release)
    }

    /// Writes release.json, then the checksums of all files, and signs these.
    fn seal(&self, dir: &Path, mut release: Release) -> Result<Release> {
        let is_rpm = |f: &String| release.packages.iter().any(|p| p.file == *f);
        let own = [SUMS.to_owned(), sums_signature()];
        release.files = files_below(dir)?.into_iter().filter(|f| !is_rpm(f)).chain(own).collect();
        let json = serde_json::to_string_pretty(&release).unwrap_or_default();
        fs_err::write(dir.join(RELEASE), json + "\n").class(Class::Output)?;
        let mut sums = String::new();
        for file in files_below(dir)? {
            let known = release.packages.iter().find(|p| p.file == file).map(|p| p.sha256.clone());
            let sum = match known {
                Some(sum) => sum,
                None => repodata::digest(&dir.join(&file)).class(Class::Output)?,
            };
            sums += &format!("{sum}  {file}\n");
        }
        fs_err::write(dir.join(SUMS), &sums).class(Class::Output)?;
        let signature = self.keys.signer.sign(&mut sums.as_bytes(), release.revision)?;
        let armored = openpgp::armor(&signature)?;
        fs_err::write(dir.join(sums_signature()), armored).class(Class::Output)?;
        Ok(release)
    }
}

/// Makes all files readable for everybody, with any umask: the repository is to be served.
pub fn for_all_to_read(dir: &Path) -> Result<()> {
    for entry in walkdir::WalkDir::new(dir) {
        let entry = entry.map_err(std::io::Error::from).class(Class::Output)?;
        let mode = if entry.file_type().is_dir() { 0o755 } else { 0o644 };
        fs_err::set_permissions(entry.path(), std::fs::Permissions::from_mode(mode))
            .class(Class::Output)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
