//! `index`: writes and signs the repodata of a folder of RPMs that the key has signed.

use std::path::Path;

use el7rpm::{
    input,
    openpgp::Signer,
    repodata,
    signature::SignedRpm,
    verify::{self, Required},
};

use crate::{cli::IndexArgs, output::Output, terminal};
use base::{
    disk::{remove_folder, sync, sync_all},
    events::Reporter,
    failure::{Class, Classify, Failure, Result},
    workspace::Workspace,
};
use pipeline::{
    keys::{self, Passphrase},
    lock::Lock,
    publish,
};

/// `checkout` is called only if the development key is needed.
pub(super) fn run(
    args: &IndexArgs,
    passphrase: &Passphrase,
    checkout: impl Fn() -> Result<Workspace>,
    reporter: &dyn Reporter,
    json: bool,
) -> Result<()> {
    let dir = &args.dir;
    let _folder = Lock::of_folder(dir, reporter).map_err(|mut f| {
        f.class = Class::Usage;
        f
    })?;
    let rpms = publish::rpms_in(dir).map_err(|mut f| {
        f.class = Class::Usage;
        f
    })?;
    if rpms.is_empty() {
        return Err(Failure::new(Class::Usage, format!("there is no RPM in {}", dir.display())));
    }
    if publish::read_release(dir)?.is_some() {
        let message = format!(
            "{} was published by `rpm`, whose checksums would no longer hold",
            dir.display()
        );
        return Err(
            Failure::new(Class::Usage, message).help("run `cargo xtask rpm`, which indexes it")
        );
    }
    let named = args.key.named();
    let keys = match keys::named(named.as_ref(), passphrase, reporter)? {
        Some(keys) => keys,
        None => {
            let checkout = checkout().map_err(|f| {
                f.help("name a key with --key or --gpg-key, or a checkout whose development key signs with --root")
            })?;
            let _lock = Lock::take(&checkout, reporter)?;
            keys::load(named.as_ref(), passphrase, &checkout, reporter)?
        }
    };
    let certificate = keys.signer.certificate();
    let mut packages = Vec::new();
    let mut refused = Vec::new();
    for rpm in &rpms {
        let report = verify::verify(rpm, certificate, Required::AsWritten).class(Class::Verify)?;
        match report.signed() {
            Some(signed) => packages.push(signed.clone()),
            None => refused.push(report),
        }
    }
    if !refused.is_empty() {
        return Err(refusal(&refused));
    }
    let (count, kept) = replace(dir, &packages, keys.signer.as_ref())?;
    if json {
        terminal::json(&Output::Indexed { packages: count, kept });
        return Ok(());
    }
    let mut text = format!("indexed and signed: {count} packages in {}\n", dir.display());
    if !kept.is_empty() {
        text += &format!("kept of what lay in repodata, and signed with it: {}\n", kept.join(", "));
    }
    terminal::text(&text);
    Ok(())
}

/// The failure for packages that cannot be indexed, with all their faults. It has a hint if the same hint fits all
/// faults.
fn refusal(refused: &[verify::Report]) -> Failure {
    const HELP: &str =
        "remove them from the folder, sign them, or index with the key that signed them";
    let is_only_unfit = |r: &verify::Report| r.failures().next().is_none();
    let message = match refused.iter().all(is_only_unfit) {
        true => "CentOS 7 could not install from this repository",
        false => "a repository can only hold packages that its own key has signed",
    };
    let remedy = refused[0].remedy();
    let shared = remedy.filter(|_| refused.iter().all(|r| r.remedy() == remedy));
    let mut failure = Failure::new(Class::Verify, message).help(shared.unwrap_or(HELP));
    for report in refused {
        let lines = report.faults().into_iter().map(|fault| format!("{}: {fault}", report.nevra));
        failure.last_lines.extend(lines);
        if let Some(remedy) = report.remedy().filter(|_| shared.is_none()) {
            failure.last_lines.push(format!("{}: {remedy}", report.nevra));
        }
    }
    failure
}

/// Replaces the repodata: the new one is complete before the old one is removed. Returns the number of packages, and the
/// kinds of metadata that were kept.
fn replace(
    dir: &Path,
    packages: &[SignedRpm],
    signer: &dyn Signer,
) -> Result<(usize, Vec<String>)> {
    let staging = dir.join(".repodata.new");
    remove_folder(&staging)?;
    fs_err::create_dir(&staging).class(Class::Output)?;
    let done = fill(dir, &staging, packages, signer);
    remove_folder(&staging)?;
    done
}

fn fill(
    dir: &Path,
    staging: &Path,
    packages: &[SignedRpm],
    signer: &dyn Signer,
) -> Result<(usize, Vec<String>)> {
    let before = repodata::revision(dir).class(Class::Output)?.unwrap_or(0);
    let kept = repodata::kept(dir).class(Class::Usage)?;
    let repository = repodata::write_with(staging, packages, before, &kept, signer);
    let repository = repository.class(Class::Output)?;
    let (new, place) = (staging.join("repodata"), dir.join("repodata"));
    publish::for_all_to_read(&new)?;
    sync_all(&new)?;
    let is_there = input::is_there(&place).class(Class::Output)?;
    if !is_there || !publish::swap(&new, &place) {
        remove_folder(&place)?;
        fs_err::rename(&new, &place).class(Class::Output)?;
    }
    sync(dir)?;
    Ok((repository.packages().len(), kept.into_iter().map(|file| file.kind).collect()))
}
