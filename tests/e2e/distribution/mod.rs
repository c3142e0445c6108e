//! The stand-in distribution: some two hundred of Debian 12's packages as a signed repository of RPMs, for the tests of all
//! that works on the packages of a build system. It is made once a machine, and kept below target/.

mod debian;
mod repack;
mod site;
mod works;

pub use site::{Site, cache};

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
};

use el7rpm::openpgp::Signer;
use sha2::{Digest, Sha256};

use crate::{
    checkout::{Checkout, repository},
    sources::web::{Web, WebAnswer},
    support,
};

/// Programs that make it.
pub const TOOLS: [&str; 5] = ["apt-get", "awk", "dpkg-deb", "rpmbuild", "createrepo_c"];

/// The repository.
pub struct Distribution {
    pub folder: PathBuf,
}

impl Distribution {
    /// `None` if it cannot be made here: tools are missing, or Debian's packages cannot be fetched.
    pub fn get(test: &str) -> Option<&'static Self> {
        static MADE: OnceLock<Result<Distribution, String>> = OnceLock::new();
        if !support::have(test, &TOOLS) {
            return None;
        }
        let made = MADE.get_or_init(|| kept().map(|folder| Self { folder })).as_ref();
        made.map_err(|why| support::skip(test, why)).ok()
    }

    /// Adds it as the image `name`, with the lock of its packages.
    pub fn add_locked(&self, checkout: &Checkout, name: &str) {
        static LOCK: OnceLock<String> = OnceLock::new();
        add_image(checkout, name, &format!("file://{}", self.folder.display()));
        let path = format!("containers/{name}/root.lock");
        let lock = LOCK.get_or_init(|| {
            checkout.ok(&["lock", name]);
            read(&checkout.path(&path))
        });
        checkout.write(&path, lock);
    }

    /// A web server for it.
    pub fn serve(&self) -> Web {
        let folder = self.folder.clone();
        Web::serve(move |request, _| match fs_err::read(folder.join(&request.path[1..])) {
            Ok(content) => WebAnswer::file(&content, request),
            Err(_) => WebAnswer::status(404),
        })
    }
}

/// Adds the image `name` with the packages of the repository at this address.
pub fn add_image(checkout: &Checkout, name: &str, url: &str) {
    let from = repository().join("tests/distribution");
    let fingerprint = support::key("distribution").certificate().fingerprint();
    let text = read(&from.join("image.toml"));
    let text = text.replace("FINGERPRINT", &fingerprint).replace("DISTRIBUTION", url);
    let to = format!("containers/{name}");
    checkout.write(&format!("{to}/image.toml"), text);
    checkout.write(&format!("{to}/setup.sh"), read(&from.join("setup.sh")));
    checkout.copy(&from.join("builder"), &format!("{to}/builder"));
}

/// Makes it, unless it is there. Another test program may do so meanwhile.
fn kept() -> Result<PathBuf, String> {
    let place = support::scratch_root().join("distribution");
    fs_err::create_dir_all(&place).unwrap();
    let lock = fs_err::File::create(place.join("lock")).unwrap();
    lock.file().lock().unwrap();
    let key = support::key("distribution");
    let from = repository().join("tests/distribution");
    let (image, filesystem) = (from.join("image.toml"), from.join("filesystem.spec"));
    let inputs = [
        include_str!("debian.rs"),
        include_str!("repack.rs"),
        &read(&image),
        &read(&filesystem),
        &key.certificate().fingerprint(),
    ];
    let wanted = wanted(&read(&image));
    let make = |folder: &Path| repack::make(folder, &wanted, &filesystem, &key);
    kept_under(&place, &inputs.join("\n"), make)
}

/// The folder in `place` that is made from these inputs. Those of other inputs are removed.
fn kept_under(
    place: &Path,
    inputs: &str,
    make: impl Fn(&Path) -> Result<(), String>,
) -> Result<PathBuf, String> {
    let digest = Sha256::digest(inputs);
    let own: String = digest.iter().take(8).map(|b| format!("{b:02x}")).collect();
    let folder = place.join(&own);
    if folder.exists() {
        return Ok(folder);
    }
    let entries = fs_err::read_dir(place).unwrap().map(|entry| entry.unwrap().path());
    let old: Vec<_> = entries.filter(|path| path.is_dir()).collect();
    for (number, path) in old.iter().enumerate() {
        let removed = place.join(format!("old-{number}"));
        let _ = fs_err::remove_dir_all(&removed);
        fs_err::rename(path, &removed).unwrap();
        // Some disks take half a minute. What is left when the process ends, is removed next time.
        std::thread::spawn(|| fs_err::remove_dir_all(removed));
    }
    let unfinished = place.join(format!("{own}.tmp"));
    make(&unfinished)?;
    fs_err::rename(&unfinished, &folder).unwrap();
    Ok(folder)
}

/// The names in image.toml that Debian has.
fn wanted(image: &str) -> Vec<String> {
    let image: toml::Table = toml::from_str(image).unwrap();
    let wants = image["want"].as_array().unwrap().iter();
    let names = wants.flat_map(|want| want["packages"].as_array().unwrap());
    let names = names.map(|name| name.as_str().unwrap().to_owned());
    names.filter(|name| name != "filesystem").collect()
}

fn read(path: &Path) -> String {
    fs_err::read_to_string(path).unwrap()
}
