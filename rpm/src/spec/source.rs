//! `[source.NAME]`: a source to compile. It is pinned by its content, and has addresses.

use std::{
    collections::BTreeSet,
    path::{Component, Path, PathBuf},
};

use super::{
    check::{Checked, inside, line, relative},
    parse::suggest,
    printable,
    schema::{RawLocations, RawSource},
};
use crate::input;

/// A source of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name. The build sees it in the folder `/src/NAME`.
    pub name: String,
    /// Its kind, pin and addresses.
    pub origin: Origin,
    /// Absolute paths of its patches, in order.
    pub patches: Vec<PathBuf>,
    /// Paths in it of the links that may lead out of it. All others must lead to what is in it.
    pub links_out: BTreeSet<PathBuf>,
}

/// The kinds of sources, with their pins and addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// One commit of a git repository.
    Git {
        /// Addresses of repositories with this commit, tried in order.
        urls: Vec<String>,
        /// The commit's id: 40 lower-case hex digits.
        commit: String,
    },
    /// A file: an archive, or a file that is not unpacked.
    Archive {
        /// Its addresses, tried in order.
        urls: Vec<String>,
        /// The SHA-256 of its bytes, as 64 lower-case hex digits; `None` until it is pinned.
        sha256: Option<String>,
        /// Its size in bytes. A download is stopped if it is larger.
        size: Option<u64>,
        /// Upstream's signature of it.
        signature: Option<UpstreamSignature>,
        /// Its name in the source's folder, if it is not unpacked.
        file: Option<String>,
    },
    /// The folder of the checkout with this absolute path.
    Folder(PathBuf),
}

/// A detached OpenPGP signature of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamSignature {
    /// Its address.
    pub url: String,
    /// The file with the keys that may have made it, armored or not.
    pub keys: PathBuf,
}

/// Checks one `[source.NAME]`. `dir` is the description's folder.
pub(super) fn source(name: &str, raw: RawSource, dir: &Path) -> Checked<Source> {
    folder_name(name)?;
    let origin = match (&raw.git, &raw.url, &raw.path) {
        (Some(git), None, None) => {
            let other = raw.sha256.is_some() || raw.signature.is_some() || raw.size.is_some();
            refuse(other, "git", "`commit`")?;
            refuse_file(&raw)?;
            let commit = raw.commit.ok_or("`commit` is missing: the id of the commit to build")?;
            Origin::Git { urls: locations("git", git)?, commit: hex("commit", &commit, 40)? }
        }
        (None, Some(url), None) => {
            refuse(raw.commit.is_some(), "url", "`sha256`")?;
            let sha256 = raw.sha256.as_deref().map(|s| hex("sha256", s, 64)).transpose()?;
            let urls = locations("url", url)?;
            let file = file(raw.unpack, raw.file, &urls)?;
            let signature = signature(raw.signature, raw.signature_key, dir)?;
            Origin::Archive { urls, sha256, size: raw.size, signature, file }
        }
        (None, None, Some(path)) => {
            let other = raw.commit.is_some() || raw.sha256.is_some() || raw.size.is_some();
            refuse(other, "path", "its content")?;
            refuse_file(&raw)?;
            Origin::Folder(dir.join(relative(path, "path")?))
        }
        _ => return Err("give exactly one of `git`, `url`, `path`".into()),
    };
    let patches = raw.patches.iter().map(|name| patch(name, dir)).collect::<Checked<_>>()?;
    let links_out = links_out(raw.links_out, &origin)?;
    Ok(Source { name: name.to_owned(), origin, patches, links_out })
}

/// Checks the paths of links that may lead out.
fn links_out(paths: Vec<String>, origin: &Origin) -> Checked<BTreeSet<PathBuf>> {
    if matches!(origin, Origin::Archive { file: Some(_), .. }) && !paths.is_empty() {
        return Err("`links-out` is for sources with a tree, not for `unpack = false`".into());
    }
    let path = |path: String| {
        let path = relative(&path, "links-out")?;
        // Without `.` and double slashes, as in the list of the tree.
        Ok(path.components().filter(|part| *part != Component::CurDir).collect())
    };
    paths.into_iter().map(path).collect()
}

