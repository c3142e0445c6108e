//! Checks of a value that hold wherever it comes from: from a file, or from a variable.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::report::{Note, Problem};

/// The kernel takes no argument, and no variable, that is longer.
const LONGEST: usize = 128 * 1024 - 1;

/// Checks a value under its name on the command line or in the environment, such as
/// `--acls` or `MESOS_ACLS`; `origin` says where it stands.
pub(crate) fn check(name: &str, value: &OsStr, origin: &str) -> Result<Option<Note>, Problem> {
    if name.len() + "=".len() + value.len() > LONGEST {
        let what = format!("{origin} is too long for a command line");
        return Err(Problem::new(what)
            .hint("move the content elsewhere and write file:///path/of/it in its place"));
    }
    Ok(oddity(value.as_bytes(), origin))
}

/// Several lines make sense in JSON; anywhere else somebody wrote a comment.
fn oddity(value: &[u8], origin: &str) -> Option<Note> {
    let is_json =
        value.trim_ascii_start().starts_with(b"{") || value.trim_ascii_start().starts_with(b"[");
    (value.contains(&b'\n') && !is_json).then(|| {
        Note::Warning(format!(
            "{origin} has several lines and is not JSON: all of it becomes the value, comments too"
        ))
    })
}
