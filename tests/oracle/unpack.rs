//! Packages that el7rpm unpacks, compared with what rpm2cpio and cpio, and rpm itself, make of them; and hostile packages.

use std::{
    collections::BTreeMap,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use el7rpm::{
    read::Rpm,
    unpack::{Tree, TreeSummary, in_order},
};
use rpm::{Header, HeaderEntry, IndexData, IndexTag, PackageMetadata};

use crate::{fixtures, support, support::el7};

/// An entry of a tree. Permissions are those that a tree of an ordinary user keeps; of folders and links the time, and of
/// links the permissions are 0.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    kind: char,
    mode: u32,
    time: i64,
    /// The content of a file, or the target of a link.
    content: Vec<u8>,
}

type Entries = BTreeMap<String, Entry>;

/// The entries of a tree but devices, pipes and sockets.
fn entries(root: &Path) -> Entries {
    let mut found = BTreeMap::new();
    for entry in walkdir::WalkDir::new(root).min_depth(1) {
        let entry = entry.unwrap();
        let path = entry.path().strip_prefix(root).unwrap().display().to_string();
        let metadata = entry.metadata().unwrap();
        let mode = metadata.mode() & 0o1777;
        let (kind, mode, time, content) = match metadata.file_type() {
            kind if kind.is_dir() => ('d', mode | 0o700, 0, Vec::new()),
            kind if kind.is_symlink() => {
                let target = fs_err::read_link(entry.path()).unwrap();
                ('l', 0, 0, target.into_os_string().into_encoded_bytes())
            }
            kind if kind.is_file() => {
                ('f', mode | 0o400, metadata.mtime(), fs_err::read(entry.path()).unwrap())
            }
            _ => continue,
        };
        found.insert(path, Entry { kind, mode, time, content });
    }
    found
}

/// What cpio makes of the packages, one after the other.
fn by_cpio(packages: &[&Path]) -> Entries {
    let root = tempfile::tempdir_in(support::scratch_root()).unwrap();
    for package in packages {
        let mut unpacked =
            Command::new("rpm2cpio").arg(package).stdout(Stdio::piped()).spawn().unwrap();
        let archive = unpacked.stdout.take().unwrap();
        let cpio = ["-idmu", "--quiet", "--no-absolute-filenames"];
        support::ok(Command::new("cpio").args(cpio).current_dir(root.path()).stdin(archive));
        assert!(unpacked.wait().unwrap().success());
    }
    entries(root.path())
}

/// What rpm makes of the packages in a root of their own, or `None` for an ordinary user, who may not change the root.
fn by_rpm(test: &str, packages: &[&Path]) -> Option<Entries> {
    if !support::have_as_root(test, &["rpm"]) {
        return None;
    }
    let root = tempfile::tempdir_in(support::scratch_root()).unwrap();
    let mut rpm = Command::new("rpm");
    rpm.arg("--root").arg(root.path()).args(["--dbpath", "/database-of-rpm", "-i"]);
    rpm.args(["--nodeps", "--noscripts", "--notriggers", "--nosignature", "--noorder"]);
    support::ok(rpm.args(packages));
    fs_err::remove_dir_all(root.path().join("database-of-rpm")).unwrap();
    Some(entries(root.path()))
}

fn unpack(packages: &[&Path], into: &Path) -> el7rpm::Result<TreeSummary> {
    let mut tree = Tree::create(into)?;
    for package in packages {
        tree.add(&Rpm::open(package)?)?;
    }
    tree.finish()
}

/// Paths at which two trees differ.
fn differences(a: &Entries, b: &Entries) -> Vec<String> {
    let show = |entry: Option<&Entry>| {
        entry.map(|e| format!("{} {:o} {} {}", e.kind, e.mode, e.time, e.content.len()))
    };
    let paths: std::collections::BTreeSet<_> = a.keys().chain(b.keys()).collect();
    let differ = paths.into_iter().filter(|path| a.get(*path) != b.get(*path));
    differ.map(|path| format!("{path}: {:?}, {:?}", show(a.get(path)), show(b.get(path)))).collect()
}

fn assert_same(what: &str, ours: &Entries, theirs: &Entries) {
    let differences = differences(ours, theirs);
    assert!(differences.is_empty(), "{what}:\n{}", differences.join("\n"));
}

