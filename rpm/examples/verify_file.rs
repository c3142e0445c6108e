//! Checks all digests and signatures of an RPM, and whether CentOS 7's rpm can install it.
//!
//!     cargo run --package el7rpm --example verify_file -- PUBLIC-KEY.asc FILE.rpm

// It is a program for a terminal.
#![allow(clippy::print_stdout)]

use std::path::PathBuf;

use el7rpm::{
    Error, Result,
    openpgp::Certificate,
    verify::{self, Report, Required},
};

fn main() -> Result<()> {
    let args: Vec<_> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [key, file] = args.as_slice() else {
        return Err(std::io::Error::other("usage: verify_file PUBLIC-KEY.asc FILE.rpm").into());
    };
    let certificate = Certificate::from_armored(&fs_err::read_to_string(key)?)?;
    let report = verify::verify(file, &certificate, Required::AsWritten)?;
    for line in lines(&report) {
        println!("{line}");
    }
    match report.is_good() {
        true => Ok(()),
        false => Err(Error::Sign(format!("{} does not pass", file.display()))),
    }
}

/// The name of the package, each check with its outcome, and everything else that speaks against it.
pub fn lines(report: &Report) -> Vec<String> {
    let name = std::iter::once(report.nevra.clone());
    let checks = report.checks.iter().map(|(check, outcome)| format!("{check}: {outcome}"));
    name.chain(checks).chain(report.unfit.clone()).collect()
}
