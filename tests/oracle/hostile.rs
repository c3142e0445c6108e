//! What others wrote, damaged at random: reading it ends in an error or in a result, never in a
//! panic, and never in more memory than the file could ask for. The same ground as rpm/fuzz, for a
//! bounded number of tries on any compiler.

use std::{io::Read, panic::catch_unwind, path::Path};

use el7rpm::{
    abi::{AbiTable, Offered},
    deps, metadata,
    openpgp::Signer,
    payload::CpioReader,
    read::Rpm,
    repodata::IndexedRpm,
    spec::Spec,
    stage::{Entry, EntryKind, StagedRoot},
    unpack::Tree,
    verify::{self, Required},
};
use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

use crate::{fixtures, support};

/// Damage to a file: bytes set, a piece cut out, a piece doubled, the end cut off.
#[derive(Clone, Debug)]
enum Damage {
    Set(Vec<(prop::sample::Index, u8)>),
    Long(prop::sample::Index, u32),
    Cut(prop::sample::Index, prop::sample::Index),
    Double(prop::sample::Index, prop::sample::Index),
    End(prop::sample::Index),
}

fn damage() -> impl Strategy<Value = Vec<Damage>> {
    let index = any::<prop::sample::Index>;
    let extreme = prop_oneof![
        Just(0),
        Just(1),
        Just(0x7fff_ffff),
        Just(0x8000_0000),
        Just(u32::MAX),
        any::<u32>()
    ];
    let one = prop_oneof![
        3 => prop::collection::vec((index(), any::<u8>()), 1..8).prop_map(Damage::Set),
        4 => (index(), extreme).prop_map(|(at, value)| Damage::Long(at, value)),
        1 => (index(), index()).prop_map(|(a, b)| Damage::Cut(a, b)),
        1 => (index(), index()).prop_map(|(a, b)| Damage::Double(a, b)),
        1 => index().prop_map(Damage::End),
    ];
    prop::collection::vec(one, 1..4)
}

fn damaged(whole: &[u8], damages: &[Damage]) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    for damage in damages {
        let size = bytes.len().max(1);
        let range = |a: &prop::sample::Index, b: &prop::sample::Index| {
            let (a, b) = (a.index(size), b.index(size));
            a.min(b)..a.max(b)
        };
        if bytes.is_empty() {
            break;
        }
        match damage {
            Damage::Set(set) => set.iter().for_each(|(at, value)| bytes[at.index(size)] = *value),
            Damage::Long(at, value) => {
                // Aligned: that is where headers have their numbers.
                let at = at.index(size) / 4 * 4;
                if let Some(place) = bytes.get_mut(at..at + 4) {
                    place.copy_from_slice(&value.to_be_bytes());
                }
            }
            Damage::Cut(a, b) => drop(bytes.drain(range(a, b))),
            Damage::Double(a, b) => {
                let range = range(a, b);
                let piece = bytes[range.clone()].to_vec();
                bytes.splice(range.start..range.start, piece);
            }
            Damage::End(at) => bytes.truncate(at.index(size)),
        }
    }
    bytes
}

/// The same tries each time, so that a failure can be looked into.
fn tries(cases: u32, mut judge: impl FnMut(Vec<Damage>)) {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, rng);
    let judge = std::cell::RefCell::new(&mut judge);
    runner
        .run(&damage(), |damages| {
            (*judge.borrow_mut())(damages);
            Ok(())
        })
        .unwrap();
}

#[test]
fn damaged_packages_never_verify_or_panic() {
    let out = tempfile::tempdir().unwrap();
    let key = support::key("a");
    for signed in fixtures::varied().signed(out.path()) {
        let whole = fs_err::read(signed.path()).unwrap();
        // Most of the file is payload, where nothing is parsed: damage the headers.
        let front = Rpm::open(signed.path()).unwrap().payload_offset() as usize;
        let path = out.path().join("damaged.rpm");
        tries(1500, |damages| {
            let mut bytes = damaged(&whole[..front], &damages);
            bytes.extend(&whole[front..]);
            fs_err::write(&path, &bytes).unwrap();
            let is_good =
                verify::verify(&path, key.certificate(), Required::All).is_ok_and(|r| r.is_good());
            let touched = bytes[bytes.len().min(96)..] != whole[96..];
            assert!(!(is_good && touched && bytes.len() != whole.len()), "{damages:?}");
            let _ = IndexedRpm::read(&path);
        });
    }
}

#[test]
fn damaged_packages_are_unpacked_into_their_folder_or_not_at_all() {
    let out = tempfile::tempdir().unwrap();
    let unpack = |path: &Path, into: &Path| -> el7rpm::Result<()> {
        let mut tree = Tree::create(into)?;
        tree.add(&Rpm::open(path)?)?;
        tree.finish().map(|_| ())
    };
    for signed in fixtures::varied().signed(out.path()) {
        let whole = fs_err::read(signed.path()).unwrap();
        let front = Rpm::open(signed.path()).unwrap().payload_offset() as usize;
        unpack(signed.path(), &out.path().join("whole")).unwrap();
        fs_err::remove_dir_all(out.path().join("whole")).unwrap();
        let mut is_header = false;
        tries(150, |damages| {
            // Half of the tries damage the payload.
            is_header = !is_header;
            let bytes = match is_header {
                true => [&damaged(&whole[..front], &damages), &whole[front..]].concat(),
                false => [&whole[..front], &damaged(&whole[front..], &damages)].concat(),
            };
            let scratch = tempfile::tempdir().unwrap();
            let path = scratch.path().join("damaged.rpm");
            fs_err::write(&path, &bytes).unwrap();
            let _ = unpack(&path, &scratch.path().join("root"));
            let names = fs_err::read_dir(scratch.path()).unwrap();
            let other = |name: &std::ffi::OsStr| name != "root" && name != "damaged.rpm";
            assert!(!names.map(|e| e.unwrap().file_name()).any(|n| other(&n)), "{damages:?}");
        });
    }
}

