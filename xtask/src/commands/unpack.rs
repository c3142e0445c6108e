//! `unpack`: unpacks RPMs into a new folder, without rpm and as an ordinary user.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use el7rpm::{
    input,
    openpgp::Certificate,
    read::Rpm,
    unpack::{Tree, TreeSummary, in_order},
    verify::{self, Required},
};

use crate::{cli::UnpackArgs, output::Output, terminal};
use base::failure::{Class, Classify, Failure, Result};

pub(super) fn run(args: &UnpackArgs, json: bool) -> Result<()> {
    let certificate = match &args.public_key {
        Some(file) => {
            let text = input::read_text(file, input::MAX_TEXT).class(Class::Key)?;
            Some(Certificate::only(&text)?)
        }
        None => None,
    };
    let mut signed = HashMap::new();
    for rpm in &args.rpms {
        if let Some(header) = check(rpm, certificate.as_ref())? {
            signed.insert(rpm.as_path(), header);
        }
    }
    let into = destination(&args.into)?;
    let summary = unpack(&args.rpms, &signed, &into)?;
    show(args, &summary, json);
    Ok(())
}

/// The absolute path of the new folder, whose parent exists then.
fn destination(path: &Path) -> Result<PathBuf> {
    let path = std::path::absolute(path).class(Class::Output)?;
    if path.symlink_metadata().is_ok() {
        if fs_err::read_dir(&path).class(Class::Output)?.next().is_some() {
            let message = format!("{} is not empty", path.display());
            let help = "name a folder that does not exist, or an empty one";
            return Err(Failure::new(Class::Output, message).help(help));
        }
        return fs_err::canonicalize(&path).class(Class::Output);
    }
    fs_err::create_dir_all(path.parent().unwrap_or(&path)).class(Class::Output)?;
    Ok(path)
}

/// The tree is made beside its destination and renamed, so that nobody finds half of one there. `signed` has the SHA-256
/// of the headers whose signatures were checked; the digests of all files are in the header.
fn unpack(rpms: &[PathBuf], signed: &HashMap<&Path, [u8; 32]>, into: &Path) -> Result<TreeSummary> {
    let parent = into.parent().unwrap_or(into);
    let scratch = tempfile::Builder::new().prefix(".unpack-").tempdir_in(parent);
    let scratch = scratch.class(Class::Output)?;
    let folder = scratch.path().join("tree");
    let mut tree = Tree::create(&folder).class(Class::Output)?;
    for path in in_order(rpms).class(Class::Source)? {
        let rpm = Rpm::open(path).class(Class::Source)?;
        if signed.get(path).is_some_and(|checked| *checked != rpm.header_sha256()) {
            let message =
                format!("{} was replaced after its signatures were checked", path.display());
            return Err(Failure::new(Class::Verify, message).help("nothing was unpacked"));
        }
        tree.add(&rpm).class(Class::Output)?;
    }
    let summary = tree.finish().class(Class::Output)?;
    fs_err::rename(&folder, into).class(Class::Output)?;
    Ok(summary)
}

/// Checks digests, and signatures if there is a key; then the result is the SHA-256 of the header. It makes no difference
/// whether CentOS 7 could install the package.
fn check(rpm: &Path, certificate: Option<&Certificate>) -> Result<Option<[u8; 32]>> {
    let (faults, header) = match certificate {
        Some(certificate) => {
            let report = verify::verify(rpm, certificate, Required::AsWritten);
            let report = report.class(Class::Source)?;
            (report.failures().cloned().collect(), Some(report.header))
        }
        None => (verify::wrong_digests(rpm).class(Class::Source)?, None),
    };
    if faults.is_empty() {
        return Ok(header);
    }
    let message = format!("{} failed verification", rpm.display());
    let mut failure = Failure::new(Class::Verify, message).help("nothing was unpacked");
    failure.last_lines = faults.iter().map(|(check, why)| format!("{check} {why}")).collect();
    Err(failure)
}

fn show(args: &UnpackArgs, summary: &TreeSummary, json: bool) {
    let TreeSummary { packages, files, bytes, special, set_id, ref digest } = *summary;
    let folder = args.into.display().to_string();
    let signed = args.public_key.is_some();
    if json {
        let digest = digest.clone();
        let object =
            Output::Unpacked { folder, packages, files, bytes, digest, special, set_id, signed };
        return terminal::json(&object);
    }
    let megabytes = bytes as f64 / 1e6;
    let mut text = format!(
        "unpacked {packages} packages with {files} files ({megabytes:.1} MB) into {folder}\n"
    );
    if special + set_id > 0 {
        text += &format!("left out: {special} devices and pipes, set-id bits of {set_id} files\n");
    }
    if !signed {
        text += "signatures were not checked: `--public-key FILE` names the key to check them by\n";
    }
    text += &format!("digest of the tree: {digest}\n");
    terminal::text(&text);
}
