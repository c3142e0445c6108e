//! Makes a yum repository of a folder of RPMs that one key has signed.
//!
//!     cargo run --package el7rpm --example index_folder -- FOLDER KEY.asc
//!
//! KEY.asc is the armored secret key of that key, without a passphrase: it signs the metadata as well.

// It is a program for a terminal.
#![allow(clippy::print_stdout)]

use std::path::{Path, PathBuf};

use el7rpm::{
    Error, Result,
    openpgp::{SecretKey, Signer},
    repodata::{self, Repository},
    verify::{self, Required},
};

fn main() -> Result<()> {
    let args: Vec<_> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [folder, key] = args.as_slice() else {
        return Err(std::io::Error::other("usage: index_folder FOLDER KEY.asc").into());
    };
    let no_passphrase = || Err(Error::Sign("the key has a passphrase".into()));
    let key = SecretKey::from_armored(&fs_err::read_to_string(key)?, no_passphrase)?;
    for rpm in index(folder, &key)?.packages() {
        println!("{}  {}", rpm.checksum(), rpm.file_name());
    }
    Ok(())
}

/// Verifies each RPM in `folder`, then writes `folder/repodata`, which must not exist.
pub fn index(folder: &Path, signer: &dyn Signer) -> Result<Repository> {
    let mut packages = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rpm") {
            let report = verify::verify(&path, signer.certificate(), Required::AsWritten)?;
            let signed = report.signed().ok_or_else(|| {
                Error::Sign(format!("{}: {}", path.display(), report.faults().join("; ")))
            })?;
            packages.push(signed.clone());
        }
    }
    repodata::write(folder, &packages, 0, signer)
}
