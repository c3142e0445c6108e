//! Files that a build has installed into its staged root. `staged` assets take them, and they keep their paths.

use std::{
    collections::BTreeSet,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use globset::GlobSet;
use walkdir::WalkDir;

use super::{EntryKind, file::regular, find::is_pattern, pattern, places::is_of_filesystem};
use crate::{
    Error, Result,
    spec::{Content, Package, printable},
};

/// A file, directory or link in the staged root.
pub(super) struct Built {
    /// Absolute path, as on the host.
    pub(super) path: String,
    pub(super) kind: EntryKind,
    /// Permission bits, as the build has set them.
    pub(super) mode: u16,
}

/// Everything that `pattern` matches, and everything below the directories that it matches.
pub(super) fn find(
    package: &Package,
    root: &Path,
    pattern: &str,
    exclude: &[String],
) -> Result<Vec<Built>> {
    let wanted = patterns(&package.name, &[pattern.to_owned()])?;
    let unwanted = patterns(&package.name, exclude)?;
    let mut found = Vec::new();
    let mut walk =
        WalkDir::new(start(root, pattern)).follow_root_links(false).sort_by_file_name().into_iter();
    while let Some(item) = walk.next() {
        let item = match item {
            Err(e) if e.io_error().is_some_and(|e| e.kind() == std::io::ErrorKind::NotFound) => {
                break;
            }
            item => item.map_err(std::io::Error::from)?,
        };
        let below = item.path().strip_prefix(root).unwrap_or(item.path());
        if matches_or_lies_below(&unwanted, below) {
            if item.file_type().is_dir() {
                walk.skip_current_dir();
            }
            continue;
        }
        if below.as_os_str().is_empty() || !matches_or_lies_below(&wanted, below) {
            continue;
        }
        found.push(built(package, item.path(), below)?);
    }
    match found.is_empty() {
        false => Ok(found),
        true => Err(Error::stage_help(
            &package.name,
            format!("the build staged nothing at `/{}`", printable(pattern)),
            format!("look into {}, or at the build's log", root.display()),
        )),
    }
}

/// Absolute paths on the host of all files of the staged root `root` that the packages take.
///
/// # Errors
/// As [`super::StagedRoot::collect`], for the packages' patterns.
pub fn taken(root: &Path, packages: &[Package]) -> Result<BTreeSet<String>> {
    let mut taken = BTreeSet::new();
    for package in packages {
        for asset in &package.assets {
            if let Content::Staged { pattern, exclude } = &asset.content {
                taken.extend(find(package, root, pattern, exclude)?.into_iter().map(|b| b.path));
            }
        }
    }
    Ok(taken)
}

/// Absolute paths on the host of the files and links in the staged root `root` that no package takes and that no pattern of
/// `discard` matches.
///
/// # Errors
/// As [`super::StagedRoot::collect`], for the packages' patterns.
pub fn leftover(root: &Path, packages: &[Package], discard: &[String]) -> Result<Vec<String>> {
    let taken = taken(root, packages)?;
    let name = packages.first().map_or("", |p| p.name.as_str());
    let inner: Vec<_> = discard.iter().map(|d| d.trim_start_matches('/').to_owned()).collect();
    let discarded = patterns(name, &inner)?;
    let mut left = Vec::new();
    for item in WalkDir::new(root).min_depth(1).sort_by_file_name() {
        let item = item.map_err(std::io::Error::from)?;
        let below = item.path().strip_prefix(root).unwrap_or(item.path());
        let path = format!("/{}", below.display());
        let is_dir = item.file_type().is_dir();
        if !is_dir && !taken.contains(&path) && !matches_or_lies_below(&discarded, below) {
            left.push(path);
        }
    }
    Ok(left)
}

fn patterns(package: &str, list: &[String]) -> Result<GlobSet> {
    pattern::set(list).map_err(|e| Error::stage(package, format!("staged: no pattern: {e}")))
}

/// The deepest folder that contains all matches of the pattern.
fn start(root: &Path, pattern: &str) -> PathBuf {
    let fixed = pattern.split('/').take_while(|part| !is_pattern(part));
    fixed.fold(root.to_owned(), |path, part| path.join(part))
}

fn matches_or_lies_below(set: &GlobSet, path: &Path) -> bool {
    !set.is_empty() && path.ancestors().any(|a| set.is_match(a))
}

fn built(package: &Package, path: &Path, below: &Path) -> Result<Built> {
    let name = below.to_str().ok_or_else(|| {
        let message = format!("{path:?} is not valid UTF-8, which the header's ENCODING promises");
        Error::stage(&package.name, message)
    })?;
    let meta = fs_err::symlink_metadata(path)?;
    let kind = if meta.is_symlink() {
        let target = fs_err::read_link(path)?;
        let target = target.into_os_string().into_string().map_err(|target| {
            Error::stage(&package.name, format!("/{name} is a link to {target:?}, not UTF-8"))
        })?;
        EntryKind::Link { target }
    } else if meta.is_dir() {
        if is_of_filesystem(&format!("/{name}")) {
            return Err(Error::stage_help(
                &package.name,
                format!("/{name} belongs to CentOS 7's package filesystem"),
                format!("package the files in it: `/{name}/*`, or each by its name"),
            ));
        }
        EntryKind::Dir
    } else {
        regular(package, path, &meta)?
    };
    let mode = if meta.is_symlink() { 0o777 } else { (meta.mode() & 0o7777) as u16 };
    Ok(Built { path: format!("/{name}"), kind, mode })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        spec::Spec,
        stage::{Roots, StagedRoot},
    };

    fn build(dir: &Path) {
        for file in ["usr/sbin/d", "usr/share/m/a/x.js", "usr/share/m/y.js", "usr/lib64/l.la"] {
            let path = dir.join(file);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, file).unwrap();
        }
        fs_err::os::unix::fs::symlink("l-1.so", dir.join("usr/lib64/l.so")).unwrap();
    }

    fn package(assets: &str) -> Package {
        let text = format!(
            "[source.a]\npath = \"a\"\n[build]\nimage = \"i\"\n\
             [[build.phase]]\nname = \"make\"\nrun = \"make\"\n\
             [package.a]\nversion = \"1\"\nsummary = \"s\"\nlicense = \"l\"\nassets = [{assets}]\n\
             [[changelog]]\ndate = 2015-10-21\nauthor = \"a\"\ntext = [\"t\"]\n"
        );
        let path = Path::new("/nowhere/package.toml");
        Spec::parse(&text, path, Path::new("/nowhere")).unwrap().packages.remove(0)
    }

    fn stage(dir: &Path, assets: &str) -> Result<Vec<String>> {
        let roots =
            Roots { spec: dir.into(), workspace: None, crate_dir: None, build: Some(dir.into()) };
        let entries = StagedRoot::collect(&package(assets), &roots)?.entries;
        let kind = |k: &EntryKind| match k {
            EntryKind::Dir => "/".into(),
            EntryKind::Link { target } => format!(" -> {target}"),
            _ => String::new(),
        };
        Ok(entries.iter().map(|e| format!("{}{}", e.path, kind(&e.kind))).collect())
    }

    #[test]
    fn a_staged_directory_includes_everything_below_it() {
        let dir = tempfile::tempdir().unwrap();
        build(dir.path());
        let all = stage(dir.path(), r#"{ staged = "/usr/share/m" }"#).unwrap();
        let tree = ["/usr/share/m/", "/usr/share/m/a/", "/usr/share/m/a/x.js", "/usr/share/m/y.js"];
        assert_eq!(all, tree);
        let some = r#"{ staged = "/usr/share/m", exclude = ["/usr/share/m/a"] }"#;
        assert_eq!(stage(dir.path(), some).unwrap(), ["/usr/share/m/", "/usr/share/m/y.js"]);
        let pattern = r#"{ staged = "/usr/share/**/*.js" }, { staged = "/usr/lib64/*.so" }"#;
        let found = stage(dir.path(), pattern).unwrap();
        assert_eq!(
            found,
            ["/usr/lib64/l.so -> l-1.so", "/usr/share/m/a/x.js", "/usr/share/m/y.js"]
        );
    }

    #[test]
    fn missing_staged_files_and_system_folders_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        build(dir.path());
        let missing = stage(dir.path(), r#"{ staged = "/usr/bin/x" }"#).unwrap_err();
        assert!(missing.to_string().contains("staged nothing at `/usr/bin/x`"), "{missing}");
        let all = stage(dir.path(), r#"{ staged = "/usr/*" }"#).unwrap_err();
        assert!(all.to_string().contains("belongs to"), "{all}");
    }

    #[test]
    fn staged_files_that_no_package_takes_are_found() {
        let dir = tempfile::tempdir().unwrap();
        build(dir.path());
        let package = package(r#"{ staged = "/usr/share/m" }, { staged = "/usr/sbin/*" }"#);
        let left = |discard: &[&str]| {
            let discard: Vec<_> = discard.iter().map(|d| (*d).to_owned()).collect();
            leftover(dir.path(), std::slice::from_ref(&package), &discard).unwrap()
        };
        assert_eq!(left(&["/usr/lib64/*.la"]), ["/usr/lib64/l.so"]);
        assert!(left(&["/usr/lib64/*.la", "/usr/lib64/*.so", "/no/such"]).is_empty());
    }

    fn mode(dir: &Path, path: &str, mode: u32) {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        fs_err::set_permissions(dir.join(path), mode).unwrap();
    }

    fn modes(dir: &Path, assets: &str) -> Result<Vec<(String, u16)>> {
        let roots =
            Roots { spec: dir.into(), workspace: None, crate_dir: None, build: Some(dir.into()) };
        let entries = StagedRoot::collect(&package(assets), &roots)?.entries;
        Ok(entries.into_iter().map(|e| (e.path, e.mode)).collect())
    }

    #[test]
    fn staged_files_and_folders_keep_their_modes() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path();
        fs_err::create_dir_all(at.join("o/closed")).unwrap();
        fs_err::create_dir_all(at.join("o/sticky")).unwrap();
        for (file, own) in [("secret", 0o600), ("tool", 0o711), ("none", 0o400), ("all", 0o666)] {
            fs_err::write(at.join("o").join(file), "x").unwrap();
            mode(at, &format!("o/{file}"), own);
        }
        mode(at, "o/closed", 0o700);
        mode(at, "o/sticky", 0o1777);
        mode(at, "o", 0o750);
        let found = modes(at, r#"{ staged = "/o" }"#).unwrap();
        let found: Vec<_> = found.iter().map(|(p, m)| (p.as_str(), *m)).collect();
        let expected = [
            ("/o", 0o750),
            ("/o/all", 0o666),
            ("/o/closed", 0o700),
            ("/o/none", 0o400),
            ("/o/secret", 0o600),
            ("/o/sticky", 0o1777),
            ("/o/tool", 0o711),
        ];
        assert_eq!(found, expected);
        let own = modes(at, r#"{ staged = "/o", mode = "640" }"#).unwrap();
        assert!(own.contains(&("/o/secret".into(), 0o640)), "a mode that is said holds for files");
        assert!(own.contains(&("/o/closed".into(), 0o700)));
        let said = r#"{ staged = "/o" }, { dest = "/o/closed", dir = true, mode = "711" }"#;
        assert!(modes(at, said).unwrap().contains(&("/o/closed".into(), 0o711)));
    }

    #[test]
    fn set_id_bits_need_an_explicit_mode() {
        for bits in [0o4711, 0o2755, 0o6755] {
            let dir = tempfile::tempdir().unwrap();
            fs_err::create_dir_all(dir.path().join("o")).unwrap();
            fs_err::write(dir.path().join("o/su"), "x").unwrap();
            mode(dir.path(), "o/su", bits);
            let error = modes(dir.path(), r#"{ staged = "/o" }"#).unwrap_err();
            assert!(error.to_string().contains("/o/su is set-"), "{error}");
            assert!(error.help().unwrap().contains(&format!("{bits:o}")), "{error}");
            let said = format!("{{ staged = \"/o/su\", mode = \"{bits:o}\" }}");
            assert_eq!(modes(dir.path(), &said).unwrap(), [("/o/su".into(), bits as u16)]);
            let lowered = modes(dir.path(), r#"{ staged = "/o/su", mode = "755" }"#).unwrap();
            assert_eq!(lowered, [("/o/su".into(), 0o755)]);
            fs_err::remove_file(dir.path().join("o/su")).unwrap();
            mode(dir.path(), "o", 0o2775);
            let error = modes(dir.path(), r#"{ staged = "/o" }"#).unwrap_err();
            assert!(error.help().unwrap().contains("dir = true"), "{error}");
            let said = r#"{ staged = "/o" }, { dest = "/o", dir = true, mode = "2775" }"#;
            assert_eq!(modes(dir.path(), said).unwrap(), [("/o".into(), 0o2775)]);
        }
    }
}