#[test]
fn genuine_packages_make_the_tree_that_cpio_makes() {
    let Some(folder) = el7::packages("genuine packages, unpacked") else { return };
    if !support::have("genuine packages, unpacked", &["rpm2cpio", "cpio"]) {
        return;
    }
    let all: Vec<PathBuf> = fs_err::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "rpm"))
        .collect();
    let ordered = in_order(&all).unwrap();
    let roots = [(); 2].map(|()| tempfile::tempdir_in(support::scratch_root()).unwrap());
    let summaries = roots.each_ref().map(|root| unpack(&ordered, root.path()).unwrap());
    assert_eq!(summaries[0], summaries[1]);
    let ours = entries(roots[0].path());
    assert_same("cpio", &ours, &by_cpio(&ordered));
    if let Some(theirs) = by_rpm("genuine packages, installed", &ordered) {
        assert_same("rpm", &ours, &theirs);
    }
}

const SPEC: &str = r#"
Name: made
Version: 1
Release: 1
Summary: Made
License: none
BuildArch: noarch
%description
Made
%install
mkdir -p %{buildroot}/opt/made/empty %{buildroot}/var/log
cd %{buildroot}/opt/made
seq 1 100000 > numbers
echo one > one; ln one two; ln one sub-three
: > nothing; ln nothing void
ln -s numbers link; ln -s /nowhere/at/all dangling
printf '#!/bin/sh\n' > tool
echo ghost > %{buildroot}/var/log/made.log
%files
%dir %attr(0750,root,root) /opt/made
%dir %attr(1777,root,root) /opt/made/empty
/opt/made/numbers
/opt/made/one
/opt/made/two
/opt/made/sub-three
/opt/made/nothing
/opt/made/void
/opt/made/link
/opt/made/dangling
%attr(4711,root,root) /opt/made/tool
%ghost /var/log/made.log
"#;

/// A package as this machine's rpmbuild writes it, with this payload and these digests of files.
fn built(folder: &Path, payload: &str, digest: u32) -> PathBuf {
    fs_err::write(folder.join("made.spec"), SPEC).unwrap();
    let out = folder.join(payload.replace('.', "-"));
    let mut build = Command::new("rpmbuild");
    build.args(["-bb", "--quiet", "--define", &format!("_topdir {}", folder.display())]);
    build.args(["--define", &format!("_binary_payload {payload}")]);
    build.args(["--define", &format!("_binary_filedigest_algorithm {digest}")]);
    build.args(["--define", &format!("_rpmdir {}", out.display())]);
    support::ok(build.arg(folder.join("made.spec")));
    out.join("noarch/made-1-1.noarch.rpm")
}

#[test]
fn every_compressor_and_digest_of_rpmbuild_is_read() {
    if !support::have("payloads of rpmbuild", &["rpmbuild", "rpm2cpio", "cpio"]) {
        return;
    }
    let folder = tempfile::tempdir_in(support::scratch_root()).unwrap();
    for (payload, digest) in [
        ("w9.gzdio", 1),
        ("w9.bzdio", 2),
        ("w2.xzdio", 8),
        ("w2.lzdio", 10),
        ("w3.zstdio", 8),
        ("w.ufdio", 8),
    ] {
        let package = built(folder.path(), payload, digest);
        let root = tempfile::tempdir_in(support::scratch_root()).unwrap();
        let summary = unpack(&[&package], root.path());
        let summary = summary.unwrap_or_else(|e| panic!("{payload}: {e}"));
        assert_eq!((summary.files, summary.set_id, summary.special), (7, 1, 0), "{payload}");
        let ours = entries(root.path());
        assert_same(payload, &ours, &by_cpio(&[&package]));
        if let Some(theirs) = by_rpm("payloads of rpmbuild, installed", &[&package]) {
            assert_same(payload, &ours, &theirs);
        }
        assert!(!ours.contains_key("var"), "{payload}: a ghost");
        let inode = |name: &str| fs_err::metadata(root.path().join(name)).unwrap().ino();
        assert_eq!(inode("opt/made/one"), inode("opt/made/sub-three"), "{payload}");
        assert_eq!(inode("opt/made/nothing"), inode("opt/made/void"), "{payload}");
        // Half a payload is an error.
        let bytes = fs_err::read(&package).unwrap();
        let rpm = Rpm::open(&package).unwrap();
        let middle = (rpm.payload_offset() as usize + bytes.len()) / 2;
        fs_err::write(&package, &bytes[..middle]).unwrap();
        let root = tempfile::tempdir_in(support::scratch_root()).unwrap();
        let error = unpack(&[&package], root.path()).unwrap_err().to_string();
        assert!(error.starts_with("the payload of made-1-1.noarch "), "{payload}: {error}");
    }
}

