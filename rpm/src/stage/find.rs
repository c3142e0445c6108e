//! Finds source files by name or pattern: below one folder, or elsewhere in the checkout, but never outside of it.
//!
//! A name without wildcards is a file or a folder. If it is a link to a file, the link is followed. In
//! folders and patterns links are not followed: a link is packaged as a link, even if it leads nowhere.

#[cfg(test)]
mod tests;

use std::{
    fmt,
    os::unix::fs::MetadataExt,
    path::{Component, Path, PathBuf},
};

use globset::GlobSet;
use walkdir::WalkDir;

use super::{EntryKind, Roots, file::regular, pattern};
use crate::{
    Error, Result, input,
    spec::{Base, Package, printable},
};

/// The error if there is no result of a build to look in.
pub(super) fn nothing_built(package: &Package) -> Error {
    Error::stage(&package.name, "an asset is taken from a build, but nothing is built")
}

/// A file, folder or link that an asset's `source` has found.
pub(super) struct FoundFile {
    /// Its path below the fixed part of the pattern; empty for the folder that was named.
    pub(super) below: String,
    pub(super) kind: EntryKind,
    pub(super) mode: u16,
}

/// What `source` names.
pub(super) enum Match {
    /// One file.
    File(FoundFile),
    /// A folder: the folder itself, then everything below it.
    Folder(Vec<FoundFile>),
    /// The matches of a pattern.
    Several(Vec<FoundFile>),
}

/// Folders of the checkout from which no asset may take files: they have secret keys and unfinished results.
const CLOSED: [&str; 2] = ["target", ".git"];

/// What git and Mercurial keep in a tree: settings, at times with passwords, and the whole history.
const VERSION_CONTROL: [&str; 2] = [".git", ".hg"];

/// Finds files below one folder, or elsewhere in the checkout.
pub(super) struct Finder<'a> {
    package: &'a Package,
    base: PathBuf,
    /// The checkout, if it is known; `None` if the files are a build's result.
    checkout: Option<PathBuf>,
    name: Base,
    pattern: &'a str,
}

impl fmt::Display for Finder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.name {
            Base::Spec => "the description's folder",
            Base::Crate => "the crate's folder",
            Base::Build => "the build's output",
        };
        write!(f, "{what} ({})", self.base.display())
    }
}

impl<'a> Finder<'a> {
    pub(super) fn new(
        package: &'a Package,
        name: Base,
        roots: &Roots,
        pattern: &'a str,
    ) -> Result<Self> {
        let base = match name {
            Base::Spec => Some(&roots.spec),
            Base::Crate => roots.crate_dir.as_ref(),
            Base::Build => roots.build.as_ref(),
        };
        let base = fs_err::canonicalize(base.ok_or_else(|| nothing_built(package))?)?;
        let checkout = match (name, &roots.workspace) {
            (Base::Spec | Base::Crate, Some(dir)) => Some(fs_err::canonicalize(dir)?),
            _ => None,
        };
        Ok(Self { package, base, checkout, name, pattern })
    }

    /// Everything that the pattern names, except for matches of `exclude`.
    pub(super) fn find(&self, exclude: &[String]) -> Result<Match> {
        let (fixed, rest) = split(self.pattern);
        let start = self.base.join(fixed);
        self.stays_inside(&normalise(&start))?;
        self.is_no_version_control(Path::new(fixed), Path::new(fixed))?;
        if rest.is_empty() && !self.pattern.ends_with('/') {
            if !input::is_there(&start)? {
                return Err(self.missing());
            }
            let meta = fs_err::symlink_metadata(&start)?;
            return match self.resolve_links(&start, meta.is_symlink())? {
                (real, meta) if meta.is_dir() => {
                    let mut all = vec![folder("")];
                    all.extend(self.walk(&real, None, exclude)?);
                    Ok(Match::Folder(all))
                }
                (real, meta) => Ok(Match::File(self.file(&real, &meta, fixed)?)),
            };
        }
        if !input::is_there(&start)? {
            return Err(self.missing());
        }
        let (real, _) = self.resolve_links(&start, true)?;
        let wanted = (!rest.is_empty()).then_some(rest);
        let found = self.walk(&real, wanted, exclude)?;
        if found.is_empty() { Err(self.missing()) } else { Ok(Match::Several(found)) }
    }

