//! From signed RPMs to the repository that users see.
//!
//! It is put together beside its place, verified there, and exchanged with the former one in one
//! step: whoever looks sees the old or the new, never a mixture, however the run ends.

mod check;
mod place;

use std::{
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

use el7rpm::{
    openpgp,
    repodata::{self, IndexedRpm},
    signature::SignedRpm,
};
use serde::{Deserialize, Serialize};

pub(crate) use check::{rpms_in, verify_repository};
pub(crate) use place::{Place, swap};

use crate::{
    failure::{Class, Classify, Failure, Result},
    key::{Key, KeyBuilder},
    keys::Keys,
    workspace::Workspace,
};

/// Name of the public key in the repository.
pub(crate) const PUBLIC_KEY: &str = "RPM-GPG-KEY-mesos-calico";
/// Name of yum's description of the repository.
const REPO_FILE: &str = "mesos-calico.repo";
const RELEASE: &str = "release.json";
const SUMS: &str = "SHA256SUMS";
/// Where hosts look for the repository unless it is published under another address.
pub(crate) const DEFAULT_BASE_URL: &str = "file:///srv/mesos-calico/el7";

/// `release.json`: what is in a repository and where it came from. Keys are only ever added, so
/// that every version of this program knows the files of every other.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Release {
    /// Version of this program.
    version: String,
    /// The metadata's revision; the next one is never older.
    #[serde(default)]
    revision: u32,
    /// Fingerprint of the signing key.
    pub(crate) signed_by: String,
    /// Whether that is a development key.
    pub(crate) development: bool,
    /// The RPMs.
    pub(crate) packages: Vec<Published>,
    /// Every other file.
    files: Vec<String>,
}

impl Release {
    /// All files of the repository, this list's own included.
    fn all_files(&self) -> Vec<String> {
        let rpms = self.packages.iter().map(|p| p.file.clone());
        rpms.chain(self.files.iter().cloned()).chain([RELEASE.into()]).collect()
    }
}

/// An RPM in a repository.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Published {
    pub(crate) name: String,
    pub(crate) file: String,
    pub(crate) size: u64,
    sha256: String,
}

/// What was published last, and what its files looked like then: kept beside the cache, to tell
/// without reading them whether they are still the same.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    key: String,
    out: String,
    /// Name, size, and time of the last change in nanoseconds.
    files: Vec<(String, u64, i128)>,
}

/// What is to be published, and where.
pub(crate) struct Publication<'a> {
    pub(crate) workspace: &'a Workspace,
    pub(crate) place: &'a Place,
    pub(crate) base_url: &'a str,
    pub(crate) keys: &'a Keys,
    /// Signed RPMs with the keys of their steps, in order of the plan.
    pub(crate) rpms: &'a [(Key, SignedRpm)],
}

impl Publication<'_> {
    /// Identity of the repository.
    fn key(&self) -> Key {
        let mut key = KeyBuilder::new("publish", 2)
            .text("version", env!("CARGO_PKG_VERSION"))
            .text("base url", self.base_url)
            .text("signing key", &self.keys.signer.certificate().fingerprint());
        for (rpm, _) in self.rpms {
            key = key.key("rpm", rpm);
        }
        key.finish()
    }

    fn record_path(&self) -> std::path::PathBuf {
        let out = self.place.out.to_string_lossy();
        let name = KeyBuilder::new("record", 1).text("out", &out).finish();
        self.workspace.state.join("published").join(format!("{}.json", name.short()))
    }

    fn record(&self) -> Result<Record> {
        let out = &self.place.out;
        let mut files = Vec::new();
        for file in files_below(out)? {
            let m = fs_err::symlink_metadata(out.join(&file)).class(Class::Output)?;
            let time = i128::from(m.mtime()) * 1_000_000_000 + i128::from(m.mtime_nsec());
            files.push((file, m.size(), time));
        }
        Ok(Record { key: self.key().to_string(), out: out.to_string_lossy().into_owned(), files })
    }

    /// The release that is there, if it is this very one and untouched since.
    pub(crate) fn current(&self) -> Option<Release> {
        let recorded = fs_err::read(self.record_path()).ok()?;
        let recorded: Record = serde_json::from_slice(&recorded).ok()?;
        let same = self.place.out.is_dir() && self.record().ok()? == recorded;
        same.then(|| read_release(&self.place.out).ok().flatten()).flatten()
    }

    /// Makes the repository and puts it in place.
    pub(crate) fn write(&self) -> Result<Release> {
        check_url(self.base_url)?;
        let before = read_release(&self.place.out)?.map_or(0, |r| r.revision);
        let release = self.place.replace(|dir| self.fill(dir, before))?;
        let path = self.record_path();
        fs_err::create_dir_all(path.parent().unwrap_or(Path::new("/"))).class(Class::Output)?;
        let record = serde_json::to_vec(&self.record()?).unwrap_or_default();
        fs_err::write(path, record).class(Class::Output)?;
        Ok(release)
    }

    fn fill(&self, dir: &Path, not_before: u32) -> Result<Release> {
        let signer = self.keys.signer.as_ref();
        let certificate = signer.certificate();
        let mut indexed = Vec::new();
        for (_, rpm) in self.rpms {
            let copy = dir.join(rpm.path.file_name().unwrap_or_default());
            // A copy, not a link: nobody who changes a published file must reach the cache.
            fs_err::copy(&rpm.path, &copy).class(Class::Output)?;
            indexed.push(IndexedRpm::read(&copy)?);
        }
        let repository =
            repodata::write_indexed(dir, indexed, not_before, signer).class(Class::Output)?;
        let put =
            |name: &str, content: &str| fs_err::write(dir.join(name), content).class(Class::Output);
        put(PUBLIC_KEY, &certificate.to_armored()?)?;
        put(REPO_FILE, &repo_file(self.base_url))?;
        let release = Release {
            version: env!("CARGO_PKG_VERSION").into(),
            revision: repository.revision,
            signed_by: certificate.fingerprint(),
            development: self.keys.development,
            packages: repository.packages.iter().map(published).collect(),
            files: Vec::new(),
        };
        let release = self.seal(dir, release)?;
        for_all_to_read(dir)?;
        verify_repository(dir, certificate)?;
        Ok(release)
    }

    /// Checksums of everything, with their signature, and the list of all files.
    fn seal(&self, dir: &Path, mut release: Release) -> Result<Release> {
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
        fs_err::write(dir.join(format!("{SUMS}.asc")), armored).class(Class::Output)?;
        let is_rpm = |f: &String| release.packages.iter().any(|p| p.file == *f);
        release.files = files_below(dir)?.into_iter().filter(|f| !is_rpm(f)).collect();
        let json = serde_json::to_string_pretty(&release).unwrap_or_default();
        fs_err::write(dir.join(RELEASE), json + "\n").class(Class::Output)?;
        Ok(release)
    }
}

