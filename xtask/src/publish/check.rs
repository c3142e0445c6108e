//! Everything that `cargo xtask verify` checks of a repository, and that each run checks of what it
//! is about to publish.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use el7rpm::{
    openpgp::{self, Certificate},
    repodata, verify,
};

use super::{RELEASE, SUMS, files_below};
use crate::failure::{Class, Classify, Failure, Result};

/// Checks the metadata, every RPM, and the list of checksums where there is one.
pub(crate) fn verify_repository(
    dir: &Path,
    certificate: &Certificate,
) -> Result<Vec<verify::Report>> {
    let found = repodata::verify(dir, certificate).class(Class::Verify)?;
    let mut problems: Vec<String> = found.iter().map(ToString::to_string).collect();
    let mut reports = Vec::new();
    for rpm in rpms_in(dir)? {
        let report = verify::verify(&rpm, certificate).class(Class::Verify)?;
        let name = rpm.file_name().unwrap_or_default().to_string_lossy().into_owned();
        problems
            .extend(report.failures().map(|(check, outcome)| format!("{name}: {check} {outcome}")));
        reports.push(report);
    }
    if dir.join(SUMS).exists() {
        check_sums(dir, certificate, &mut problems)?;
    }
    if problems.is_empty() {
        return Ok(reports);
    }
    let message = format!("{} does not stand up to verification", dir.display());
    let mut failure = Failure::new(Class::Verify, message)
        .help("do not install from it; build or fetch it again");
    failure.last_lines = problems;
    Err(failure)
}

/// The signed list names every file but itself, its signature and release.json, with its checksum.
fn check_sums(dir: &Path, certificate: &Certificate, problems: &mut Vec<String>) -> Result<()> {
    let sums = fs_err::read_to_string(dir.join(SUMS)).class(Class::Verify)?;
    let signature_file = format!("{SUMS}.asc");
    let checked = match fs_err::read(dir.join(&signature_file)) {
        Ok(armored) => openpgp::packet_from_armor(&armored)
            .and_then(|packet| certificate.verify(&packet, sums.as_bytes()))
            .map_err(|mismatch| mismatch.to_string()),
        Err(_) => Err("is missing".to_owned()),
    };
    if let Err(why) = checked {
        problems.push(format!("{signature_file}: the signature {why}"));
        return Ok(());
    }
    let mut unlisted: BTreeSet<_> = files_below(dir)?.into_iter().collect();
    for own in [SUMS, &signature_file, RELEASE] {
        unlisted.remove(own);
    }
    for (sum, file) in sums.lines().filter_map(|line| line.split_once("  ")) {
        if !unlisted.remove(file) {
            problems.push(format!("{file}: is listed in {SUMS} but missing"));
        } else if repodata::digest(&dir.join(file)).class(Class::Verify)? != sum {
            problems.push(format!("{file}: does not have the checksum that {SUMS} states"));
        }
    }
    problems.extend(unlisted.iter().map(|file| format!("{file}: is not listed in {SUMS}")));
    Ok(())
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
