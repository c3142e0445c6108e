//! From signed RPMs to the repository that users see.
//!
//! It is put together beside its place, verified there, and exchanged with the former one in one
//! step: whoever looks sees the old or the new, never a mixture, however the run ends.

use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use el7rpm::{
    openpgp,
    repodata::{self, IndexedRpm},
    signature::SignedRpm,
    verify,
};
use serde::{Deserialize, Serialize};

use crate::{
    cache::sync,
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

/// `release.json`: what is in a repository and where it came from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Release {
    /// Identity of the whole.
    key: String,
    /// Version of this program.
    version: String,
    /// Fingerprint of the signing key.
    pub(crate) signed_by: String,
    /// Whether that is a development key.
    pub(crate) development: bool,
    /// The RPMs.
    pub(crate) packages: Vec<Published>,
    /// Every other file, with its size.
    files: Vec<(String, u64)>,
}

/// An RPM in a repository.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Published {
    pub(crate) name: String,
    pub(crate) file: String,
    pub(crate) size: u64,
    sha256: String,
}

/// What is to be published, and where.
pub(crate) struct Publication<'a> {
    pub(crate) workspace: &'a Workspace,
    pub(crate) out: &'a Path,
    pub(crate) base_url: &'a str,
    pub(crate) keys: &'a Keys,
    /// Signed RPMs with the keys of their steps, in order of the plan.
    pub(crate) rpms: &'a [(Key, SignedRpm)],
}

