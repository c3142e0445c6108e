//! Checks that a repository that `rpm` published is complete: no file is missing, a signature covers every file, and
//! the files agree with each other and with the key.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use el7rpm::{
    input,
    openpgp::{self, Certificate},
    repodata,
};

use super::{
    list::{FileType, FolderEntry},
    names::{PUBLIC_KEY, RELEASE, REPO_FILE, SUMS, sums_signature},
    release::read_release,
    repo_file,
};
use base::failure::{Class, Classify, Result};

/// The largest file that is read, apart from RPMs.
const LIMIT: u64 = 256 << 20;

/// The problems of the files in `dir`, apart from metadata and RPMs.
pub(super) fn problems(
    dir: &Path,
    certificate: &Certificate,
    there: &[FolderEntry],
    metadata: &repodata::VerifiedMetadata,
) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    let files: BTreeSet<&str> =
        there.iter().filter(|e| e.kind == FileType::File).map(|e| e.name.as_str()).collect();
    let signature = sums_signature();
    for file in [PUBLIC_KEY, REPO_FILE, RELEASE, SUMS, &signature] {
        if !files.contains(file) {
            problems.push(format!("{file}: is missing"));
        }
    }
    if !problems.is_empty() {
        return Ok(problems);
    }
    let sums = input::read(&dir.join(SUMS), LIMIT).class(Class::Verify)?;
    let armored = input::read(&dir.join(&signature), LIMIT).class(Class::Verify)?;
    let checked = openpgp::packet_from_armor(&armored)
        .and_then(|packet| certificate.verify(&packet, &sums[..]).map(|()| packet));
    let packet = match checked {
        Ok(packet) => packet,
        Err(mismatch) => return Ok(vec![format!("{signature}: the signature {mismatch}")]),
    };
    // No checksum covers this file, so it must contain nothing but the signature.
    if openpgp::armor(&packet)?.as_bytes() != armored {
        return Ok(vec![format!("{signature}: holds more than the signature")]);
    }
    let sums = match parse(&sums) {
        Ok(sums) => sums,
        Err(line) => return Ok(vec![format!("{SUMS}: `{line}` is not a checksum and a file")]),
    };
    for (file, sum) in &sums {
        problems.extend(differs(dir, file, sum, &files, metadata)?.map(|m| format!("{file}: {m}")));
    }
    for entry in there {
        let name = &entry.name;
        let known = match entry.kind {
            FileType::Folder => sums.keys().any(|file| Path::new(file).starts_with(name)),
            _ => sums.contains_key(name) || *name == SUMS || *name == signature,
        };
        if !known {
            problems.push(format!("{name}: is not listed in {SUMS}"));
        }
    }
    if problems.is_empty() {
        problems = disagreements(dir, certificate, &files, metadata)?;
    }
    Ok(problems)
}

/// Files and their checksums, as `sha256sum` writes them.
fn parse(sums: &[u8]) -> Result<BTreeMap<String, String>, String> {
    let mut out = BTreeMap::new();
    for line in String::from_utf8_lossy(sums).lines() {
        let parts = line.split_once("  ").filter(|(sum, _)| sum.len() == 64);
        let (sum, file) = parts.ok_or_else(|| line.to_owned())?;
        if out.insert(file.to_owned(), sum.to_owned()).is_some() {
            return Err(line.to_owned());
        }
    }
    Ok(out)
}

/// How a file differs from its line in SHA256SUMS.
fn differs(
    dir: &Path,
    file: &str,
    sum: &str,
    files: &BTreeSet<&str>,
    metadata: &repodata::VerifiedMetadata,
) -> Result<Option<String>> {
    if !files.contains(file) {
        return Ok(Some(format!("is listed in {SUMS} but missing")));
    }
    let same = match metadata.packages.get(file) {
        // The file has been compared with the checksum in the metadata.
        Some(known) => known == sum,
        None => {
            let path = dir.join(file);
            if input::open(&path).and_then(|f| f.metadata()).class(Class::Verify)?.len() > LIMIT {
                return Ok(Some(
                    "is larger than any file that `rpm` or `index` writes, except RPMs".into(),
                ));
            }
            repodata::digest(&path).class(Class::Verify)? == sum
        }
    };
    Ok((!same).then(|| format!("does not have the checksum that {SUMS} states")))
}

/// Checks that the files agree with each other. Each one was signed, but it could be from another repository of the
/// same key, or an older version.
fn disagreements(
    dir: &Path,
    certificate: &Certificate,
    files: &BTreeSet<&str>,
    metadata: &repodata::VerifiedMetadata,
) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    let text = |file: &str| input::read_text(&dir.join(file), LIMIT).class(Class::Verify);
    if let Err(message) = repo_file::check(&text(REPO_FILE)?) {
        problems.push(format!("{REPO_FILE}: {message}"));
    }
    match Certificate::only(&text(PUBLIC_KEY)?) {
        Err(e) => problems.push(format!("{PUBLIC_KEY}: {e}")),
        Ok(key) if key.fingerprint() != certificate.fingerprint() => {
            problems.push(format!("{PUBLIC_KEY}: is another key, {}", key.fingerprint()));
        }
        Ok(_) => {}
    }
    let Some(release) = read_release(dir)? else {
        return Ok(vec![format!("{RELEASE}: is missing")]);
    };
    if release.signed_by != certificate.fingerprint() {
        problems.push(format!("{RELEASE}: names another key, {}", release.signed_by));
    }
    let packages: BTreeMap<_, _> =
        release.packages.iter().map(|p| (p.file.clone(), p.sha256.clone())).collect();
    let known = release.all_files();
    if packages != metadata.packages
        || known.iter().map(String::as_str).collect::<BTreeSet<_>>() != *files
    {
        problems.push(format!("{RELEASE}: lists other files than are there"));
    }
    Ok(problems)
}
