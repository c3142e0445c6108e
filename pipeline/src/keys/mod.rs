//! The signing key: a file, a key of the user's gpg, or the checkout's development key.

mod gpg;
mod passphrase;

use std::{
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use el7rpm::{
    input,
    openpgp::{SecretKey, Signer},
};
use zeroize::Zeroizing;

pub use passphrase::Passphrase;

use base::{
    disk::sync,
    events::{Event, Reporter},
    failure::{Class, Classify, Failure, Result},
    workspace::Workspace,
};

/// The key that the command line names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// An armored secret key.
    File(PathBuf),
    /// A key of gpg, by its id.
    Gpg(String),
}

/// A key that is ready to sign.
pub struct Keys {
    /// The signer.
    pub signer: Box<dyn Signer>,
    /// Whether it is the development key of this checkout, which no host should trust.
    pub development: bool,
}

impl Keys {
    /// Whether it is a development key, of this checkout or of another one.
    pub fn is_for_development(&self) -> bool {
        let ids = self.signer.certificate().user_ids();
        self.development || ids.iter().any(|id| id == DEVELOPMENT_ID)
    }
}

/// User id of development keys: everybody who sees it must know that the key is not for releases.
const DEVELOPMENT_ID: &str =
    "mesos-calico DEVELOPMENT KEY - not for release <development@localhost>";

/// Loads the key that the command line asks for.
pub fn load(
    named: Option<&Named>,
    passphrase: &Passphrase,
    workspace: &Workspace,
    reporter: &dyn Reporter,
) -> Result<Keys> {
    match self::named(named, passphrase, reporter)? {
        Some(keys) => Ok(keys),
        None => {
            let key = development(workspace, reporter)?;
            Ok(Keys { signer: Box::new(key), development: true })
        }
    }
}

/// The key that the command line names, if it names one.
pub fn named(
    named: Option<&Named>,
    passphrase: &Passphrase,
    reporter: &dyn Reporter,
) -> Result<Option<Keys>> {
    let Some(keys) = find(named, passphrase)? else { return Ok(None) };
    for caveat in keys.signer.certificate().caveats() {
        reporter.event(&Event::Note { message: &caveat.to_string() });
    }
    Ok(Some(keys))
}

fn find(named: Option<&Named>, passphrase: &Passphrase) -> Result<Option<Keys>> {
    let signer: Box<dyn Signer> = match named {
        Some(Named::Gpg(id)) => Box::new(gpg::GpgKey::find(id)?),
        Some(Named::File(path)) => {
            let text = Zeroizing::new(input::read_text(path, input::MAX_TEXT).class(Class::Key)?);
            let key = SecretKey::from_armored(&text, || passphrase.get(path)).class(Class::Key);
            Box::new(key?)
        }
        None => return Ok(None),
    };
    Ok(Some(Keys { signer, development: false }))
}

/// Fingerprint of the development key, if there is one. No key is made.
pub fn development_fingerprint(workspace: &Workspace) -> Result<Option<String>> {
    Ok(read_development(&development_path(workspace))?.map(|key| key.certificate().fingerprint()))
}

/// The path of the development key.
pub fn development_path(workspace: &Workspace) -> PathBuf {
    workspace.state.join("keys/development.asc")
}

/// Loads the development key; makes one if there is none.
pub fn development(workspace: &Workspace, reporter: &dyn Reporter) -> Result<SecretKey> {
    let path = development_path(workspace);
    if let Some(key) = read_development(&path)? {
        return Ok(key);
    }
    reporter.event(&Event::Note { message: "making a development key (once; takes some seconds)" });
    let key = SecretKey::generate(DEVELOPMENT_ID)?;
    store(&path, &key.to_armored()?)?;
    Ok(key)
}

/// The development key, if there is one. An unreadable key is an error.
fn read_development(path: &Path) -> Result<Option<SecretKey>> {
    if !input::is_there(path).class(Class::Key)? {
        return Ok(None);
    }
    let text = Zeroizing::new(input::read_text(path, input::MAX_TEXT).class(Class::Key)?);
    let key = SecretKey::from_armored(&text, || Ok(Zeroizing::default())).map_err(|e| {
        let message = format!("the development key {} is unusable: {e}", path.display());
        let own = "remove the file: the next run makes a new key";
        let help = e.help().filter(|h| !h.is_empty());
        Failure::new(Class::Key, message)
            .help(help.map_or_else(|| own.to_owned(), |h| format!("{h}; or {own}")))
    })?;
    Ok(Some(key))
}

/// Writes a file that only its owner may read, from its first byte on. After a crash it is complete or not there.
fn store(path: &Path, text: &str) -> Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    fs_err::create_dir_all(dir).class(Class::Key)?;
    let tmp = path.with_extension("tmp");
    if input::is_there(&tmp).class(Class::Key)? {
        fs_err::remove_file(&tmp).class(Class::Key)?;
    }
    let mut file = fs_err::OpenOptions::new();
    file.write(true).create_new(true);
    file.options_mut().mode(0o600);
    let mut file = file.open(&tmp).class(Class::Key)?;
    file.write_all(text.as_bytes()).class(Class::Key)?;
    file.sync_all().class(Class::Key)?;
    fs_err::rename(&tmp, path).class(Class::Key)?;
    sync(dir)
}

#[cfg(test)]
mod tests;
