//! Source files by name or pattern, below one folder and nowhere else.

use std::{
    fmt,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use globset::{GlobBuilder, GlobMatcher};
use walkdir::WalkDir;

use super::{Kind, Roots, nothing_built, regular};
use crate::{
    Error, Result, input,
    spec::{Base, Package, printable},
};

/// A source file that a pattern matched.
pub(super) struct Found {
    /// Its path below the pattern's fixed part.
    pub(super) below: String,
    pub(super) kind: Kind,
    /// Whether its owner may run it.
    pub(super) executable: bool,
}

/// Finds files below one folder and nowhere else.
pub(super) struct Finder<'a> {
    package: &'a Package,
    base: PathBuf,
    name: Base,
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
    pub(super) fn new(package: &'a Package, name: Base, roots: &Roots) -> Result<Self> {
        let base = match name {
            Base::Spec => Some(&roots.spec),
            Base::Crate => roots.crate_dir.as_ref(),
            Base::Build => roots.build.as_ref(),
        };
        let base = base.ok_or_else(|| nothing_built(package))?;
        Ok(Self { package, base: fs_err::canonicalize(base)?, name })
    }

    pub(super) fn find(&self, pattern: &str) -> Result<Vec<Found>> {
        let missing = || {
            Error::source(
                &self.package.name,
                format!("no file matches `{}` in {self}", printable(pattern)),
                "check the asset's `source`, which is relative to that folder",
            )
        };
        if !is_pattern(pattern) {
            let path = self.base.join(pattern);
            if !input::is_there(&path)? {
                return Err(missing());
            }
            return Ok(vec![self.file(&path, pattern)?]);
        }
        let fixed = fixed_part(pattern);
        let matcher = self.matcher(pattern)?;
        let start = self.base.join(fixed);
        if !input::is_there(&start)? {
            return Err(missing());
        }
        self.inside(&start)?;
        let mut found = Vec::new();
        for item in WalkDir::new(&start).min_depth(1).sort_by_file_name() {
            let item = item.map_err(std::io::Error::from)?;
            let whole = item.path().strip_prefix(&self.base).unwrap_or(item.path());
            if item.file_type().is_dir() || !matcher.is_match(whole) {
                continue;
            }
            let below = item.path().strip_prefix(&start).unwrap_or(item.path());
            let below = below.to_str().ok_or_else(|| self.not_utf8(item.path()))?;
            found.push(self.file(item.path(), below)?);
        }
        if found.is_empty() { Err(missing()) } else { Ok(found) }
    }

    fn matcher(&self, pattern: &str) -> Result<GlobMatcher> {
        GlobBuilder::new(pattern)
            .literal_separator(true)
            .build()
            .map(|g| g.compile_matcher())
            .map_err(|e| Error::stage(&self.package.name, format!("source: {e}")))
    }

    fn file(&self, path: &Path, below: &str) -> Result<Found> {
        let real = self.inside(path)?;
        let meta = fs_err::metadata(&real)?;
        let name = path.display();
        if meta.is_dir() {
            return Err(Error::source(
                &self.package.name,
                format!("{name} is a directory"),
                format!("take its files with `{below}/**`"),
            ));
        }
        let kind = regular(self.package, &real, &meta)?;
        Ok(Found { below: below.to_owned(), kind, executable: meta.mode() & 0o100 != 0 })
    }

    /// The file behind all links, provided that it still lies inside the folder.
    fn inside(&self, path: &Path) -> Result<PathBuf> {
        let real = fs_err::canonicalize(path)?;
        if real.starts_with(&self.base) {
            return Ok(real);
        }
        Err(Error::source(
            &self.package.name,
            format!("{} leads to {}, outside {self}", path.display(), real.display()),
            "copy the file into the folder; assets from elsewhere are refused",
        ))
    }

    fn not_utf8(&self, path: &Path) -> Error {
        Error::stage(
            &self.package.name,
            format!("{path:?} is not valid UTF-8, which the header's ENCODING promises"),
        )
    }
}

pub(super) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '[', '{'])
}

/// The leading folders of a pattern that hold no wildcard.
fn fixed_part(pattern: &str) -> PathBuf {
    let mut folders: Vec<_> = pattern.split('/').collect();
    folders.pop();
    folders.into_iter().take_while(|part| !is_pattern(part)).collect()
}