#[test]
fn damaged_metadata_causes_no_panic() {
    let out = tempfile::tempdir().unwrap();
    let signed = fixtures::varied().signed(out.path());
    el7rpm::repodata::write(out.path(), &signed, 0, &support::key("a")).unwrap();
    let repomd = fs_err::read(out.path().join("repodata/repomd.xml")).unwrap();
    let files = metadata::read_repomd(&repomd[..]).unwrap();
    let document = |kind: &str| {
        let file = files.iter().find(|file| file.kind == kind).unwrap();
        let content = fs_err::read(out.path().join(&file.path)).unwrap();
        let mut document = Vec::new();
        file.decompressed(&content[..]).unwrap().read_to_end(&mut document).unwrap();
        document
    };
    let (primary, filelists) = (document("primary"), document("filelists"));
    let offers = metadata::read_primary(&primary[..], 0, &["noarch", "x86_64"]).unwrap();
    assert_eq!(offers.len(), signed.len());
    let wanted = std::collections::HashSet::from(["/etc".into()]);
    tries(1500, |damages| {
        let _ = metadata::read_repomd(&damaged(&repomd, &damages)[..]);
        let _ = metadata::read_primary(&damaged(&primary, &damages)[..], 0, &["noarch"]);
        let _ = metadata::find_in_filelists(&damaged(&filelists, &damages)[..], &wanted);
    });
}

#[test]
fn headers_with_too_large_lengths_are_refused() {
    let out = tempfile::tempdir().unwrap();
    let signed = fixtures::varied().signed(out.path()).remove(0);
    let whole = fs_err::read(signed.path()).unwrap();
    let start = Rpm::open(signed.path()).unwrap().header_range().start;
    for (at, value) in [
        (start + 8, u32::MAX),
        (start + 8, 0xffff),
        (start + 12, u32::MAX),
        (start + 12, 0x07ff_ffff),
    ] {
        let mut bytes = whole.clone();
        bytes[at..at + 4].copy_from_slice(&value.to_be_bytes());
        let said = Rpm::read(&bytes[..], "x".as_ref()).err().unwrap().to_string();
        assert!(said.contains("rpm 4.11.3 reads at most") || said.contains("truncated"), "{said}");
    }
    let said = |bytes: &[u8]| Rpm::read(bytes, "x".as_ref()).err().unwrap().to_string();
    assert_eq!(said(b"PK\x03\x04"), "x: is truncated: the file ends inside its headers");
    assert_eq!(said(&[0; 200]), "x: is not an RPM: the magic number is missing");
}

/// Many entries over the same bytes would each be looked through: a small file, hours of work.
#[test]
fn entries_that_share_their_data_are_refused() {
    let out = tempfile::tempdir().unwrap();
    let signed = fixtures::varied().signed(out.path()).remove(0);
    let mut bytes = fs_err::read(signed.path()).unwrap();
    let index = Rpm::open(signed.path()).unwrap().header_range().start + 16;
    // The third entry gets the place of the second's data.
    let (second, third) = (index + 16 + 8, index + 2 * 16 + 8);
    bytes.copy_within(second..second + 4, third);
    let said = Rpm::read(&bytes[..], "x".as_ref()).err().unwrap().to_string();
    assert!(said.contains("overlaps the one before"), "{said}");
}

#[test]
fn damaged_descriptions_cause_no_panic() {
    let text = fs_err::read(fixtures::varied().path("package.toml")).unwrap();
    tries(1500, |damages| {
        let bytes = damaged(&text, &damages);
        let text = String::from_utf8_lossy(&bytes);
        let parsed = catch_unwind(|| {
            Spec::parse(&text, "/none/package.toml".as_ref(), "/none".as_ref()).map(|_| ())
        });
        assert!(parsed.is_ok(), "{text}");
    });
}

#[test]
fn damaged_cpio_archives_cause_no_panic() {
    let archive = include_bytes!("../../rpm/fuzz/seeds/cpio/firewalld.cpio");
    tries(3000, |damages| {
        let bytes = damaged(archive, &damages);
        let mut reader = CpioReader::new(&bytes[..]);
        let mut read = 0;
        while let Ok(Some(_)) = reader.next_member() {
            let mut content = Vec::new();
            let _ = reader.read_to_end(&mut content);
            read += content.len();
        }
        assert!(read <= bytes.len());
    });
}

#[test]
fn damaged_elf_files_cause_no_panic() {
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("elf");
    let package = "[package.p]\nversion = \"1\"\narch = \"x86_64\"\nsummary = \"s\"\nlicense = \"l\"\nassets = []";
    let package = fixtures::PackageFolder::new(package).packages().remove(0);
    let table = AbiTable::el7().unwrap();
    let mut elf = include_bytes!("../../rpm/fuzz/seeds/elf/library").to_vec();
    for whole in [elf.clone(), {
        elf.truncate(2048);
        elf
    }] {
        tries(1500, |damages| {
            fs_err::write(&path, damaged(&whole, &damages)).unwrap();
            let size = fs_err::metadata(&path).unwrap().len();
            let kind = EntryKind::File { source: path.clone(), size, inode: None };
            let entry = Entry::new("/usr/lib64/libx.so", kind, 0o755);
            let root = StagedRoot::of(&package, vec![entry]).unwrap();
            let facts = deps::discover(&package, &root).unwrap();
            table.check(&package, &root, &facts, &Offered::default()).unwrap();
        });
    }
}
