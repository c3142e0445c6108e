//! image.toml: the repositories of an image's packages, the keys that sign them, and the wanted packages with the reasons.

use std::{collections::BTreeMap, path::PathBuf};

use el7rpm::input;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::lockfile::{LOCK, LockedPackage};
use base::{
    failure::{Class, Classify, Failure, Result},
    workspace::Workspace,
};

/// A checked description of an image.
#[derive(Clone, Debug)]
pub struct Description {
    /// The name of its folder below containers/.
    pub name: String,
    /// The folder.
    pub dir: PathBuf,
    /// SHA-256 of image.toml: a lock names the one that it was made from.
    pub sha256: String,
    /// The keys, by name.
    pub keys: BTreeMap<String, KeySource>,
    /// The repositories, by name.
    pub repositories: BTreeMap<String, Repository>,
    /// The wanted packages.
    pub wanted: Vec<Want>,
}

/// A key, and where to fetch it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeySource {
    /// The fingerprint of the primary key in lower-case hex.
    pub fingerprint: String,
    /// Addresses of the armored key.
    pub urls: Vec<String>,
}

/// A repository.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Repository {
    /// Base addresses, with `repodata/` below them. They are tried in order.
    pub urls: Vec<String>,
    /// The name of the key that has signed its packages.
    pub key: String,
    /// Whether this key has signed repomd.xml as well.
    pub signed_metadata: bool,
}

/// Packages that are wanted for one reason.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Want {
    /// Names of packages, names that packages provide, or paths.
    pub packages: Vec<String>,
    /// The reason.
    pub why: String,
}

/// The name of a repository and a base address that is tried before those of image.toml.
pub type Mirror = (String, String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    key: BTreeMap<String, KeySource>,
    repository: BTreeMap<String, Repository>,
    want: Vec<Want>,
}

const FILE: &str = "image.toml";

impl Description {
    /// Reads containers/NAME/image.toml.
    ///
    /// # Errors
    /// [`Class::Usage`] if it does not exist, [`Class::Spec`] if it is wrong.
    pub fn load(workspace: &Workspace, name: &str, mirrors: &[Mirror]) -> Result<Self> {
        let dir = workspace.root.join("containers").join(name);
        let path = dir.join(FILE);
        let is_plain = !name.is_empty() && !name.contains('/') && !name.starts_with('.');
        if !is_plain || !input::is_there(&path).class(Class::Spec)? {
            let message = format!("there is no containers/{name}/{FILE}");
            let help = "name a folder of containers/ that has an image.toml";
            return Err(Failure::new(Class::Usage, message).help(help));
        }
        let text = input::read_text(&path, input::MAX_TEXT).class(Class::Spec)?;
        let fail = |message: String| {
            Failure::new(Class::Spec, format!("{}: {message}", workspace.relative(&path).display()))
        };
        let raw: Raw = toml::from_str(&text).map_err(|e| fail(e.to_string().trim_end().into()))?;
        let digest = Sha256::digest(text.as_bytes());
        let mut description = Self {
            name: name.to_owned(),
            sha256: digest.iter().map(|b| format!("{b:02x}")).collect(),
            keys: raw.key,
            repositories: raw.repository,
            wanted: raw.want,
            dir,
        };
        description.check().map_err(fail)?;
        description.add_mirrors(mirrors)?;
        Ok(description)
    }

    /// The repository of a locked package.
    ///
    /// # Errors
    /// [`Class::Source`] if there is none of this name.
    pub(super) fn repository_of(&self, package: &LockedPackage) -> Result<&Repository> {
        let name = &package.repository;
        self.repositories.get(name).ok_or_else(|| {
            self.outdated(&format!("it takes {} from `{name}`, which is missing", package.nevra()))
        })
    }