    /// Everything below `start`, or the matches of the pattern `wanted` there.
    fn walk(
        &self,
        start: &Path,
        wanted: Option<&str>,
        exclude: &[String],
    ) -> Result<Vec<FoundFile>> {
        let (fixed, _) = split(self.pattern);
        let excluded = self.matcher(exclude)?;
        // A named folder is taken with its folders. A pattern such as `*` gives no folders, as in cargo-generate-rpm.
        let is_tree = wanted.is_none_or(|w| w == "**" || w.ends_with("/**"));
        let wanted = wanted.map(|w| self.matcher(&[w.to_owned()])).transpose()?;
        let mut found = Vec::new();
        let mut walk = WalkDir::new(start).min_depth(1).sort_by_file_name().into_iter();
        while let Some(item) = walk.next() {
            let item = item.map_err(std::io::Error::from)?;
            let below = item.path().strip_prefix(start).unwrap_or(item.path());
            let is_dir = item.file_type().is_dir();
            // Exclusions are relative to the same folder as `source`.
            if Path::new(fixed).join(below).ancestors().any(|a| excluded.is_match(a)) {
                if is_dir {
                    walk.skip_current_dir();
                }
                continue;
            }
            self.stays_inside(item.path())?;
            let is_wanted = wanted.as_ref().is_none_or(|w| w.is_match(below));
            if !is_wanted || (is_dir && !is_tree) {
                continue;
            }
            self.is_no_version_control(below, &Path::new(fixed).join(below))?;
            let below = below.to_str().ok_or_else(|| self.not_utf8(item.path()))?;
            found.push(match is_dir {
                true => folder(below),
                false => self.file(item.path(), &fs_err::symlink_metadata(item.path())?, below)?,
            });
        }
        Ok(found)
    }

    fn matcher(&self, patterns: &[String]) -> Result<GlobSet> {
        pattern::set(patterns).map_err(|e| self.stage_error(format!("is no pattern: {e}")))
    }

    fn file(&self, path: &Path, meta: &std::fs::Metadata, below: &str) -> Result<FoundFile> {
        let below = below.to_owned();
        if meta.is_symlink() {
            let target = fs_err::read_link(path)?.into_os_string().into_string();
            let target = target.map_err(|_| self.not_utf8(path))?;
            return Ok(FoundFile { below, kind: EntryKind::Link { target }, mode: 0o777 });
        }
        let kind = regular(self.package, path, meta).map_err(|e| self.with_pattern(e))?;
        // git stores these two modes only, and the umask must not matter. Other modes need the key `mode`.
        let usual = if meta.mode() & 0o100 != 0 { 0o755 } else { 0o644 };
        Ok(FoundFile { below, kind, mode: usual | (meta.mode() & 0o6000) as u16 })
    }

    /// Follows all links of a path. Refuses a target outside of the folder.
    fn resolve_links(&self, path: &Path, is_link: bool) -> Result<(PathBuf, std::fs::Metadata)> {
        let real = match fs_err::canonicalize(path) {
            Ok(real) => real,
            Err(e) if is_link && e.kind() == std::io::ErrorKind::NotFound => {
                return Err(self.dangling(path));
            }
            Err(e) => return Err(e.into()),
        };
        let below = self.stays_inside(&real)?;
        if real != path {
            // A link leads there.
            self.is_no_version_control(&below, &below)?;
        }
        let meta = fs_err::metadata(&real)?;
        Ok((real, meta))
    }

