//! `verify`: checks every digest and signature of an RPM or of a repository.

use std::path::Path;

use el7rpm::{
    input,
    openpgp::Certificate,
    verify::{self, Required},
};

use crate::{
    cli::VerifyArgs,
    output::{Checks, Output},
    terminal,
};
use base::{
    failure::{Class, Classify, Failure, Result},
    workspace::Workspace,
};
use pipeline::publish::{Expected, PUBLIC_KEY, verify_repository};

impl Checks {
    fn of(report: &verify::Report) -> Self {
        Self {
            package: report.nevra.clone(),
            checked: report.passed().map(|check| check.to_string()).collect(),
            not_there: report.not_made().map(|check| check.to_string()).collect(),
        }
    }

    /// Groups packages that had the same checks.
    fn text(all: &[Self]) -> String {
        let mut groups: Vec<(&Self, String)> = Vec::new();
        for own in all {
            let same = |(group, _): &&mut (&Self, String)| {
                group.checked == own.checked && group.not_there == own.not_there
            };
            let line = format!("  OK  {}\n", own.package);
            match groups.iter_mut().find(same) {
                Some((_, lines)) => *lines += &line,
                None => groups.push((own, line)),
            }
        }
        let text = |(own, lines): (&Self, String)| {
            let rest = match own.not_there.as_slice() {
                [] => String::new(),
                rest => {
                    format!("      not there, and not made by its writer: {}\n", rest.join(", "))
                }
            };
            format!("{lines}      checked: {}\n{rest}", own.checked.join(", "))
        };
        groups.into_iter().map(text).collect()
    }
}

/// `checkout` is called only if no path is given.
pub(super) fn run(
    args: &VerifyArgs,
    checkout: impl Fn() -> Result<Workspace>,
    json: bool,
) -> Result<()> {
    let path = match &args.path {
        Some(path) => path.clone(),
        None => checkout()?.default_out(),
    };
    let expected = if args.indexed { Expected::Indexed } else { Expected::Published };
    let is_dir = fs_err::metadata(&path).class(Class::Usage)?.is_dir();
    let dir = if is_dir { &path } else { path.parent().unwrap_or(Path::new(".")) };
    let (certificate, trusted) = match &args.public_key {
        Some(file) => (read_certificate(file)?, true),
        None => (read_certificate(&dir.join(PUBLIC_KEY))?, false),
    };
    let (reports, uncovered) = if is_dir {
        let verified = verify_repository(&path, &certificate, expected)?;
        (verified.reports, verified.uncovered)
    } else {
        (vec![verify_rpm(&path, &certificate)?], Vec::new())
    };
    let packages: Vec<_> = reports.iter().map(|r| r.nevra.clone()).collect();
    let checks: Vec<_> = reports.iter().map(Checks::of).collect();
    let key = certificate.fingerprint();
    let caveats: Vec<_> = certificate.caveats().iter().map(ToString::to_string).collect();
    if json {
        terminal::json(&Output::Verified {
            key,
            user_ids: certificate.user_ids(),
            packages,
            checks,
            trusted,
            uncovered,
            caveats,
        });
        return Ok(());
    }
    let mut text = Checks::text(&checks);
    text += &format!(
        "all digests and signatures hold; key {key} ({})\n",
        certificate.user_ids().join(", ")
    );
    if !trusted {
        text += "the key is from the same folder: compare its fingerprint, or give --public-key\n";
    }
    for caveat in caveats {
        text += &format!("note: {caveat}\n");
    }
    if !uncovered.is_empty() {
        text += &format!("no signature covers these files: {}\n", uncovered.join(", "));
    }
    terminal::text(&text);
    Ok(())
}

fn read_certificate(path: &Path) -> Result<Certificate> {
    let help = "give the public key to trust with --public-key FILE";
    let text =
        input::read_text(path, input::MAX_TEXT).class(Class::Key).map_err(|f| f.help(help))?;
    let certificate = Certificate::from_armored(&text)?;
    match certificate.is_revoked() {
        true => Err(Failure::new(
            Class::Key,
            format!(
                "the key in {} is revoked: what it signed proves nothing any more",
                path.display()
            ),
        )
        .help("ask the publisher for packages that the new key has signed")),
        false => Ok(certificate),
    }
}

fn verify_rpm(path: &Path, certificate: &Certificate) -> Result<verify::Report> {
    let report = verify::verify(path, certificate, Required::AsWritten).class(Class::Verify)?;
    if report.is_good() {
        return Ok(report);
    }
    let mut failure = Failure::new(Class::Verify, format!("{} fails verification", path.display()))
        .help(report.remedy().unwrap_or("do not install it; build or fetch it again"));
    failure.last_lines = report.faults();
    Err(failure)
}