fn refuse_file(raw: &RawSource) -> Checked<()> {
    match raw.unpack.is_some() || raw.file.is_some() {
        true => Err("`unpack` and `file` are for sources with `url`".into()),
        false => Ok(()),
    }
}

/// The name of a file that is not unpacked: the key `file`, or the last part of its addresses.
fn file(unpack: Option<bool>, name: Option<String>, urls: &[String]) -> Checked<Option<String>> {
    if unpack.unwrap_or(true) {
        return match name {
            Some(_) => Err("`file` needs `unpack = false`".into()),
            None => Ok(None),
        };
    }
    if let Some(name) = name {
        folder_name(&name).map_err(|e| format!("file: {e}"))?;
        return Ok(Some(name));
    }
    let names: BTreeSet<_> = urls.iter().map(|url| last_part(url)).collect();
    let name = names.first().copied().filter(|n| names.len() == 1 && folder_name(n).is_ok());
    let name =
        name.ok_or("unpack: `url` does not say what the file is called: add `file = \"NAME\"`")?;
    Ok(Some(name.to_owned()))
}

/// The part of an address after its last slash; empty if the address has a host only.
fn last_part(url: &str) -> &str {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    let path = path.split_once("://").map_or(path, |(_, rest)| rest);
    path.split_once('/').map_or("", |(_, path)| path.rsplit('/').next().unwrap_or(path))
}

/// Checks the name of a patch: a file in the description's folder. Paths and links that lead out of it are refused,
/// so that all inputs of a build are in one folder.
fn patch(name: &str, dir: &Path) -> Checked<PathBuf> {
    let path = dir.join(relative(name, "patches")?);
    let about = |e: std::io::Error| format!("patches: {e}");
    if !input::is_there(&path).map_err(about)? {
        let there = patches_in(dir);
        let there: Vec<_> = there.iter().map(String::as_str).collect();
        let guess = suggest(name, &there).unwrap_or_default();
        return Err(format!("patches: there is no file `{}`; {guess}", printable(name)));
    }
    inside(&path, dir, "patches")?;
    match path.is_file() {
        true => Ok(path),
        false => Err(format!("patches: `{}` is no file", printable(name))),
    }
}

fn patches_in(dir: &Path) -> Vec<String> {
    let names = fs_err::read_dir(dir).into_iter().flatten().flatten();
    let names = names.filter_map(|e| e.file_name().into_string().ok());
    names.filter(|n| n.ends_with(".patch") || n.ends_with(".diff")).collect()
}

fn refuse(wrong: bool, kind: &str, pin: &str) -> Checked<()> {
    match wrong {
        true => {
            Err(format!("a source with `{kind}` is pinned by {pin}; no other pin may be given"))
        }
        false => Ok(()),
    }
}

/// Checks a name that becomes the name of a folder in the container.
pub(super) fn folder_name(name: &str) -> Checked<()> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
    match name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(legal) {
        true => Ok(()),
        false => {
            Err(format!("the name `{}` may hold letters, digits and `._+-` only", printable(name)))
        }
    }
}

fn locations(key: &str, raw: &RawLocations) -> Checked<Vec<String>> {
    let list = match raw {
        RawLocations::One(url) => std::slice::from_ref(url),
        RawLocations::Several(urls) => urls,
    };
    if list.is_empty() {
        return Err(format!("{key}: give at least one address"));
    }
    list.iter().map(|url| address(key, url)).collect()
}