    /// The path below the folder, or below the checkout.
    fn stays_inside(&self, path: &Path) -> Result<PathBuf> {
        if let Some(checkout) = &self.checkout
            && let Ok(below) = path.strip_prefix(checkout)
            && let Some(first) = below.components().next()
            && CLOSED.iter().any(|c| first.as_os_str() == *c)
        {
            return Err(self.source_error(
                format!("leads to {}, where keys and results of runs are", path.display()),
                "name a folder that holds sources, or leave it out with `exclude`",
            ));
        }
        let inside = |dir: &Path| path.strip_prefix(dir).ok().map(Path::to_owned);
        if let Some(below) =
            inside(&self.base).or_else(|| self.checkout.as_deref().and_then(inside))
        {
            return Ok(below);
        }
        let outside = match &self.checkout {
            Some(checkout) => format!("the checkout ({})", checkout.display()),
            None => self.to_string(),
        };
        Err(self.source_error(
            format!("leads to {}, outside {outside}", path.display()),
            "copy the file into the folder; assets from elsewhere are refused",
        ))
    }

    /// Fails if `path` is in a folder of git or Mercurial. `named` is the same path as `exclude` would have it.
    fn is_no_version_control(&self, path: &Path, named: &Path) -> Result<()> {
        // What a build makes is its author's business.
        if self.name == Base::Build || !is_of_version_control(path) {
            return Ok(());
        }
        let named = named.display().to_string();
        let named = printable(&named);
        Err(self.source_error(
            format!("has `{named}`, where git or Mercurial keeps settings and history"),
            format!("leave it out: exclude = [\"{named}\"]"),
        ))
    }

    fn dangling(&self, path: &Path) -> Error {
        let target = fs_err::read_link(path).unwrap_or_default();
        let target = printable(&target.to_string_lossy());
        self.source_error(
            format!("is a link to `{target}`, which does not exist"),
            format!("ship the link itself with `link = \"{target}\"` in place of `source`"),
        )
    }

    fn missing(&self) -> Error {
        Error::source(
            &self.package.name,
            format!("no file matches `{}` in {self}", printable(self.pattern)),
            "check the asset's `source`, which is relative to that folder",
        )
    }

    fn not_utf8(&self, path: &Path) -> Error {
        self.stage_error(format!(
            "has {path:?}, whose name or link is not valid UTF-8, which the header's ENCODING promises"
        ))
    }

    /// An error whose message begins with the author's text.
    fn source_error(&self, message: String, help: impl Into<String>) -> Error {
        let pattern = printable(self.pattern);
        Error::source(&self.package.name, format!("source `{pattern}` {message}"), help)
    }

    fn stage_error(&self, message: String) -> Error {
        let pattern = printable(self.pattern);
        Error::stage(&self.package.name, format!("source `{pattern}` {message}"))
    }

    /// Adds the author's text to an error about a file that it has found.
    fn with_pattern(&self, error: Error) -> Error {
        match error {
            Error::Source { message, help, .. } => self.source_error(
                format!("takes something that is no file: {message}"),
                help.unwrap_or_default(),
            ),
            other => other,
        }
    }
}

/// Whether a path is, or is in, what git or Mercurial keeps in a tree.
fn is_of_version_control(path: &Path) -> bool {
    path.iter().any(|part| VERSION_CONTROL.iter().any(|name| part == *name))
}

/// A folder gets the mode 0755, since git stores no modes of folders.
fn folder(below: &str) -> FoundFile {
    FoundFile { below: below.to_owned(), kind: EntryKind::Dir, mode: 0o755 }
}

pub(super) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '[', '{'])
}

/// Splits a pattern into the leading folders without wildcards, and the rest. The rest of a name without wildcards is empty.
fn split(pattern: &str) -> (&str, &str) {
    let Some(wild) = pattern.split('/').position(is_pattern) else {
        return (pattern.trim_end_matches('/'), "");
    };
    let fixed: usize = pattern.split('/').take(wild).map(|part| part.len() + 1).sum();
    (pattern[..fixed].trim_end_matches('/'), &pattern[fixed..])
}

/// Resolves `.` and `..` by spelling alone.
fn normalise(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(out.pop()),
            Component::CurDir => {}
            other => out.push(other),
        }
    }
    out
}