impl Publication<'_> {
    /// Identity of the repository.
    pub(crate) fn key(&self) -> Key {
        let mut key = KeyBuilder::new("publish", 1)
            .text("version", env!("CARGO_PKG_VERSION"))
            .text("base url", self.base_url)
            .text("signing key", &self.keys.signer.certificate().fingerprint());
        for (rpm, _) in self.rpms {
            key = key.key("rpm", rpm);
        }
        key.finish()
    }

    /// The release in `out`, if it is this very one and untouched since.
    pub(crate) fn current(&self) -> Option<Release> {
        let release = read_release(self.out).ok()??;
        let time = modified(&self.out.join(RELEASE))?;
        let untouched = |file: &str, size: u64| {
            let path = self.out.join(file);
            let length = fs_err::metadata(&path).ok().map(|m| m.len());
            length == Some(size) && modified(&path) == Some(time)
        };
        let whole = release.packages.iter().all(|p| untouched(&p.file, p.size))
            && release.files.iter().all(|(file, size)| untouched(file, *size));
        (release.key == self.key().to_string() && whole).then_some(release)
    }

    /// Makes the repository and puts it in place.
    pub(crate) fn write(&self) -> Result<Release> {
        check_replaceable(self.out)?;
        let parent = self.out.parent().unwrap_or(Path::new("/"));
        fs_err::create_dir_all(parent).class(Class::Output)?;
        let new = self.beside("new");
        let old = self.beside("old");
        for stale in [&new, &old] {
            remove(stale)?;
        }
        fs_err::create_dir(&new).class(Class::Output)?;
        let release = self.fill(&new).inspect_err(|_| {
            let _ = fs_err::remove_dir_all(&new);
        })?;
        sync(&new)?;
        exchange(&new, &old, self.out)?;
        sync(parent)?;
        remove(&new)?;
        remove(&old)?;
        Ok(release)
    }

    /// A name beside `out` that only this checkout uses, and only under its lock.
    fn beside(&self, what: &str) -> PathBuf {
        let owner = KeyBuilder::new("owner", 1)
            .text("state", &self.workspace.state.to_string_lossy())
            .finish();
        let name = self.out.file_name().unwrap_or_default().to_string_lossy();
        self.out.with_file_name(format!(".{name}.{what}-{}", owner.short()))
    }

    fn fill(&self, dir: &Path) -> Result<Release> {
        let signer = self.keys.signer.as_ref();
        let certificate = signer.certificate();
        let mut indexed = Vec::new();
        for (_, rpm) in self.rpms {
            let copy = dir.join(rpm.path.file_name().unwrap_or_default());
            // A copy, not a link: nobody who changes a published file must reach the cache.
            fs_err::copy(&rpm.path, &copy).class(Class::Output)?;
            indexed.push(IndexedRpm::read(&copy)?);
        }
        let repository = repodata::write_indexed(dir, indexed, signer).class(Class::Output)?;
        let put =
            |name: &str, content: &str| fs_err::write(dir.join(name), content).class(Class::Output);
        put(PUBLIC_KEY, &certificate.to_armored()?)?;
        put(REPO_FILE, &repo_file(self.base_url))?;
        verify_repository(dir, certificate)?;

        let release = Release {
            key: self.key().to_string(),
            version: env!("CARGO_PKG_VERSION").into(),
            signed_by: certificate.fingerprint(),
            development: self.keys.development,
            packages: repository.packages.iter().map(published).collect(),
            files: Vec::new(),
        };
        let release = self.seal(dir, release, repository.revision)?;
        Ok(release)
    }

    /// Checksums of everything, their signature, and one time for all files.
    fn seal(&self, dir: &Path, mut release: Release, revision: u32) -> Result<Release> {
        let rpms: Vec<_> = release.packages.iter().map(|p| p.file.clone()).collect();
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
        let signature = self.keys.signer.sign(&mut sums.as_bytes(), revision)?;
        fs_err::write(dir.join(format!("{SUMS}.asc")), openpgp::armor(&signature)?)
            .class(Class::Output)?;
        for file in files_below(dir)?.into_iter().filter(|f| !rpms.contains(f)) {
            let size = fs_err::metadata(dir.join(&file)).class(Class::Output)?.len();
            release.files.push((file, size));
        }
        let json = serde_json::to_string_pretty(&release).unwrap_or_default();
        fs_err::write(dir.join(RELEASE), json + "\n").class(Class::Output)?;
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(revision.into());
        for file in files_below(dir)? {
            let file =
                fs_err::OpenOptions::new().write(true).open(dir.join(file)).class(Class::Output)?;
            file.file().set_modified(time).class(Class::Output)?;
        }
        Ok(release)
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

/// Everything that `cargo xtask verify` checks.
pub(crate) fn verify_repository(
    dir: &Path,
    certificate: &openpgp::Certificate,
) -> Result<Vec<verify::Report>> {
    let mut problems: Vec<String> = repodata::verify(dir, certificate)
        .class(Class::Verify)?
        .iter()
        .map(ToString::to_string)
        .collect();
    let mut reports = Vec::new();
    for rpm in rpms_in(dir)? {
        let report = verify::verify(&rpm, certificate).class(Class::Verify)?;
        let name = rpm.file_name().unwrap_or_default().to_string_lossy().into_owned();
        problems
            .extend(report.failures().map(|(check, outcome)| format!("{name}: {check} {outcome}")));
        reports.push(report);
    }
    if problems.is_empty() {
        return Ok(reports);
    }
    let mut failure =
        Failure::new(Class::Verify, format!("{} does not stand up to verification", dir.display()))
            .help("do not install from it; build or fetch it again");
    failure.last_lines = problems;
    Err(failure)
}

/// The RPMs that lie directly in a folder, by name.
pub(crate) fn rpms_in(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut rpms = Vec::new();
    for entry in fs_err::read_dir(dir).class(Class::Verify)? {
        let path = entry.class(Class::Verify)?.path();
        if path.extension().is_some_and(|e| e == "rpm") {
            rpms.push(path);
        }
    }
    rpms.sort();
    Ok(rpms)
}

/// The release in `dir`, if it holds one of ours.
pub(crate) fn read_release(dir: &Path) -> Result<Option<Release>> {
    match fs_err::read_to_string(dir.join(RELEASE)) {
        Ok(text) => Ok(serde_json::from_str(&text).ok()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e).class(Class::Output),
    }
}

/// A folder is replaced whole, so it must be empty or one of ours with nothing added.
pub(crate) fn check_replaceable(out: &Path) -> Result<()> {
    if !out.exists() {
        return Ok(());
    }
    let known = read_release(out)?.map(|r| {
        let rpms = r.packages.into_iter().map(|p| p.file);
        rpms.chain(r.files.into_iter().map(|(f, _)| f)).chain([RELEASE.into()]).collect::<Vec<_>>()
    });
    let known = known.unwrap_or_default();
    match files_below(out)?.into_iter().find(|f| !known.contains(f)) {
        None => Ok(()),
        Some(foreign) => Err(Failure::new(
            Class::Output,
            format!("{} holds `{foreign}`, which was not written by this program; the folder would be replaced whole", out.display()),
        )
        .help("move the file away, or choose another folder with --out")),
    }
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

/// Puts `new` in the place of `out`. Where the file system cannot exchange two names at once, the
/// former one is moved to `old` first.
pub(crate) fn exchange(new: &Path, old: &Path, out: &Path) -> Result<()> {
    if !out.exists() {
        return fs_err::rename(new, out).class(Class::Output);
    }
    let at = rustix::fs::CWD;
    if rustix::fs::renameat_with(at, new, at, out, rustix::fs::RenameFlags::EXCHANGE).is_ok() {
        return Ok(());
    }
    fs_err::rename(out, old).class(Class::Output)?;
    fs_err::rename(new, out).class(Class::Output)
}

fn remove(dir: &Path) -> Result<()> {
    match fs_err::remove_dir_all(dir) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e).class(Class::Output),
        _ => Ok(()),
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs_err::metadata(path).ok()?.modified().ok()
}

/// The signed RPM in a folder of the cache.
pub(crate) fn signed(dir: &Path, file_name: &str, key: &str) -> Result<SignedRpm> {
    let path = dir.join(file_name);
    let size = fs_err::metadata(&path).class(Class::Output)?.len();
    Ok(SignedRpm { path, size, key: key.to_owned() })
}
