//! `index`: writes and signs the repodata of a folder of RPMs that the key has signed.

use el7rpm::{
    repodata::{self, IndexedRpm},
    verify,
};

use crate::{
    cli::IndexArgs,
    events::Reporter,
    failure::{Class, Classify, Failure, Result},
    keys, publish, terminal,
    workspace::Workspace,
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
    let keys = keys::load(&args.key, workspace, reporter)?;
    let certificate = keys.signer.certificate();
    let mut packages = Vec::new();
    let mut refused = Vec::new();
    for rpm in &rpms {
        let report = verify::verify(rpm, certificate).class(Class::Verify)?;
        let faults = report.failures().map(|(c, o)| format!("{}: {c} {o}", report.nevra));
        refused.extend(faults);
        packages.push(IndexedRpm::read(rpm)?);
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
    dir: &std::path::Path,
    packages: Vec<IndexedRpm>,
    signer: &dyn el7rpm::openpgp::Signer,
) -> Result<repodata::Repository> {
    let staging = dir.join(".repodata.new");
    if staging.exists() {
        fs_err::remove_dir_all(&staging).class(Class::Output)?;
    }
    fs_err::create_dir(&staging).class(Class::Output)?;
    let repository = repodata::write_indexed(&staging, packages, signer).class(Class::Output)?;
    let place = dir.join("repodata");
    publish::exchange(&staging.join("repodata"), &staging.join("old"), &place)?;
    fs_err::remove_dir_all(&staging).class(Class::Output)?;
    Ok(repository)
}
