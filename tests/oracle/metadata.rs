//! Repository metadata: createrepo_c over the same folder says the same of every package.

use std::{collections::BTreeMap, io::Read, path::Path, process::Command};

use el7rpm::repodata;
use flate2::read::GzDecoder;
use quick_xml::{Reader, events::Event};

use crate::{fixtures, support};

/// Every element of every package as `path attributes text`, sorted, by file and package.
type MetadataFacts = BTreeMap<String, Vec<String>>;

#[test]
fn createrepo_c_agrees() {
    if !support::have("createrepo_c", &["createrepo_c"]) {
        return;
    }
    let out = tempfile::tempdir().unwrap();
    let key = support::key("a");
    let signed = fixtures::varied().signed(out.path());
    repodata::write(out.path(), &signed, 0, &key).unwrap();
    let ours = facts(&out.path().join("repodata"));
    let theirs = tempfile::tempdir().unwrap();
    let mut createrepo = Command::new("createrepo_c");
    support::ok(createrepo.args(["--quiet", "--outputdir"]).arg(theirs.path()).arg(out.path()));
    let theirs = facts(&theirs.path().join("repodata"));
    for (what, list) in &theirs {
        assert_eq!(ours.get(what), Some(list), "{what}");
    }
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
    assert_eq!(ours.len(), 3 * signed.len());
}

#[test]
fn the_same_packages_give_the_same_bytes() {
    let bench = fixtures::varied();
    let key = support::key("a");
    let write = || {
        let out = tempfile::tempdir().unwrap();
        repodata::write(out.path(), &bench.signed(out.path()), 0, &key).unwrap();
        let mut files = BTreeMap::new();
        for entry in fs_err::read_dir(out.path().join("repodata")).unwrap() {
            let entry = entry.unwrap();
            files.insert(entry.file_name(), fs_err::read(entry.path()).unwrap());
        }
        files
    };
    assert_eq!(write(), write());
}

#[test]
fn verification_finds_what_was_changed() {
    use el7rpm::openpgp::Signer;
    let out = tempfile::tempdir().unwrap();
    let key = support::key("a");
    let signed = fixtures::varied().signed(out.path());
    repodata::write(out.path(), &signed, 0, &key).unwrap();
    let problems = || repodata::verify(out.path(), key.certificate()).unwrap().problems;
    assert_eq!(problems(), []);
    for entry in fs_err::read_dir(out.path().join("repodata")).unwrap() {
        let path = entry.unwrap().path();
        let whole = fs_err::read(&path).unwrap();
        let mut bytes = whole.clone();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs_err::write(&path, bytes).unwrap();
        assert_ne!(problems(), [], "{}", path.display());
        fs_err::write(&path, whole).unwrap();
    }
    fs_err::remove_file(signed[0].path()).unwrap();
    assert_eq!(problems()[0].message, "is listed but missing");
    let other = support::key("b").certificate().clone();
    let problems = repodata::verify(out.path(), &other).unwrap().problems;
    assert!(problems[0].message.contains("another key"), "{problems:?}");
}

fn facts(repodata: &Path) -> MetadataFacts {
    let mut facts = MetadataFacts::new();
    for entry in fs_err::read_dir(repodata).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let kinds = ["primary.xml.gz", "filelists.xml.gz", "other.xml.gz"];
        let Some(kind) = kinds.iter().find(|k| name.ends_with(*k)) else { continue };
        let mut xml = String::new();
        GzDecoder::new(fs_err::File::open(&path).unwrap()).read_to_string(&mut xml).unwrap();
        read(&xml, kind, &mut facts);
    }
    facts
}

fn read(xml: &str, kind: &str, facts: &mut MetadataFacts) {
    let mut reader = Reader::from_str(xml);
    let mut path: Vec<String> = Vec::new();
    let mut package = Vec::new();
    loop {
        match reader.read_event().unwrap() {
            Event::Start(e) => {
                path.push(element(&e));
                package.push(path.join("/"));
            }
            Event::Empty(e) => package.push(format!("{}/{}", path.join("/"), element(&e))),
            Event::Text(t) if !t.trim().is_empty() => {
                package.push(format!("{} = {}", path.join("/"), &*t))
            }
            Event::GeneralRef(r) => package.push(format!("{} & {}", path.join("/"), &*r)),
            Event::End(e) => {
                path.pop();
                if e.name().as_ref() == "package" {
                    let mut list = std::mem::take(&mut package);
                    list.sort();
                    let name =
                        list.iter().find(|l| l.contains("name = ") || l.contains("name=")).unwrap();
                    facts.insert(format!("{kind} {name}"), list);
                }
            }
            Event::Eof => break,
            _ => {}
        }
        if path.len() == 1 {
            package.clear();
        }
    }
}

/// An element with its attributes, in order of their names. The document's own, and the time at
/// which the file was laid down, are nobody's concern.
fn element(e: &quick_xml::events::BytesStart<'_>) -> String {
    let name = e.name().as_ref().to_owned();
    if ["metadata", "filelists", "otherdata"].contains(&name.as_str()) {
        return name;
    }
    let mut attributes: Vec<_> = e
        .attributes()
        .map(|a| a.unwrap())
        .filter(|a| !(name == "time" && a.key.as_ref() == "file"))
        .map(|a| format!("{}={}", a.key.as_ref(), a.value))
        .collect();
    attributes.sort();
    format!("{name}[{}]", attributes.join(" "))
}
