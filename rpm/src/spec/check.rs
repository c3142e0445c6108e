//! Checks of single values. An error is a sentence that says what is wrong with the value.

use std::path::{Path, PathBuf};

use super::printable;
use crate::input;

/// The checked value, or a sentence that says what is wrong with it.
pub(super) type Checked<T> = std::result::Result<T, String>;

/// Checks that a value is one line of text.
pub(super) fn line(key: &str, value: String) -> Checked<String> {
    if value.trim().is_empty() || value.chars().any(char::is_control) {
        return Err(format!("{key}: must be one line of text"));
    }
    Ok(value)
}

/// Checks a text of several lines: it must have no control characters.
pub(super) fn text(key: &str, value: String) -> Checked<String> {
    if value.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
        return Err(format!("{key}: holds control characters"));
    }
    Ok(value.trim_end().to_owned())
}

/// Checks the name of a user or group.
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

/// Checks an absolute path: it must have no empty parts, `.`, `..` or control characters.
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

/// Refuses a file that is outside of `dir` because of a link. Otherwise any file of the machine could get into a package
/// or a build.
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

/// Checks a relative path: by its spelling, it must stay below its folder.
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

/// Whether one word is meant for a file: a shell would look for it on PATH alone.
fn is_name_of_script(word: &str) -> bool {
    !word.contains('/')
        && [".sh", ".bash", ".lua", ".py", ".pl"].iter().any(|end| word.ends_with(end))
}

/// Returns a script. As in cargo-generate-rpm, the value is the script itself or the name of its file. Only
/// values that look like a path inside `dir` are tried as a file.
pub(super) fn script_text(source: &str, dir: &Path) -> Checked<String> {
    let path = relative(source, "script").ok().filter(|_| !source.contains(char::is_whitespace));
    let path = path.map(|path| dir.join(path));
    let is_there = |path: &PathBuf| input::is_there(path).map_err(|e| e.to_string());
    let script = match path {
        // If the file exists but cannot be read, that is an error; the value is not run as a command.
        Some(path) if is_there(&path)? => {
            inside(&path, dir, "script")?;
            input::read_text(&path, input::MAX_TEXT).map_err(|e| e.to_string())?
        }
        Some(_) if is_name_of_script(source) => {
            return Err(format!(
                "script: there is no file `{}` in the description's folder",
                printable(source)
            ));
        }
        _ => source.to_owned(),
    };
    text("script", script)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_are_plain_absolute_paths() {
        for good in ["/usr/bin/x", "/usr/bin/", "/a b", "/\u{fc}"] {
            assert_eq!(destination(good).as_deref(), Ok(good));
        }
        let long = format!("/{}", "n".repeat(crate::limits::PATH));
        for bad in ["", "x", "/", "//", "/a//b", "/a/./b", "/a/../b", "/a\nb", &long] {
            assert!(destination(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn relative_paths_stay_in_their_folder() {
        assert_eq!(relative("a/./b", "k"), Ok("a/./b".into()));
        for bad in ["", "/a", "a//b", "a/", "../a", "a/..", "a\u{1b}b"] {
            assert!(relative(bad, "k").is_err(), "{bad:?}");
        }
    }

    #[test]
    fn accounts_have_names_that_useradd_takes() {
        for good in ["root", "_x", "mesos-slave", &"n".repeat(31)] {
            assert!(account(good.into()).is_ok(), "{good}");
        }
        for bad in ["", "1a", "-a", "A", "a b", "a;b", &"n".repeat(32)] {
            assert!(account(bad.into()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_script_is_a_text_or_a_file_of_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let own = dir.path().join("own");
        fs_err::create_dir(&own).unwrap();
        fs_err::write(own.join("post.sh"), "echo from the file\n\n").unwrap();
        fs_err::write(dir.path().join("other"), "").unwrap();
        fs_err::os::unix::fs::symlink("../other", own.join("out.sh")).unwrap();
        assert_eq!(script_text("post.sh", &own).as_deref(), Ok("echo from the file"));
        assert_eq!(script_text("exit 0", &own).as_deref(), Ok("exit 0"));
        // No file has this name, so it is a command.
        assert_eq!(script_text("true", &own).as_deref(), Ok("true"));
        assert!(script_text("out.sh", &own).unwrap_err().contains("leads out of its folder"));
        assert!(script_text("echo \u{1b}", &own).unwrap_err().contains("control characters"));
    }
}