/// Changes tags of a package's header. The digest of the header is wrong then; unpacking does not check it.
fn changed(package: &Path, to: &Path, change: impl Fn(u32, IndexData) -> IndexData) -> PathBuf {
    let rpm = Rpm::open(package).unwrap();
    let metadata = PackageMetadata::open(package).unwrap();
    let entries = metadata.header.get_all_entries().unwrap().into_iter();
    let entries = entries
        .filter(|(tag, _)| *tag != IndexTag::RPMTAG_HEADERIMMUTABLE as u32)
        .map(|(tag, data)| HeaderEntry::new(tag, change(tag, data)));
    let header = Header::from_entries(entries, IndexTag::RPMTAG_HEADERIMMUTABLE);
    let mut bytes = Vec::new();
    PackageMetadata { header, ..metadata }.write(&mut bytes).unwrap();
    bytes.extend(&fs_err::read(package).unwrap()[rpm.payload_offset() as usize..]);
    fs_err::write(to, bytes).unwrap();
    to.to_owned()
}

/// A package with these assets, in a folder of its own below `dir`.
fn package(dir: &Path, name: &str, assets: &str) -> PathBuf {
    let dir = tempfile::tempdir_in(dir).unwrap().keep();
    let bench = fixtures::PackageFolder::new(&format!(
        "[common]\nversion = '1'\nrelease = '1'\nlicense = 'x'\n\
         [package.{name}]\narch = 'noarch'\nsummary = 'x'\nassets = [{assets}]\n"
    ));
    bench.write("one", "one\n");
    fs_err::hard_link(bench.path("one"), bench.path("two")).unwrap();
    bench.write("other", "other\n");
    bench.signed(&dir).remove(0).path().to_owned()
}

#[test]
fn headers_with_hostile_lists_of_files_are_refused() {
    let dir = tempfile::tempdir_in(support::scratch_root()).unwrap();
    let good = package(dir.path(), "good", "{ source = 'one', dest = '/opt/good/one' }");
    let refused = |package: &Path| {
        let root = tempfile::tempdir_in(support::scratch_root()).unwrap();
        let error = unpack(&[package], root.path()).unwrap_err().to_string();
        (error, fs_err::read_dir(root.path()).unwrap().count())
    };
    let with = |wanted: IndexTag, data: IndexData| {
        changed(&good, &dir.path().join("bad.rpm"), move |tag, kept| {
            if tag == wanted as u32 { data.clone() } else { kept }
        })
    };
    let text = |text: &str| IndexData::StringArray(vec![text.to_owned()]);
    for folder in ["/opt/../../", "opt/", "/opt//x/", "/./"] {
        let (error, written) = refused(&with(IndexTag::RPMTAG_DIRNAMES, text(folder)));
        assert!(error.contains("lists the path") && written == 0, "{folder}: {error}");
    }
    for (tag, data, expected) in [
        (IndexTag::RPMTAG_BASENAMES, text(".."), "is not plain"),
        (
            IndexTag::RPMTAG_BASENAMES,
            text("two"),
            "holds /opt/good/one, which its header does not list",
        ),
        (IndexTag::RPMTAG_FILEDIGESTS, text(&"0".repeat(64)), "digest"),
        (IndexTag::RPMTAG_FILESIZES, IndexData::Int32(vec![5]), "holds 4 bytes"),
        (IndexTag::RPMTAG_FILESIZES, IndexData::Int32(vec![4, 4]), "different lengths"),
        (IndexTag::RPMTAG_FILEMODES, IndexData::Int16(vec![0o100_644, 0o100_644]), "lengths"),
        (IndexTag::RPMTAG_DIRINDEXES, IndexData::Int32(vec![7]), "does not list"),
    ] {
        let (error, _) = refused(&with(tag, data));
        assert!(error.contains(expected), "{expected}: {error}");
    }
    // A device is left out, and its content in the payload with it.
    let device = with(IndexTag::RPMTAG_FILEMODES, IndexData::Int16(vec![0o020_666]));
    let root = tempfile::tempdir_in(support::scratch_root()).unwrap();
    let summary = unpack(&[&device], root.path()).unwrap();
    assert_eq!((summary.special, fs_err::read_dir(root.path()).unwrap().count()), (1, 0));
}

