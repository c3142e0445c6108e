//! `index`: writes and signs the repodata of a folder of RPMs that the key has signed.

use std::path::Path;

use el7rpm::{
    openpgp::Signer,
    repodata::{self, IndexedRpm},
    verify,
};

use crate::{
    cli::IndexArgs,
    events::Reporter,
    failure::{Class, Classify, Failure, Result},
    keys,
    lock::Lock,
    publish, terminal,
    workspace::{Workspace, remove_folder},
};

pub(super) fn run(
    args: &IndexArgs,
    workspace: &Workspace,
    reporter: &dyn Reporter,
    json: bool,
) -> Result<()> {
    let dir = &args.dir;
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
    let _lock = Lock::take(workspace, reporter)?;
    let keys = keys::load(&args.key, workspace, reporter)?;
    let certificate = keys.signer.certificate();
    let mut packages = Vec::new();
    let mut refused = Vec::new();
    for rpm in &rpms {
        let report = verify::verify(rpm, certificate).class(Class::Verify)?;
        let faults = report.failures().map(|(c, o)| format!("{}: {c} {o}", report.nevra));
        refused.extend(faults);
        if report.is_good() {
            packages.push(IndexedRpm::read(rpm)?);
        }
    }
    if !refused.is_empty() {
        let mut failure = Failure::new(
            Class::Verify,
            "a repository can only hold packages that its own key has signed",
        )
        .help("remove them from the folder, sign them, or index with the key that signed them");
        failure.last_lines = refused;
        return Err(failure);
    }
    let repository = replace(dir, packages, keys.signer.as_ref())?;
    let count = repository.packages.len();
    if json {
        terminal::json(&serde_json::json!({ "event": "indexed", "packages": count }));
    } else {
        terminal::text(&format!("indexed and signed: {count} packages in {}\n", dir.display()));
    }
    Ok(())
}

/// The new repodata is complete before the old one goes.
fn replace(
    dir: &Path,
    packages: Vec<IndexedRpm>,
    signer: &dyn Signer,
) -> Result<repodata::Repository> {
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
    packages: Vec<IndexedRpm>,
    signer: &dyn Signer,
) -> Result<repodata::Repository> {
    let repository = repodata::write_indexed(staging, packages, 0, signer).class(Class::Output)?;
    let (new, place) = (staging.join("repodata"), dir.join("repodata"));
    publish::for_all_to_read(&new)?;
    if !place.exists() || !publish::swap(&new, &place) {
        remove_folder(&place)?;
        fs_err::rename(&new, &place).class(Class::Output)?;
    }
    Ok(repository)
}
