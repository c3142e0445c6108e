//! Whole repositories: what is in one, when it is written again, and what is never lost.

use std::{collections::BTreeSet, os::unix::fs::PermissionsExt};

use super::*;
use crate::{
    cache::Cache,
    fixture::{SILENT, TempCheckout, signer},
    keys::Keys,
};
use base::failure::Failure;
use el7rpm::openpgp::Signer;

const URL: &str = "https://repo.example.org/el7";

fn keys() -> Keys {
    Keys { signer: Box::new(signer()), development: false }
}

/// The signed packages of a checkout, made if they are not there.
fn signed(checkout: &TempCheckout) -> Vec<(Key, SignedRpm)> {
    let plan = checkout.plan(&[]);
    for step in plan.steps.iter() {
        checkout.run(step).unwrap();
    }
    let cache = Cache::peek(&checkout.workspace);
    let rpm = |step: &crate::steps::Step, sign: &crate::steps::SignPackage| {
        let signed = sign.signed(&step.key, &cache, signer().certificate()).unwrap().unwrap();
        (step.key.clone(), signed)
    };
    plan.signing().map(|(_, step, sign)| rpm(step, sign)).collect()
}

/// Publishes to dist/el7 of the checkout. Returns whether a repository was written.
fn publish(checkout: &TempCheckout, rpms: &[(Key, SignedRpm)], url: &str) -> Result<bool> {
    let out = checkout.workspace.root.join("dist/el7");
    let destination = Destination::prepare(&out, &checkout.workspace)?;
    let keys = keys();
    let publication = Publication {
        workspace: &checkout.workspace,
        destination: &destination,
        base_url: url,
        keys: &keys,
        rpms,
        compiler: Some("rustc 1.0"),
        roots: Default::default(),
        unchecked: false,
    };
    publication.write_if_new(&SILENT)
}

fn notes() -> TempCheckout {
    let checkout = TempCheckout::new();
    checkout.data("notes", "");
    checkout
}

/// The names of all files in dist/el7.
fn published(checkout: &TempCheckout) -> Vec<String> {
    list::files_below(&checkout.workspace.root.join("dist/el7")).unwrap()
}

/// The names beside dist/el7.
fn beside(checkout: &TempCheckout) -> Vec<String> {
    let entries = fs_err::read_dir(checkout.workspace.root.join("dist")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_repository_has_its_packages_metadata_key_and_checksums_and_is_verified() {
    let checkout = notes();
    assert!(publish(&checkout, &signed(&checkout), URL).unwrap());
    let files = published(&checkout);
    for file in [PUBLIC_KEY, REPO_FILE, RELEASE, SUMS, &sums_signature(), "repodata/repomd.xml"] {
        assert!(files.iter().any(|f| f == file), "{file} is not among {files:?}");
    }
    let dir = checkout.workspace.root.join("dist/el7");
    assert_eq!(rpms_in(&dir).unwrap().len(), 1);
    verify_repository(&dir, signer().certificate(), Expected::Published).unwrap();
    let release = read_release(&dir).unwrap().unwrap();
    assert_eq!((release.packages[0].name.as_str(), release.development), ("notes", false));
    assert_eq!(release.compiler.as_deref(), Some("rustc 1.0"));
    let listed: BTreeSet<String> = release.all_files().into_iter().collect();
    assert_eq!(listed, files.into_iter().collect());
    let mode = |path: &Path| fs_err::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&dir), mode(&dir.join(RELEASE))), (0o755, 0o644));
}

#[test]
fn a_repository_is_written_again_only_if_something_is_different() {
    let checkout = notes();
    let rpms = signed(&checkout);
    assert!(publish(&checkout, &rpms, URL).unwrap());
    assert!(!publish(&checkout, &rpms, URL).unwrap(), "nothing has changed");
    assert!(publish(&checkout, &rpms, "https://other.example.org").unwrap(), "another address");
    let readme = checkout.workspace.root.join("dist/el7").join(REPO_FILE);
    fs_err::write(&readme, "changed by hand").unwrap();
    assert!(publish(&checkout, &rpms, "https://other.example.org").unwrap(), "a changed file");
    checkout.data("more", "");
    let more = signed(&checkout);
    assert!(publish(&checkout, &more, "https://other.example.org").unwrap(), "another package");
}

