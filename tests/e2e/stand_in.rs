//! A package that stands in for the target system: it provides what an ABI table says is there.

use std::{collections::BTreeSet, path::Path};

use el7rpm::{
    package::{Prepared, WriteOptions},
    repodata, signature,
    spec::Spec,
    stage::{Roots, StagedRoot},
    unpack::TreeSummary,
};

use base::workspace::Workspace;
use builders::root::{Description, Lock, key_of};
use sha2::{Digest, Sha256};

use crate::{checkout::Checkout, support};

/// The name that it is installed by.
pub const NAME: &str = "stand-in-for-centos-7";

/// Writes the package into `base`, which becomes a repository. It stands in for glibc, bash,
/// coreutils and what else cannot be had here; `more` it provides as well, and `assets` it has.
pub fn write(base: &Path, table: &Path, more: &[&str], assets: &str) {
    let provides = provides(table);
    let provides = provides.iter().map(String::as_str).chain(more.iter().copied());
    let provides: Vec<_> = provides.map(|p| format!("\"{p}\" = \"*\"")).collect();
    let toml = format!(
        "[package.{NAME}]\nversion = \"7\"\narch = \"x86_64\"\nsummary = \"Stand-in\"\nlicense = \"GPL\"\n\
         auto-req = \"no\"\nprovides = {{ {} }}\nassets = [{assets}]\n\
         [[changelog]]\ndate = 2026-11-22\nauthor = \"A\"\ntext = [\"t\"]\n",
        provides.join(", "),
    );
    let spec = Spec::parse(&toml, &base.join("package.toml"), base).unwrap();
    let package = &spec.packages[0];
    let roots = Roots::of_folder(base);
    let root = StagedRoot::collect(package, &roots).unwrap();
    let options = WriteOptions::default();
    let unsigned =
        Prepared::new(package, &root, &options).unwrap().write(&base.join("unsigned")).unwrap();
    let key = support::key("a");
    let signed = signature::sign(&unsigned, &key, &base.join(package.file_name())).unwrap();
    repodata::write(base, &[signed], 0, &key).unwrap();
}

/// The names that the table's libraries provide, and names that are in no table.
fn provides(table: &Path) -> BTreeSet<String> {
    let table: toml::Table = toml::from_str(&fs_err::read_to_string(table).unwrap()).unwrap();
    let mut provides = BTreeSet::from(["rtld(GNU_HASH)".to_owned(), "/sbin/ldconfig".into()]);
    for (library, families) in table["libraries"].as_table().unwrap() {
        provides.insert(format!("{library}()(64bit)"));
        for family in families.as_array().unwrap() {
            let family = family.as_str().unwrap();
            let Some(versions) = table["versions"].get(family) else {
                provides.insert(format!("{library}({family})(64bit)"));
                continue;
            };
            for version in versions.as_array().unwrap() {
                let version = version.as_str().unwrap();
                provides.insert(format!("{library}({family}_{version})(64bit)"));
            }
        }
    }
    provides
}

/// Writes the .repo file for it.
pub fn write_repo(base: &Path, repos: &Path) {
    let base = base.display();
    fs_err::write(
        repos.join("base.repo"),
        format!("[base]\nname=stand-in\nbaseurl=file://{base}\ngpgcheck=0\nrepo_gpgcheck=0\n"),
    )
    .unwrap();
}

/// Writes the description of an image, a lock that pins a package which is nowhere, and an empty root for it: enough for a plan,
/// and for engines that only pretend.
pub fn pinned_image(checkout: &Checkout, name: &str) {
    let description = "[key.k]\nfingerprint = \"0123456789012345678901234567890123456789\"\nurls = [\"file:///key\"]\n\
        [repository.base]\nurls = [\"file:///nowhere\"]\nkey = \"k\"\nsigned-metadata = true\n\
        [[want]]\npackages = [\"gcc\"]\nwhy = \"a test\"\n";
    let digest: String = Sha256::digest(description).iter().map(|b| format!("{b:02x}")).collect();
    let zeros = "0".repeat(64);
    let lock = format!(
        "format = 1\ndescription = \"{digest}\"\n\
         [[key]]\nname = \"k\"\nsize = 1\nsha256 = \"{zeros}\"\n\
         [[package]]\nname = \"gcc\"\nevr = \"4.8.5-44.el7\"\narch = \"x86_64\"\n\
         repository = \"base\"\npath = \"gcc.rpm\"\nsize = 1\nsha256 = \"{zeros}\"\n"
    );
    checkout.write(&format!("containers/{name}/image.toml"), description);
    checkout.write(&format!("containers/{name}/root.lock"), lock);
    checkout.write(&format!("containers/{name}/setup.sh"), "true\n");
    let root = checkout.dir.path().to_owned();
    let workspace = Workspace { state: root.join("target/xtask"), root };
    let description = Description::load(&workspace, name, &[]).unwrap();
    let lock = Lock::load(&description.dir).unwrap().unwrap();
    let place = format!("cache/roots/{}", key_of(&description, &lock).unwrap());
    checkout.write(&format!("{place}/tree/etc/hosts"), "");
    let summary = serde_json::to_string(&TreeSummary::default()).unwrap();
    checkout.write(&format!("{place}/summary.json"), summary);
    // That of CentOS 7.
    checkout.write(&format!("{place}/abi.toml"), "");
}
