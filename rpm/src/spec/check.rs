//! Checks of single values, which say what is wrong with one in a sentence.

use std::path::{Path, PathBuf};

use super::printable;
use crate::input;

/// What a check gives: the value, or what is wrong with it.
pub(super) type Checked<T> = std::result::Result<T, String>;

/// One line of text.
pub(super) fn line(key: &str, value: String) -> Checked<String> {
    if value.trim().is_empty() || value.chars().any(char::is_control) {
        return Err(format!("{key}: must be one line of text"));
    }
    Ok(value)
}

/// Text without control characters, of several lines.
pub(super) fn text(key: &str, value: String) -> Checked<String> {
    if value.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
        return Err(format!("{key}: holds control characters"));
    }
    Ok(value.trim_end().to_owned())
}

/// The name of a user or group.
pub(super) fn account(value: String) -> Checked<String> {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
    if !value.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        || !value.chars().all(legal)
        || value.len() > 31
    {
        return Err(format!("`{value}` is not the name of a user or group"));
    }
    Ok(value)
}

/// An absolute path without anything that could make it mean another one.
pub(super) fn destination(path: &str) -> Checked<String> {
    let inner =
        path.strip_prefix('/').ok_or_else(|| format!("`{path}` is not an absolute path"))?;
    let inner = inner.strip_suffix('/').unwrap_or(inner);
    let sane = |part: &str| {
        !part.is_empty() && part != "." && part != ".." && !part.chars().any(char::is_control)
    };
    if !inner.split('/').all(sane) || path.len() > crate::limits::PATH {
        return Err(format!("`{}` is not a plain absolute path", printable(path)));
    }
    Ok(path.to_owned())
}

/// Refuses a file that lies outside the folder which names it, behind a link: its content would get into a package
/// or a build, whatever it is.
pub(super) fn inside(path: &Path, dir: &Path, key: &str) -> Checked<()> {
    let real = |path: &Path| fs_err::canonicalize(path).map_err(|e| format!("{key}: {e}"));
    match real(path)?.starts_with(real(dir)?) {
        true => Ok(()),
        false => Err(format!(
            "{key}: `{}` is a link that leads out of its folder; copy the file into it",
            printable(&path.strip_prefix(dir).unwrap_or(path).to_string_lossy())
        )),
    }
}

/// A path that stays below the folder it starts from, by its spelling.
pub(super) fn relative(path: &str, key: &str) -> Checked<PathBuf> {
    let sane = |part: &str| !part.is_empty() && part != ".." && !part.chars().any(char::is_control);
    if !path.split('/').all(sane) {
        return Err(format!(
            "{key}: `{}` must be a relative path that stays inside its folder",
            printable(path)
        ));
    }
    Ok(PathBuf::from(path))
}

/// As in cargo-generate-rpm, the value is the script or names a file that holds it. Only what
/// looks like a path inside `dir` is tried as one.
pub(super) fn script_text(source: &str, dir: &Path) -> Checked<String> {
    let path = relative(source, "script").ok().filter(|_| !source.contains(char::is_whitespace));
    let path = path.map(|path| dir.join(path));
    let is_there = |path: &PathBuf| input::is_there(path).map_err(|e| e.to_string());
    let script = match path {
        // A file that cannot be read is not a script of one word.
        Some(path) if is_there(&path)? => {
            inside(&path, dir, "script")?;
            input::read_text(&path, input::MAX_TEXT).map_err(|e| e.to_string())?
        }
        _ => source.to_owned(),
    };
    text("script", script)
}
