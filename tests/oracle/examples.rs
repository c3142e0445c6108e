//! The programs in rpm/examples work, one after the other.

// Their `main` is not called.
#![allow(dead_code)]

use el7rpm::{
    openpgp::Signer,
    verify::{self, Required},
};

use crate::support;

#[path = "../../rpm/examples/index_folder.rs"]
mod index_folder;
#[path = "../../rpm/examples/package_folder.rs"]
mod package_folder;
#[path = "../../rpm/examples/verify_file.rs"]
mod verify_file;

#[test]
fn examples_package_index_and_verify_their_folder() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/welcome");
    let out = tempfile::tempdir().unwrap();
    let key = support::key("a");
    let rpms = package_folder::package(folder.as_ref(), &key, out.path()).unwrap();
    let [rpm] = rpms.as_slice() else { panic!("{rpms:?}") };
    let repository = index_folder::index(out.path(), &key).unwrap();
    assert_eq!(repository.packages()[0].file_name(), "welcome-1.0-1.el7.noarch.rpm");
    let report = verify::verify(rpm.path(), key.certificate(), Required::AsWritten).unwrap();
    let lines = verify_file::lines(&report);
    assert_eq!(lines[..2], ["welcome-1.0-1.el7.noarch", "header SHA-1: OK"]);

    // A package of another key is not indexed.
    fs_err::remove_dir_all(out.path().join("repodata")).unwrap();
    let error = index_folder::index(out.path(), &support::key("b")).unwrap_err().to_string();
    assert!(error.contains("was made by another key"), "{error}");
}