    /// The key that must have signed a locked package.
    ///
    /// # Errors
    /// As [`Self::repository_of`].
    pub(super) fn key_of(&self, package: &LockedPackage) -> Result<&KeySource> {
        let name = &self.repository_of(package)?.key;
        self.keys.get(name).ok_or_else(|| self.outdated(&format!("the key `{name}` is missing")))
    }

    /// The failure for a lock that does not belong to this description.
    pub(super) fn outdated(&self, why: &str) -> Failure {
        let name = &self.name;
        let message = format!("containers/{name}/{LOCK} does not belong to image.toml: {why}");
        Failure::new(Class::Source, message)
            .help(format!("write it again: `cargo xtask lock {name}`"))
    }

    fn check(&mut self) -> Result<(), String> {
        for (name, key) in &mut self.keys {
            key.fingerprint = key.fingerprint.replace(' ', "").to_ascii_lowercase();
            let is_hex = key.fingerprint.bytes().all(|b| b.is_ascii_hexdigit());
            if key.fingerprint.len() != 40 || !is_hex {
                return Err(format!("the fingerprint of the key `{name}` is not 40 hex digits"));
            }
            check_urls(&key.urls).map_err(|why| format!("the key `{name}` {why}"))?;
        }
        for (name, repository) in &mut self.repositories {
            check_urls(&repository.urls).map_err(|why| format!("the repository `{name}` {why}"))?;
            repository.urls.iter_mut().for_each(end_with_slash);
            if !self.keys.contains_key(&repository.key) {
                let key = &repository.key;
                return Err(format!(
                    "the repository `{name}` names the key `{key}`, which is not described"
                ));
            }
        }
        let names = self.wanted.iter().flat_map(|want| &want.packages);
        let is_odd = |name: &&String| {
            name.is_empty()
                || name.contains(|c: char| c.is_whitespace() || c.is_control() || "*?".contains(c))
        };
        if let Some(odd) = names.into_iter().find(is_odd) {
            return Err(format!(
                "{odd:?} is wanted; `packages` are names, names that packages provide, or paths, without versions and patterns"
            ));
        }
        let empty = self.wanted.iter().any(|w| w.packages.is_empty() || w.why.trim().is_empty());
        match (self.repositories.is_empty() || self.wanted.is_empty(), empty) {
            (true, _) => Err("it has no [repository.NAME] or no [[want]]".into()),
            (_, true) => Err("a [[want]] has no `packages` or no `why`".into()),
            _ => Ok(()),
        }
    }

    /// Adds addresses that are tried before those of image.toml.
    ///
    /// # Errors
    /// [`Class::Usage`] for a repository that it does not have, or an odd address.
    pub(crate) fn add_mirrors(&mut self, mirrors: &[Mirror]) -> Result<()> {
        for (name, url) in mirrors.iter().rev() {
            let Some(repository) = self.repositories.get_mut(name) else {
                let names: Vec<_> = self.repositories.keys().map(String::as_str).collect();
                let message = format!("--mirror {name}=…: there is no such repository");
                return Err(Failure::new(Class::Usage, message).help(format!(
                    "repositories of {} are: {}",
                    self.name,
                    names.join(", ")
                )));
            };
            let mut url = url.clone();
            check_urls(std::slice::from_ref(&url))
                .map_err(|why| Failure::new(Class::Usage, format!("--mirror {name}=… {why}")))?;
            end_with_slash(&mut url);
            repository.urls.insert(0, url);
        }
        Ok(())
    }
}

fn end_with_slash(url: &mut String) {
    if !url.ends_with('/') {
        url.push('/');
    }
}

fn check_urls(urls: &[String]) -> Result<(), String> {
    let known =
        |url: &String| ["https://", "http://", "file:///"].iter().any(|s| url.starts_with(s));
    match urls.iter().find(|url| !known(url)) {
        None if urls.is_empty() => Err("has no address".into()),
        None => Ok(()),
        Some(_) => {
            Err("has an address that does not begin with https://, http:// or file:///".into())
        }
    }
}
