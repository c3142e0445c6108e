//! Which tests can run on this machine, and the list of those that cannot, which tests/run.sh prints at its end.
//! Tests of other crates take this file alone.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

/// Whether all `tools` are on PATH. If not, the test is skipped with a plain line; with REQUIRE_TOOLS set, as
/// in CI, that is a failure instead.
pub fn have(test: &str, tools: &[&str]) -> bool {
    let missing: Vec<_> = tools.iter().filter(|t| on_path(t).is_none()).copied().collect();
    if missing.is_empty() {
        return true;
    }
    skip(test, &format!("not installed: {}", missing.join(", ")))
}

/// As [`have`], for tests that only root can run.
pub fn have_as_root(test: &str, tools: &[&str]) -> bool {
    if is_root() { have(test, tools) } else { skip(test, "needs root") }
}

pub fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs_err::metadata("/proc/self").is_ok_and(|m| m.uid() == 0)
}

/// Notes that a test is skipped, and why. Always `false`, for `return`s.
pub fn skip(test: &str, why: &str) -> bool {
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

/// The folder for files that take long to make, such as keys.
pub fn scratch_root() -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("rings");
    fs_err::create_dir_all(&dir).unwrap();
    dir
}