#[test]
fn the_revision_does_not_go_back_when_the_newest_package_is_taken_out() {
    let checkout = notes();
    checkout.data("newer", "");
    checkout.replace("specs/newer/package.toml", "date = 2026-11-22", "date = 2026-11-23");
    let rpms = signed(&checkout);
    let dir = checkout.workspace.root.join("dist/el7");
    let revision = |rpms| {
        publish(&checkout, rpms, URL).unwrap();
        read_release(&dir).unwrap().unwrap().revision
    };
    let all = revision(&rpms);
    let older: Vec<_> =
        rpms.iter().filter(|(_, rpm)| rpm.path().ends_with(OLDER)).cloned().collect();
    assert_eq!(older.len(), 1);
    assert!(revision(&older) >= all);
}

const OLDER: &str = "notes-1-1.el7.x86_64.rpm";

#[test]
fn a_folder_with_a_file_of_somebody_else_is_refused_and_left_as_it_is() {
    let checkout = notes();
    let rpms = signed(&checkout);
    publish(&checkout, &rpms, URL).unwrap();
    checkout.write("dist/el7/notes.txt", "mine");
    let before = published(&checkout);
    let failure = publish(&checkout, &rpms, "https://other.example.org").unwrap_err();
    assert_eq!(failure.class, Class::Output);
    assert!(failure.message.contains("`notes.txt`"), "{failure}");
    assert_eq!(published(&checkout), before);
}

#[test]
fn a_failure_while_a_repository_is_filled_leaves_the_former_one_and_nothing_beside_it() {
    let checkout = notes();
    publish(&checkout, &signed(&checkout), URL).unwrap();
    let before = published(&checkout);
    let out = checkout.workspace.root.join("dist/el7");
    let destination = Destination::prepare(&out, &checkout.workspace).unwrap();
    let failure = destination.replace::<()>(&SILENT, |dir| {
        fs_err::write(dir.join("half"), "").unwrap();
        Err(Failure::new(Class::Key, "no"))
    });
    assert_eq!(failure.unwrap_err().class, Class::Key);
    assert_eq!((published(&checkout), beside(&checkout)), (before, vec!["el7".to_owned()]));
}

#[test]
fn a_file_put_into_the_folder_while_it_is_replaced_is_kept() {
    let checkout = notes();
    publish(&checkout, &signed(&checkout), URL).unwrap();
    let out = checkout.workspace.root.join("dist/el7");
    let destination = Destination::prepare(&out, &checkout.workspace).unwrap();
    let failure = destination.replace(&SILENT, |_| {
        checkout.write("dist/el7/late.txt", "mine");
        Ok(())
    });
    assert!(failure.unwrap_err().message.contains("`late.txt`"));
    let text = fs_err::read_to_string(out.join("late.txt")).unwrap();
    assert_eq!((text.as_str(), beside(&checkout)), ("mine", vec!["el7".to_owned()]));
}

#[test]
fn the_next_run_removes_leftovers_and_puts_the_former_repository_back() {
    let checkout = notes();
    publish(&checkout, &signed(&checkout), URL).unwrap();
    let out = checkout.workspace.root.join("dist/el7");
    let before = published(&checkout);
    let destination = Destination::prepare(&out, &checkout.workspace).unwrap();
    // As a run leaves it that is killed between two renamings, where folders cannot be exchanged.
    fs_err::create_dir(&destination.new).unwrap();
    fs_err::rename(&out, &destination.old).unwrap();
    Destination::prepare(&out, &checkout.workspace).unwrap();
    assert_eq!((published(&checkout), beside(&checkout)), (before, vec!["el7".to_owned()]));
}

#[test]
fn only_an_own_or_an_empty_or_an_absent_folder_can_be_published_to() {
    let checkout = notes();
    let prepare = |name: &str| {
        Destination::prepare(&checkout.workspace.root.join(name), &checkout.workspace).map(drop)
    };
    fs_err::create_dir(checkout.workspace.root.join("empty")).unwrap();
    prepare("empty").unwrap();
    prepare("absent/below").unwrap();
    assert!(!checkout.workspace.root.join("absent").exists(), "nothing is made before the work");
    checkout.write("file", "");
    checkout.write("full/readme", "");
    fs_err::os::unix::fs::symlink("nowhere", checkout.workspace.root.join("dangling")).unwrap();
    for (name, words) in [
        ("file", "is not a folder"),
        ("full", "holds `readme`"),
        ("dangling", "is a link that leads nowhere"),
        ("specs", "is this program's own"),
        ("specs/notes", "is this program's own"),
        ("target/xtask/cache", "is this program's own"),
        (".", "is this program's own"),
    ] {
        let failure = prepare(name).unwrap_err();
        assert_eq!(failure.class, Class::Output, "{name}");
        assert!(failure.message.contains(words), "{failure}");
        assert!(failure.help.is_some(), "{failure}");
    }
}

