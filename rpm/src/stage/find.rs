//! Finds source files by name or pattern: below one folder, or elsewhere in the checkout, but never outside of it.
//!
//! A name without wildcards is a file or a folder. If it is a link to a file, the link is followed. In
//! folders and patterns links are not followed: a link is packaged as a link, even if it leads nowhere.

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

#[cfg(test)]
mod tests {
    use fs_err::os::unix::fs::symlink;

    use super::*;
    use crate::{
        spec::Spec,
        stage::{EntryKind, StagedRoot},
    };

    /// A checkout with a tree in specs/p/t, a file beside it, and a secret key.
    fn checkout() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("specs/p/t/a.txt", "a"),
            ("specs/p/t/sub/b.txt", "b"),
            ("specs/p/t/sub/b.swp", "b"),
            ("LICENSE", "l"),
            ("target/xtask/keys/development.asc", "secret"),
        ] {
            fs_err::create_dir_all(dir.path().join(path).parent().unwrap()).unwrap();
            fs_err::write(dir.path().join(path), text).unwrap();
        }
        let tree = dir.path().join("specs/p/t");
        fs_err::create_dir(tree.join("empty")).unwrap();
        for (target, link) in [("sub", "folder"), ("a.txt", "file"), ("/no/where", "dangling")] {
            symlink(target, tree.join(link)).unwrap();
        }
        symlink("../../../LICENSE", tree.join("out")).unwrap();
        dir
    }

    fn stage(dir: &Path, keys: &str) -> Result<Vec<String>> {
        let spec = dir.join("specs/p");
        let text = format!(
            "[package.p]\nversion = \"1\"\narch = \"noarch\"\nsummary = \"s\"\nlicense = \"l\"\n\
             {keys}\n[[changelog]]\ndate = 2015-10-21\nauthor = \"a\"\ntext = [\"t\"]\n"
        );
        let parsed = Spec::parse(&text, &spec.join("package.toml"), dir)?;
        let roots = Roots { spec, workspace: Some(dir.into()), crate_dir: None, build: None };
        let entries = StagedRoot::collect(&parsed.packages[0], &roots)?.entries;
        let shown = |kind: &EntryKind| match kind {
            EntryKind::Dir => "/".into(),
            EntryKind::Link { target } => format!(" -> {target}"),
            _ => String::new(),
        };
        Ok(entries.iter().map(|e| format!("{}{}", e.path, shown(&e.kind))).collect())
    }

    fn asset(dir: &Path, asset: &str) -> Result<Vec<String>> {
        stage(dir, &format!("assets = [{{ {asset} }}]"))
    }

    const TREE: [&str; 9] = [
        "/o/a.txt",
        "/o/dangling -> /no/where",
        "/o/empty/",
        "/o/file -> a.txt",
        "/o/folder -> sub",
        "/o/out -> ../../../LICENSE",
        "/o/sub/",
        "/o/sub/b.swp",
        "/o/sub/b.txt",
    ];

    #[test]
    fn a_folder_is_packaged_with_its_links_and_empty_folders() {
        let dir = checkout();
        let all = |a: &str| asset(dir.path(), a).unwrap();
        assert_eq!(all(r#"source = "t/**", dest = "/o/""#), TREE);
        assert_eq!(all(r#"source = "t/", dest = "/o/""#), TREE);
        let named: Vec<_> = std::iter::once("/o/").chain(TREE).collect();
        assert_eq!(all(r#"source = "t", dest = "/o""#), named);
        assert!(all(r#"source = "t", dest = "/o/""#).contains(&"/o/t/sub/b.txt".to_owned()));
        // `*` names what lies in a folder, as in cargo-generate-rpm, and no folder.
        let flat = all(r#"source = "t/*", dest = "/o/""#);
        assert_eq!(
            flat,
            [
                "/o/a.txt",
                "/o/dangling -> /no/where",
                "/o/file -> a.txt",
                "/o/folder -> sub",
                "/o/out -> ../../../LICENSE"
            ]
        );
        // Folders of CentOS 7's own are left to it.
        assert!(!all(r#"source = "t/**", dest = "/usr/""#).contains(&"/usr/bin/".to_owned()));
    }

    #[test]
    fn exclude_patterns_remove_parts_of_a_tree() {
        let dir = checkout();
        let some = |exclude: &str| {
            let text = format!("source = \"t/**\", dest = \"/o/\", exclude = [{exclude}]");
            asset(dir.path(), &text).unwrap().join(" ")
        };
        assert!(!some(r#""t/**/*.swp""#).contains("swp"));
        assert!(!some(r#""t/sub""#).contains("/o/sub"));
        assert!(some(r#""t/sub/**""#).contains("/o/sub/"));
    }

    #[test]
    fn version_control_in_a_tree_is_refused_unless_it_is_excluded() {
        for name in [".git", "sub/.git", "sub/.hg"] {
            let dir = checkout();
            let tree = dir.path().join("specs/p/t");
            fs_err::create_dir(tree.join(name)).unwrap();
            fs_err::write(tree.join(name).join("config"), "password").unwrap();
            for source in ["t", "t/", "t/**", "t/**/config"] {
                let text = format!("source = \"{source}\", dest = \"/o\"");
                let text = if source == "t" { text } else { text.replace("/o", "/o/") };
                let error = asset(dir.path(), &text).unwrap_err();
                let has = format!("source `{source}` has `t/{name}");
                assert!(error.to_string().contains(&has), "{error}");
                assert!(
                    error.help().unwrap().contains(&format!("exclude = [\"t/{name}")),
                    "{error}"
                );
            }
            let left_out = format!("source = \"t/**\", dest = \"/o/\", exclude = [\"t/{name}\"]");
            assert_eq!(asset(dir.path(), &left_out).unwrap(), TREE);
            // A pattern that has nothing to do with it is not troubled by it.
            assert_eq!(
                asset(dir.path(), r#"source = "t/*.txt", dest = "/o/""#).unwrap(),
                ["/o/a.txt"]
            );
        }
        // Neither a link to a file in it nor one to the folder gets around that.
        let dir = checkout();
        let tree = dir.path().join("specs/p/t");
        fs_err::create_dir(dir.path().join("specs/p/.git")).unwrap();
        fs_err::write(dir.path().join("specs/p/.git/config"), "password").unwrap();
        for (link, target, source) in
            [("one", "../.git/config", "t/one"), ("all", "../.git", "t/all/config")]
        {
            std::os::unix::fs::symlink(target, tree.join(link)).unwrap();
            let text = format!("source = \"{source}\", dest = \"/o\"");
            let error = asset(dir.path(), &text).unwrap_err();
            assert!(error.to_string().contains("git or Mercurial keeps"), "{error}");
        }
        // A submodule has a file.
        let dir = checkout();
        fs_err::write(dir.path().join("specs/p/t/sub/.git"), "gitdir: ../../.git/modules/x")
            .unwrap();
        let error = asset(dir.path(), r#"source = "t/**", dest = "/o/""#).unwrap_err();
        assert!(error.to_string().contains("`t/sub/.git`"), "{error}");
        for named in ["t/sub/.git", "t/.hg/x"] {
            let error =
                asset(dir.path(), &format!("source = \"{named}\", dest = \"/o\"")).unwrap_err();
            assert!(error.to_string().contains(&format!("has `{named}`")), "{error}");
        }
    }

    #[test]
    fn a_named_link_to_a_file_is_followed() {
        let dir = checkout();
        let file = |a: &str| asset(dir.path(), a);
        assert_eq!(file(r#"source = "t/file", dest = "/o""#).unwrap(), ["/o"]);
        assert_eq!(file(r#"source = "../../LICENSE", dest = "/o/""#).unwrap(), ["/o/LICENSE"]);
        let dangling = file(r#"source = "t/dangling", dest = "/o""#).unwrap_err();
        let said = "source `t/dangling` is a link to `/no/where`";
        assert!(dangling.to_string().contains(said), "{dangling}");
        assert!(dangling.help().unwrap().contains("link = "));
    }

    #[test]
    fn files_outside_the_checkout_and_secret_keys_are_refused() {
        let dir = checkout();
        for (source, said) in [
            ("../../../etc/shadow", "outside the checkout"),
            ("../../target/xtask/keys/development.asc", "where keys"),
            ("../../**", "where keys"),
            ("t/../../../target/**", "must be a path"),
        ] {
            let text = format!("source = \"{source}\", dest = \"/o/\"");
            let error = asset(dir.path(), &text).unwrap_err().to_string();
            assert!(error.contains(said) && error.contains(source), "{error}");
        }
    }

    #[test]
    fn volatile_folders_and_missing_units_are_refused() {
        let dir = checkout();
        for place in ["/run", "/var/run", "/proc", "/sys", "/dev", "/tmp", "/var/tmp", "/var/lock"]
        {
            let text = format!("source = \"t/a.txt\", dest = \"{place}/x\"");
            let error = asset(dir.path(), &text).unwrap_err();
            assert!(error.to_string().contains(&format!("lies in {place},")), "{error}");
        }
        let error = asset(dir.path(), "dest = \"/var/run/x\", dir = true").unwrap_err();
        assert!(error.help().unwrap().contains("d /run/x 0755 root root -"), "{error}");
        asset(dir.path(), "dest = \"/run/x\", dir = true, ghost = true").unwrap();
        asset(dir.path(), "source = \"t/a.txt\", dest = \"/runner/x\"").unwrap();

        let unit = |units: &str, file: &str| {
            let dest = format!("/usr/lib/systemd/system/{file}");
            let text = format!(
                "units = [\"{units}\"]\nassets = [{{ source = \"t/a.txt\", dest = \"{dest}\" }}]"
            );
            stage(dir.path(), &text)
        };
        unit("a.service", "a.service").unwrap();
        unit("a@b.service", "a@.service").unwrap();
        let error = unit("a.service", "b.service").unwrap_err();
        assert!(error.to_string().contains("units: a.service is named"), "{error}");
    }
}