/// The header lists two hard links with different digests. The payload has one content for both.
#[test]
fn hard_links_have_one_content() {
    let dir = tempfile::tempdir_in(support::scratch_root()).unwrap();
    let two = "{ source = 'one', dest = '/opt/a' }, { source = 'two', dest = '/opt/b' }";
    let good = package(dir.path(), "good", two);
    assert_eq!(unpack(&[&good], &dir.path().join("good")).unwrap().files, 2);
    let digests: Vec<_> =
        Rpm::open(&good).unwrap().file_digests().iter().map(|d| d.to_string()).collect();
    let bad = changed(&good, &dir.path().join("bad.rpm"), |tag, data| {
        match tag == IndexTag::RPMTAG_FILEDIGESTS as u32 {
            true => IndexData::StringArray(vec!["0".repeat(64), digests[1].clone()]),
            false => data,
        }
    });
    let error = unpack(&[&bad], &dir.path().join("bad")).unwrap_err().to_string();
    assert!(error.contains("different digests"), "{error}");
}

#[test]
fn packages_may_share_equal_files_but_not_different_ones() {
    let dir = tempfile::tempdir_in(support::scratch_root()).unwrap();
    let one = "{ source = 'one', dest = '/opt/x/file' }";
    let a = package(dir.path(), "a", one);
    let same = package(dir.path(), "same", one);
    let content = package(dir.path(), "content", "{ source = 'other', dest = '/opt/x/file' }");
    let mode =
        package(dir.path(), "mode", "{ source = 'one', dest = '/opt/x/file', mode = '600' }");
    let link = package(dir.path(), "linked", "{ dest = '/opt/x/file', link = 'z' }");
    let folder = package(dir.path(), "folder", "{ dest = '/opt/x/file', dir = true }");
    let below = package(dir.path(), "below", "{ source = 'one', dest = '/opt/x/file/below' }");
    let digest = |packages: &[&Path]| {
        let root = tempfile::tempdir_in(support::scratch_root()).unwrap();
        unpack(packages, root.path()).map(|summary| summary.digest).map_err(|e| e.to_string())
    };
    assert_eq!(digest(&[&a, &same]).unwrap(), digest(&[&same, &a]).unwrap());
    for other in [&content, &mode, &link, &folder] {
        let error = digest(&[&a, other]).unwrap_err();
        assert!(error.contains("/opt/x/file of") && error.contains("of a-1-1.noarch"), "{error}");
    }
    let error = digest(&[&a, &below]).unwrap_err();
    assert!(error.contains("below-1-1.noarch has files in /opt/x/file"), "{error}");
}

/// A link of one package cannot lead another one's files out of the root.
#[test]
fn links_are_followed_inside_the_root_only() {
    let dir = tempfile::tempdir_in(support::scratch_root()).unwrap();
    let outside = dir.path().join("outside");
    fs_err::create_dir(&outside).unwrap();
    let link = |target: &str| {
        package(dir.path(), "aim", &format!("{{ dest = '/opt/way', link = '{target}' }}"))
    };
    let through = package(dir.path(), "through", "{ source = 'one', dest = '/opt/way/in/file' }");
    let base = package(dir.path(), "base", "{ source = 'one', dest = '/srv/in/one' }");
    let root = dir.path().join("root");
    let unpack = |packages: &[&Path]| {
        let _ = fs_err::remove_dir_all(&root);
        unpack(packages, &root).map_err(|e| e.to_string())
    };
    unpack(&[&base, &link("../srv"), &through]).unwrap();
    assert!(root.join("srv/in/file").exists());
    unpack(&[&base, &link("../../../../../srv"), &through]).unwrap();
    assert!(root.join("srv/in/file").exists());
    for target in [outside.to_str().unwrap(), "../../outside", "/nowhere"] {
        let error = unpack(&[&link(target), &through]).unwrap_err();
        assert!(error.contains("/opt/way"), "{error}");
    }
    assert_eq!(fs_err::read_dir(&outside).unwrap().count(), 0);
}

/// 150 MB of zeros in a package of some kilobytes.
#[test]
fn a_payload_that_is_far_too_large_for_its_package_is_refused() {
    let dir = tempfile::tempdir_in(support::scratch_root()).unwrap();
    let bench = fixtures::PackageFolder::new(
        "[common]\nversion = '1'\nrelease = '1'\nlicense = 'x'\n\
         [package.bomb]\narch = 'noarch'\nsummary = 'x'\n\
         assets = [{ source = 'zeros', dest = '/opt/zeros' }]\n",
    );
    bench.write("zeros", "");
    let zeros = fs_err::OpenOptions::new().write(true).open(bench.path("zeros")).unwrap();
    zeros.set_len(150 << 20).unwrap();
    let bomb = bench.signed(dir.path()).remove(0).path().to_owned();
    let error = unpack(&[&bomb], &dir.path().join("root")).unwrap_err().to_string();
    assert!(error.contains("far too much content for its size"), "{error}");
}