/// Checks an address. If it began with `-`, a program would treat it as an option.
fn address(key: &str, url: &str) -> Checked<String> {
    let known = ["https://", "http://", "ssh://", "file://"];
    if !known.iter().any(|k| url.starts_with(k)) || url.contains(char::is_whitespace) {
        return Err(format!(
            "{key}: `{}` is not an address that begins with {}",
            printable(url),
            known.join(" or ")
        ));
    }
    // `file://srv/x` would be a path that depends on the working directory.
    let path = url.strip_prefix("file://").map(|p| p.strip_prefix("localhost").unwrap_or(p));
    if path.is_some_and(|path| !path.starts_with('/')) {
        return Err(format!("{key}: `{}` names a host; write file:///FOLDER/FILE", printable(url)));
    }
    line(key, url.to_owned())
}

fn hex(key: &str, value: &str, digits: usize) -> Checked<String> {
    let value = value.to_ascii_lowercase();
    match value.len() == digits && value.chars().all(|c| c.is_ascii_hexdigit()) {
        true => Ok(value),
        false => Err(format!(
            "{key}: `{}` is not {digits} hex digits; branches and tags move, pins do not",
            printable(&value)
        )),
    }
}

fn signature(
    url: Option<String>,
    keys: Option<String>,
    dir: &Path,
) -> Checked<Option<UpstreamSignature>> {
    match (url, keys) {
        (None, None) => Ok(None),
        (Some(url), Some(keys)) => Ok(Some(UpstreamSignature {
            url: address("signature", &url)?,
            keys: dir.join(relative(&keys, "signature-key")?),
        })),
        _ => Err("`signature` and `signature-key` belong together".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Checked<Source> {
        source("mesos", toml::from_str(text).unwrap(), Path::new("/specs/mesos"))
    }

    #[test]
    fn addresses_of_files_have_no_host() {
        let url = |url: &str| parse(&format!("url = \"{url}\"\nsha256 = \"{}\"", "0".repeat(64)));
        for good in ["file:///srv/x.tgz", "file://localhost/srv/x.tgz"] {
            assert!(url(good).is_ok(), "{good}");
        }
        for bad in ["file://srv/x.tgz", "file://", "file://localhostile/x.tgz", "file://./x.tgz"] {
            assert!(url(bad).unwrap_err().contains("write file:///FOLDER/FILE"), "{bad}");
        }
    }

    #[test]
    fn git_archive_and_folder_sources_are_parsed() {
        let id = "2DD7f7ee115fe00b8e098b0a10762a4fa8f4600f";
        let git = parse(&format!("git = \"https://h/x.git\"\ncommit = \"{id}\"")).unwrap();
        let Origin::Git { urls, commit } = git.origin else { panic!() };
        assert_eq!((urls.len(), commit), (1, id.to_lowercase()));
        let archive = "url = [\"https://h/x.tgz\", \"http://i/x.tgz\"]\n\
                       signature = \"https://h/x.asc\"\nsignature-key = \"KEYS\"";
        let Origin::Archive { urls, sha256, signature, .. } = parse(archive).unwrap().origin else {
            panic!()
        };
        assert_eq!((urls.len(), sha256), (2, None));
        assert_eq!(signature.unwrap().keys, Path::new("/specs/mesos/KEYS"));
        let sized = parse("url = \"https://h/x\"\nsize = 12").unwrap().origin;
        assert!(matches!(sized, Origin::Archive { size: Some(12), .. }));
        let folder = parse("path = \"src\"").unwrap().origin;
        assert_eq!(folder, Origin::Folder("/specs/mesos/src".into()));
    }

    #[test]
    fn a_file_that_is_not_unpacked_has_a_name() {
        let name = |text: &str| -> Checked<Option<String>> {
            match parse(text)?.origin {
                Origin::Archive { file, .. } => Ok(file),
                _ => panic!(),
            }
        };
        let some = |name: &str| Ok(Some(name.to_owned()));
        assert_eq!(name("url = \"https://h/x.tgz\""), Ok(None));
        assert_eq!(name("url = \"https://h/a/x.patch\"\nunpack = false"), some("x.patch"));
        assert_eq!(name("url = \"https://h/x.patch?full=1\"\nunpack = false"), some("x.patch"));
        let two = "url = [\"https://h/x.c\", \"https://i/d/x.c\"]\nunpack = false";
        assert_eq!(name(two), some("x.c"));
        assert_eq!(name("url = \"https://h/\"\nfile = \"x\"\nunpack = false"), some("x"));
        let error = |text: &str| name(text).unwrap_err();
        for url in ["https://h", "https://h/", "https://h/a%20b", "https://h/.."] {
            let error = error(&format!("url = \"{url}\"\nunpack = false"));
            assert!(error.contains("add `file"), "{url}: {error}");
        }
        let two = "url = [\"https://h/x.c\", \"https://i/y.c\"]\nunpack = false";
        assert!(error(two).contains("add `file"));
        assert!(error("url = \"https://h/x\"\nfile = \"x\"").contains("needs `unpack = false`"));
        assert!(
            error("url = \"https://h/x\"\nunpack = false\nfile = \"../x\"").contains("letters")
        );
        assert!(error("path = \"x\"\nunpack = false").contains("for sources with `url`"));
    }

    #[test]
    fn links_out_are_paths_in_the_source() {
        let of = |list: &str| parse(&format!("path = \"x\"\nlinks-out = [{list}]"));
        let paths = of("\"a\", \"./b/./c\"").unwrap().links_out;
        assert_eq!(paths, ["a", "b/c"].map(PathBuf::from).into());
        for bad in ["\"/etc/x\"", "\"../x\"", "\"a/../b\"", "\"a/\"", "\"\""] {
            assert!(of(bad).unwrap_err().contains("links-out"), "{bad}");
        }
        let file = "url = \"https://h/x\"\nunpack = false\nlinks-out = [\"a\"]";
        assert!(parse(file).unwrap_err().contains("`unpack = false`"));
    }

    #[test]
    fn patches_are_files_of_the_description() {
        let dir = tempfile::tempdir().unwrap();
        let own = dir.path().join("own");
        fs_err::create_dir_all(own.join("sub")).unwrap();
        fs_err::write(own.join("fix.patch"), "").unwrap();
        fs_err::write(dir.path().join("other"), "").unwrap();
        fs_err::os::unix::fs::symlink("../other", own.join("out.patch")).unwrap();
        let of = |name: &str| {
            let raw = toml::from_str(&format!("path = \"x\"\npatches = [\"{name}\"]")).unwrap();
            source("x", raw, &own).map(|source| source.patches)
        };
        assert_eq!(of("fix.patch"), Ok(vec![own.join("fix.patch")]));
        assert!(of("../other").unwrap_err().contains("stays inside"));
        assert!(of("out.patch").unwrap_err().contains("leads out"));
        assert!(of("sub").unwrap_err().contains("is no file"));
        assert!(of("fix.ptch").unwrap_err().contains("did you mean `fix.patch`?"));
        assert!(of("*.patch").unwrap_err().contains("there is no file"));
    }

    #[test]
    fn unpinned_and_contradicting_sources_are_refused() {
        let error = |text: &str| parse(text).unwrap_err();
        assert!(error("git = \"https://h/x\"\ncommit = \"master\"").contains("branches"));
        assert!(error("git = \"https://h/x\"").contains("`commit` is missing"));
        assert!(error("git = \"--upload-pack=x\"\ncommit = \"a\"").contains("begins with"));
        assert!(error("url = \"https://h/x\"\ncommit = \"a\"").contains("no other pin"));
        assert!(error("path = \"../x\"").contains("stays inside"));
        assert!(error("").contains("exactly one"));
        assert!(error("url = \"https://h/x\"\nsignature = \"https://h/y\"").contains("together"));
    }
}