#[test]
fn an_unreadable_release_json_is_an_error_and_a_newer_one_is_understood() {
    let checkout = TempCheckout::new();
    let dir = checkout.workspace.root.join("dist/el7");
    assert!(read_release(&dir).unwrap().is_none());
    for text in ["", "{}", "[]", "{\"version\": 1}"] {
        checkout.write("dist/el7/release.json", text);
        let failure = read_release(&dir).unwrap_err();
        assert!(failure.message.contains("release.json is not understood"), "{failure}");
    }
    let newer = r#"{"version":"9.0.0","signed_by":"01","development":false,"packages":[],"files":["a"],"more":{}}"#;
    checkout.write("dist/el7/release.json", newer);
    let release = read_release(&dir).unwrap().unwrap();
    assert_eq!(release.all_files(), ["a", RELEASE, SUMS, &sums_signature()]);
    fs_err::remove_file(dir.join("release.json")).unwrap();
    fs_err::create_dir(dir.join("release.json")).unwrap();
    assert_eq!(read_release(&dir).unwrap_err().class, Class::Output);
}

#[test]
fn a_repository_with_less_than_the_one_in_place_is_recognised() {
    let checkout = notes();
    checkout.data("more", "");
    let all = signed(&checkout);
    publish(&checkout, &all, URL).unwrap();
    let out = checkout.workspace.root.join("dist/el7");
    let destination = Destination::prepare(&out, &checkout.workspace).unwrap();
    let keys = keys();
    let of = |rpms| Publication {
        workspace: &checkout.workspace,
        destination: &destination,
        base_url: URL,
        keys: &keys,
        rpms,
        compiler: None,
        roots: Default::default(),
        unchecked: false,
    };
    assert!(of(&all).has_all_of_the_present().unwrap());
    assert!(!of(&all[..1]).has_all_of_the_present().unwrap());
    assert_eq!(of(&all).present_of(&["notes", "absent"]).unwrap(), ["notes"]);
}

#[test]
fn a_damaged_or_added_file_does_not_pass_verification() {
    let checkout = notes();
    publish(&checkout, &signed(&checkout), URL).unwrap();
    let dir = checkout.workspace.root.join("dist/el7");
    let problem = || {
        let verified = verify_repository(&dir, signer().certificate(), Expected::Published);
        verified.err().map(|failure| failure.last_lines.concat())
    };
    assert_eq!(problem(), None);
    checkout.write("dist/el7/added", "");
    assert!(problem().unwrap().contains("added: is not listed in SHA256SUMS"));
    fs_err::remove_file(dir.join("added")).unwrap();
    let repo_file = fs_err::read_to_string(dir.join(REPO_FILE)).unwrap();
    checkout.write("dist/el7/mesos-calico.repo", &repo_file.replace("gpgcheck=1", "gpgcheck=0"));
    assert!(problem().unwrap().contains("does not have the checksum"));
    fs_err::remove_file(dir.join(REPO_FILE)).unwrap();
    assert!(problem().unwrap().contains("mesos-calico.repo: is missing"));
}

#[test]
fn everything_below_a_folder_is_listed_by_name_and_links_are_not_followed() {
    let checkout = TempCheckout::new();
    for file in ["dir/b", "dir/sub/c", "dir/a"] {
        checkout.write(file, "");
    }
    let dir = checkout.workspace.root.join("dir");
    fs_err::os::unix::fs::symlink("sub", dir.join("link")).unwrap();
    assert_eq!(list::files_below(&dir).unwrap(), ["a", "b", "link", "sub/c"]);
    let all = list::entries_below(&dir, Class::Output).unwrap();
    let folders = all.iter().filter(|entry| entry.kind == list::FileType::Folder);
    assert_eq!(folders.map(|entry| entry.name.as_str()).collect::<Vec<_>>(), ["sub"]);
    assert_eq!(list::files_below(&dir.join("absent")).unwrap_err().class, Class::Output);
}
