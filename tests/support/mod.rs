//! Shared by both rings: the tools that must be there, scratch folders, and test keys.

// Each ring uses its own part of it.
#![allow(dead_code)]

pub mod el7;
pub mod libsolv;
pub mod numbers;
mod skip;
pub mod threads;

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use el7rpm::openpgp::{SecretKey, Signer};

pub use skip::*;

/// An armored secret key, made once per checkout: RSA keys of 4096 bits take seconds.
pub fn key_file(name: &str) -> PathBuf {
    let path = scratch_root().join(format!("{name}.asc"));
    // The rings run at the same time.
    let lock = fs_err::File::create(path.with_extension("lock")).unwrap();
    lock.file().lock().unwrap();
    if !path.exists() {
        let key = SecretKey::generate(&format!("{name} TEST KEY <test@localhost>")).unwrap();
        let tmp = path.with_extension(format!("tmp-{}", std::process::id()));
        fs_err::write(&tmp, key.to_armored().unwrap().as_bytes()).unwrap();
        fs_err::rename(&tmp, &path).unwrap();
    }
    path
}

/// The key itself.
pub fn key(name: &str) -> SecretKey {
    let text = fs_err::read_to_string(key_file(name)).unwrap();
    SecretKey::from_armored(&text, || unreachable!("test keys have no passphrase")).unwrap()
}

/// The public key as a file.
pub fn public_key_file(name: &str) -> PathBuf {
    let path = scratch_root().join(format!("{name}.pub.asc"));
    let text = key(name).certificate().to_armored().unwrap();
    let tmp = (std::process::id(), std::thread::current().id());
    let tmp = path.with_extension(format!("tmp-{tmp:?}"));
    fs_err::write(&tmp, text).unwrap();
    fs_err::rename(&tmp, &path).unwrap();
    path
}

/// A folder for a gpg of a test's own. Its agent makes keys of passphrases in milliseconds: measuring how much work the
/// machine can do in a tenth of a second, and that work for each use of a key, takes seconds.
pub fn gpg_home() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    fs_err::set_permissions(home.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    // gpg of EL 8 does not know the option.
    let settings = "ignore-invalid-option s2k-count\ns2k-count 65536\n";
    fs_err::write(home.path().join("gpg-agent.conf"), settings).unwrap();
    home
}

/// Runs a command to its end.
pub fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"))
}

/// Copies a program that is then run. Another process does it: as long as a file is open for writing, also in a child that another
/// thread has just forked, nobody can run it.
pub fn copy_program(from: impl AsRef<Path>, to: impl AsRef<Path>) {
    ok(Command::new("cp").arg(from.as_ref()).arg(to.as_ref()));
}

/// Runs a command that must succeed, and returns what it printed.
pub fn ok(command: &mut Command) -> String {
    let output = run(command);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} ended with {}\n{text}\n{errors}", output.status);
    text
}
