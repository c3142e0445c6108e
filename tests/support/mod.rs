//! What both rings share: the tools that must be there, scratch folders, and test keys.

// Each ring uses its own part of it.
#![allow(dead_code)]

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use el7rpm::openpgp::{SecretKey, Signer};

/// Whether all `tools` are on PATH. If not, the test is skipped with a plain line, which
/// `make test` shows at its end; with REQUIRE_TOOLS set, as in CI, that is a failure instead.
pub fn have(test: &str, tools: &[&str]) -> bool {
    let missing: Vec<_> = tools.iter().filter(|t| on_path(t).is_none()).copied().collect();
    if missing.is_empty() {
        return true;
    }
    skip(test, &format!("not installed: {}", missing.join(", ")))
}

/// As [`have`], for tests that only root can run.
pub fn have_as_root(test: &str, tools: &[&str]) -> bool {
    if rustix_is_root() { have(test, tools) } else { skip(test, "needs root") }
}

fn rustix_is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs_err::metadata("/proc/self").is_ok_and(|m| m.uid() == 0)
}

/// Notes that a test is skipped, and why. Always `false`, for `return`s.
pub fn skip(test: &str, why: &str) -> bool {
    use std::io::Write;
    assert!(std::env::var_os("REQUIRE_TOOLS").is_none(), "{test}: {why}");
    let list = scratch_root().join("skipped");
    let file = fs_err::OpenOptions::new().create(true).append(true).open(list);
    writeln!(file.unwrap(), "skipped: {test}: {why}").unwrap();
    false
}

pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|p| p.is_file())
}

/// Where tests keep what is dear to make.
pub fn scratch_root() -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("rings");
    fs_err::create_dir_all(&dir).unwrap();
    dir
}

/// An armored secret key, made once per checkout: RSA keys of 4096 bits take seconds.
pub fn key_file(name: &str) -> PathBuf {
    static MAKING: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _guard = MAKING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let path = scratch_root().join(format!("{name}.asc"));
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
    let tmp = path.with_extension(format!("tmp-{:?}", std::thread::current().id()));
    fs_err::write(&tmp, text).unwrap();
    fs_err::rename(&tmp, &path).unwrap();
    path
}

/// Runs a command to its end.
pub fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"))
}

/// Runs a command that must succeed, and returns what it printed.
pub fn ok(command: &mut Command) -> String {
    let output = run(command);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} ended with {}\n{text}\n{errors}", output.status);
    text
}
