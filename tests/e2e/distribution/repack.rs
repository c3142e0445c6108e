//! Makes the repository: repacks Debian's packages as RPMs with one /usr, signs them, and indexes them by createrepo_c.

use std::{
    collections::BTreeMap,
    os::unix::fs::MetadataExt,
    path::{Component, Path, PathBuf},
    process::Command,
};

use el7rpm::{
    openpgp::{self, SecretKey, Signer},
    package::{Prepared, UnsignedRpm, WriteOptions},
    payload::{Compression, Format},
    signature,
    spec::Spec,
    stage::{Entry, EntryKind, StagedRoot, is_of_filesystem},
};
use toml::{Table, Value};

use super::debian::{self, Deb};
use crate::support;

/// The public key's file in the repository.
pub(super) const KEY: &str = "RPM-GPG-KEY-distribution";

/// Folders whose files are left out: documents that no build reads, and what exists on running systems alone.
const DROPPED: [&str; 12] = [
    "/usr/share/doc/",
    "/usr/share/man/",
    "/usr/share/info/",
    "/usr/share/locale/",
    "/usr/share/lintian/",
    "/usr/share/bug/",
    "/dev/",
    "/run/",
    "/tmp/",
    "/var/run/",
    "/var/lock/",
    "/var/tmp/",
];

const CHANGELOG: &str =
    "[[changelog]]\ndate = 2023-06-10\nauthor = 'Tests'\ntext = ['Repacked from Debian 12']\n";

/// Makes the repository in the new folder `dir`. `wanted`: names of packages that it must have.
pub(super) fn make(
    dir: &Path,
    wanted: &[String],
    filesystem: &Path,
    key: &SecretKey,
) -> Result<(), String> {
    fs_err::create_dir_all(dir).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    make_filesystem(scratch.path(), dir, filesystem, key);
    let debs = debian::fetch(scratch.path(), wanted)?;
    let known = debian::names(&debs);
    support::threads::on_all(&debs, |deb| repack(deb, &deb.description(&known), dir, key));
    support::ok(Command::new("createrepo_c").args(["--quiet", "--no-database"]).arg(dir));
    let repomd = fs_err::read(dir.join("repodata/repomd.xml")).unwrap();
    let packet = key.sign(&mut &repomd[..], 0).unwrap();
    let signature = openpgp::armor(&packet).unwrap();
    fs_err::write(dir.join("repodata/repomd.xml.asc"), signature).unwrap();
    fs_err::write(dir.join(KEY), key.certificate().to_armored().unwrap()).unwrap();
    Ok(())
}

fn make_filesystem(scratch: &Path, dir: &Path, spec: &Path, key: &SecretKey) {
    let mut command = Command::new("rpmbuild");
    command.args(["-bb", "--quiet", "--target", "noarch", "--define", "_binary_payload w1.gzdio"]);
    for (name, folder) in [("_topdir", "top"), ("_rpmdir", "rpms")] {
        command.arg("--define").arg(format!("{name} {}", scratch.join(folder).display()));
    }
    support::ok(command.arg(spec));
    let name = "filesystem-12-1.noarch.rpm";
    let unsigned = UnsignedRpm::open(&scratch.join("rpms/noarch").join(name)).unwrap();
    signature::sign(&unsigned, key, &dir.join(name)).unwrap();
}

fn repack(deb: &Deb, description: &Table, dir: &Path, key: &SecretKey) {
    let scratch = tempfile::tempdir().unwrap();
    let tree = scratch.path().join("tree");
    support::ok(Command::new("dpkg-deb").arg("--extract").arg(&deb.path).arg(&tree));
    let named = Table::from_iter([(deb.name().to_owned(), Value::from(description.clone()))]);
    let text =
        Table::from_iter([("package".to_owned(), Value::from(named))]).to_string() + CHANGELOG;
    let spec = Spec::parse(&text, &scratch.path().join("package.toml"), scratch.path());
    let spec = spec.unwrap_or_else(|e| panic!("{e}\n{text}"));
    let package = &spec.packages[0];
    let root = StagedRoot::of(package, entries(&tree)).unwrap();
    let compression = Compression { format: Format::Gzip, level: 1, threads: 1 };
    let options = WriteOptions { compression, ..WriteOptions::default() };
    let prepared = Prepared::new(package, &root, &options).unwrap();
    let unsigned = prepared.write(&scratch.path().join("unsigned")).unwrap();
    signature::sign(&unsigned, key, &dir.join(package.file_name())).unwrap();
}

/// What a package's tree has, below one /usr.
fn entries(tree: &Path) -> Vec<Entry> {
    let mut entries = BTreeMap::new();
    for item in walkdir::WalkDir::new(tree).min_depth(1) {
        let item = item.unwrap();
        let own = format!("/{}", item.path().strip_prefix(tree).unwrap().to_str().unwrap());
        let path = merged(&own);
        let meta = item.metadata().unwrap();
        let is_dropped = DROPPED.iter().any(|folder| format!("{path}/").starts_with(folder));
        if is_dropped || meta.is_dir() && is_of_filesystem(&path) {
            continue;
        }
        let kind = if meta.is_symlink() {
            let target = fs_err::read_link(item.path()).unwrap();
            EntryKind::Link {
                target: if own == path { text(&target) } else { moved(&own, &target) },
            }
        } else if meta.is_dir() {
            EntryKind::Dir
        } else {
            let inode = (meta.nlink() > 1).then(|| (meta.dev(), meta.ino()));
            EntryKind::File { source: item.path().to_owned(), size: meta.len(), inode }
        };
        let mode = if meta.is_symlink() { 0o777 } else { (meta.mode() & 0o7777) as u16 };
        entries.insert(path.clone(), Entry::new(path, kind, mode));
    }
    entries.into_values().collect()
}

/// Where a path leads when /bin, /sbin, /lib and /lib64 are links into /usr.
fn merged(path: &str) -> String {
    let top = path.split('/').nth(1).unwrap_or_default();
    match ["bin", "sbin", "lib", "lib64"].contains(&top) {
        true => format!("/usr{path}"),
        false => path.to_owned(),
    }
}

/// The target of a link that was moved: one that leads up is made absolute.
fn moved(link: &str, target: &Path) -> String {
    if !target.starts_with("..") {
        return text(target);
    }
    let mut absolute = PathBuf::from(link).parent().unwrap().to_owned();
    for part in target.components() {
        match part {
            Component::ParentDir => drop(absolute.pop()),
            part => absolute.push(part),
        }
    }
    text(&absolute)
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
