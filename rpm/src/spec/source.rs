//! `[source.NAME]`: what is compiled, pinned by its content, and where it can be had.

use std::path::{Path, PathBuf};

use super::{
    printable,
    resolve::{Checked, line, relative},
    schema::{RawLocations, RawSource},
};

/// Something that a build starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name; it stands at `/src/NAME` while its build runs.
    pub name: String,
    /// What it is, and where it can be had.
    pub origin: Origin,
}

/// What a source is, and where it can be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// One commit of a git repository.
    Git {
        /// Addresses of repositories that have it, tried in order.
        urls: Vec<String>,
        /// The commit's id: 40 lower-case hex digits.
        commit: String,
    },
    /// An archive.
    Archive {
        /// Addresses that it can be had from, tried in order.
        urls: Vec<String>,
        /// The SHA-256 of its bytes, as 64 lower-case hex digits; `None` until it is pinned.
        sha256: Option<String>,
        /// How many these are, so that a location that gives more is left in time.
        size: Option<u64>,
        /// Upstream's signature of it.
        signature: Option<UpstreamSignature>,
    },
    /// A folder of the checkout, at this path.
    Folder(PathBuf),
}

/// A detached OpenPGP signature of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamSignature {
    /// Where it can be had.
    pub url: String,
    /// The file, armored or not, with the keys that may have made it.
    pub keys: PathBuf,
}

/// Checks one `[source.NAME]`. `dir` is the description's folder.
pub(super) fn source(name: &str, raw: RawSource, dir: &Path) -> Checked<Source> {
    folder_name(name)?;
    let origin = match (&raw.git, &raw.url, &raw.path) {
        (Some(git), None, None) => {
            let other = raw.sha256.is_some() || raw.signature.is_some() || raw.size.is_some();
            refuse(other, "git", "commit")?;
            let commit = raw.commit.ok_or("`commit` is missing: the id of the commit to build")?;
            Origin::Git { urls: locations("git", git)?, commit: hex("commit", &commit, 40)? }
        }
        (None, Some(url), None) => {
            refuse(raw.commit.is_some(), "url", "sha256")?;
            let sha256 = raw.sha256.as_deref().map(|s| hex("sha256", s, 64)).transpose()?;
            let signature = signature(raw.signature, raw.signature_key, dir)?;
            Origin::Archive { urls: locations("url", url)?, sha256, size: raw.size, signature }
        }
        (None, None, Some(path)) => {
            let other = raw.commit.is_some() || raw.sha256.is_some() || raw.size.is_some();
            refuse(other, "path", "nothing else")?;
            Origin::Folder(dir.join(relative(path, "path")?))
        }
        _ => return Err("give exactly one of `git`, `url`, `path`".into()),
    };
    Ok(Source { name: name.to_owned(), origin })
}

fn refuse(wrong: bool, kind: &str, pin: &str) -> Checked<()> {
    match wrong {
        true => Err(format!("with `{kind}` goes {pin}, no other pin")),
        false => Ok(()),
    }
}

/// A name that becomes a folder in the container.
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
        return Err(format!("{key}: name at least one place"));
    }
    list.iter().map(|url| address(key, url)).collect()
}

/// An address; one that begins with `-` would be an option of the program it is given to.
fn address(key: &str, url: &str) -> Checked<String> {
    let known = ["https://", "http://", "ssh://", "file://"];
    if !known.iter().any(|k| url.starts_with(k)) || url.contains(char::is_whitespace) {
        return Err(format!(
            "{key}: `{}` is not an address that begins with {}",
            printable(url),
            known.join(" or ")
        ));
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
    fn each_kind() {
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
    fn what_is_no_pin_or_no_place() {
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
