//! Makes signed RPMs of a folder that has a package.toml.
//!
//!     cargo run --package el7rpm --example package_folder -- rpm/examples/welcome KEY.asc OUT
//!
//! KEY.asc is an armored secret key without a passphrase (`gpg --armor --export-secret-keys ID`).

// It is a program for a terminal.
#![allow(clippy::print_stdout)]

use std::path::{Path, PathBuf};

use el7rpm::{
    Error, Result,
    openpgp::{SecretKey, Signer},
    package::{Prepared, WriteOptions},
    signature::{self, SignedRpm},
    spec::Spec,
    stage::{Roots, StagedRoot},
};

fn main() -> Result<()> {
    let args: Vec<_> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [folder, key, out] = args.as_slice() else {
        return Err(std::io::Error::other("usage: package_folder FOLDER KEY.asc OUT").into());
    };
    let no_passphrase = || Err(Error::Sign("the key has a passphrase".into()));
    let key = SecretKey::from_armored(&fs_err::read_to_string(key)?, no_passphrase)?;
    for rpm in package(folder, &key, out)? {
        println!("{} ({} bytes)", rpm.path().display(), rpm.size());
    }
    Ok(())
}

/// Writes each package that `folder/package.toml` describes into the folder `out`, signed.
pub fn package(folder: &Path, signer: &dyn Signer, out: &Path) -> Result<Vec<SignedRpm>> {
    let spec = Spec::load(&folder.join("package.toml"), folder)?;
    let options = WriteOptions::default();
    let mut signed = Vec::new();
    for package in &spec.packages {
        let root = StagedRoot::collect(package, &Roots::of_folder(folder))?;
        let path = out.join(format!("{}.unsigned", package.file_name()));
        let unsigned = Prepared::new(package, &root, &options)?.write(&path)?;
        signed.push(signature::sign(&unsigned, signer, &out.join(package.file_name()))?);
        fs_err::remove_file(path)?;
    }
    Ok(signed)
}