/// A repository is there to be served, whatever the umask of whoever made it.
pub(crate) fn for_all_to_read(dir: &Path) -> Result<()> {
    for entry in walkdir::WalkDir::new(dir) {
        let entry = entry.map_err(std::io::Error::from).class(Class::Output)?;
        let mode = if entry.file_type().is_dir() { 0o755 } else { 0o644 };
        fs_err::set_permissions(entry.path(), std::fs::Permissions::from_mode(mode))
            .class(Class::Output)?;
    }
    Ok(())
}

/// The address stands in a file that yum reads line by line.
fn check_url(url: &str) -> Result<()> {
    let known =
        ["file://", "http://", "https://", "ftp://"].iter().any(|scheme| url.starts_with(scheme));
    let plain = url.chars().all(|c| c.is_ascii_graphic());
    match known && plain {
        true => Ok(()),
        false => {
            Err(Failure::new(Class::Usage, "--base-url must be a file, http, https or ftp address"))
        }
    }
}

fn published(rpm: &IndexedRpm) -> Published {
    Published {
        name: rpm.name().to_owned(),
        file: rpm.file_name.clone(),
        size: rpm.size,
        sha256: rpm.checksum.clone(),
    }
}

/// The description for /etc/yum.repos.d: both packages and metadata must be signed.
fn repo_file(base_url: &str) -> String {
    let base = base_url.trim_end_matches('/');
    format!(
        "[mesos-calico]\nname=Mesos with Calico networking for CentOS 7\nbaseurl={base}\n\
         enabled=1\ngpgcheck=1\nrepo_gpgcheck=1\ngpgkey={base}/{PUBLIC_KEY}\n"
    )
}

/// The release in `dir`, if it holds one of ours.
///
/// # Errors
/// If there is one that this version does not understand, or it cannot be read.
pub(crate) fn read_release(dir: &Path) -> Result<Option<Release>> {
    let path = dir.join(RELEASE);
    let text = match fs_err::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e).class(Class::Output),
    };
    serde_json::from_str(&text).map(Some).map_err(|e| {
        Failure::new(Class::Output, format!("{} is not understood: {e}", path.display()))
            .help("it may be of another version, or changed by hand: move the folder away, or choose another with --out")
    })
}

/// All files below `dir`, relative to it, by name.
fn files_below(dir: &Path) -> Result<Vec<String>> {
    let mut files = Vec::new();
    for entry in walkdir::WalkDir::new(dir).sort_by_file_name() {
        let entry = entry.map_err(std::io::Error::from).class(Class::Output)?;
        if !entry.file_type().is_dir() {
            let name = entry.path().strip_prefix(dir).unwrap_or(entry.path());
            files.push(name.to_string_lossy().into_owned());
        }
    }
    Ok(files)
}

/// The signed RPM in a folder of the cache.
pub(crate) fn signed(dir: &Path, file_name: &str, key: &str) -> Result<SignedRpm> {
    let path = dir.join(file_name);
    let size = fs_err::metadata(&path).class(Class::Output)?.len();
    Ok(SignedRpm { path, size, key: key.to_owned() })
}
