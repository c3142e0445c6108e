//! Limits of rpm 4.11.3: the writer keeps within them and says what to do, the reader refuses what is beyond,
//! and CentOS 7's documentation here says the same numbers.

use std::io::Read;

use el7rpm::{
    limits,
    openpgp::{Certificate, SecretKey, Signer},
    package::{Prepared, WriteOptions},
    read::Rpm,
    signature,
    stage::{Entry, EntryKind, StagedRoot},
};

use crate::{fixtures::PackageFolder, support};

const PACKAGE: &str = r#"
[package.large]
version = "1"
arch = "noarch"
summary = "Large"
license = "none"
assets = [{ source = "a", dest = "/opt/a" }]
"#;

fn bench() -> PackageFolder {
    let bench = PackageFolder::new(PACKAGE);
    bench.write("a", "a\n");
    bench
}

/// Writes the package with so long a description, more than a package.toml can hold, and `files` names of one
/// file.
fn write(
    bench: &PackageFolder,
    description: usize,
    files: usize,
) -> el7rpm::Result<el7rpm::package::UnsignedRpm> {
    let mut package = bench.packages().remove(0);
    package.description = "long text ".repeat(description / 10);
    let entry = |i| Entry::new(format!("/opt/large/folder/file-{i:07}"), EntryKind::Ghost, 0o644);
    let entries = (0..files).map(entry).collect();
    let root = StagedRoot::of(&package, entries)?;
    let options = WriteOptions::default();
    Prepared::new(&package, &root, &options)?.write(&bench.path("large.unsigned"))
}

#[test]
fn a_header_beyond_16_mib_is_not_written() {
    for (description, files, part) in
        [(20_000_000, 1, "description: 20"), (10, 300_000, "list of files: ")]
    {
        let bench = bench();
        let error = write(&bench, description, files).unwrap_err();
        let said = error.to_string();
        assert!(said.contains("rpm 4.11.3 reads at most 16777215"), "{said}");
        assert!(said.contains(&format!("({part}")), "{said}");
        assert!(error.help().unwrap().contains("divide the"), "{error:?}");
        assert!(!bench.path("large.unsigned").exists(), "nothing is written before the check");
    }
    write(&bench(), 16_000_000, 1).unwrap();
}

/// Signs with packets of any size.
struct Large(SecretKey, usize);

impl Signer for Large {
    fn certificate(&self) -> &Certificate {
        self.0.certificate()
    }

    fn sign(&self, _data: &mut dyn Read, _time: u32) -> el7rpm::Result<Vec<u8>> {
        Ok(vec![0; self.1])
    }
}

#[test]
fn a_signature_header_beyond_8_kib_is_not_written() {
    let bench = bench();
    let unsigned = write(&bench, 10, 1).unwrap();
    let sign =
        |size| signature::sign(&unsigned, &Large(support::key("a"), size), &bench.path("x.rpm"));
    let error = sign(4096).unwrap_err();
    assert!(error.to_string().contains("rpm 4.11.3 reads at most 8192"), "{error}");
    assert!(error.help().unwrap().contains("4096 bits"));
    assert!(!bench.path("x.rpm").exists());
    sign(2048).unwrap();
}

/// A header with so many tags, each a number, and so much data besides.
fn header(region: u32, tags: u32, data: usize) -> Vec<u8> {
    let mut index = Vec::new();
    let mut store = Vec::new();
    let mut entry = |tag: u32, kind: u32, offset: u32, count: u32| {
        index.extend([tag, kind, offset, count].iter().flat_map(|n| n.to_be_bytes()));
    };
    let trailer = 4 * (tags - 2) + data as u32;
    entry(region, 7, trailer, 16);
    for i in 0..tags - 2 {
        entry(2000 + i, 4, 4 * i, 1);
        store.extend([0; 4]);
    }
    entry(1_000_000, 7, store.len() as u32, data as u32);
    store.resize(store.len() + data, 1);
    let back = (16 * tags).wrapping_neg();
    store.extend([region, 7, back, 16].iter().flat_map(|n| n.to_be_bytes()));
    let mut bytes = vec![0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0];
    bytes.extend(tags.to_be_bytes());
    bytes.extend((store.len() as u32).to_be_bytes());
    bytes.extend(index);
    bytes.extend(store);
    bytes
}

fn package(signature: &[u8], main: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; limits::LEAD];
    bytes[..5].copy_from_slice(&[0xed, 0xab, 0xee, 0xdb, 3]);
    bytes[79] = 5;
    bytes.extend(signature);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes.extend(main);
    bytes
}

#[test]
fn headers_are_read_up_to_the_limits_and_no_further() {
    let (small, main) = (header(62, 3, 100), header(63, 3, 100));
    let read = |signature: &[u8], main: &[u8]| {
        Rpm::read(&package(signature, main)[..], "x".as_ref())
            .map(|_| ())
            .map_err(|e| e.to_string())
    };
    // The trailer and the number before it belong to the data.
    let most = |limit: u32| limit as usize - 16 - 4;
    read(&header(62, 3, most(8192)), &main).unwrap();
    assert_eq!(
        read(&header(62, 3, most(8193)), &main).unwrap_err(),
        "x: the signature header has 8193 bytes of data; rpm 4.11.3 reads at most 8192"
    );
    read(&header(62, 32, 1), &main).unwrap();
    assert_eq!(
        read(&header(62, 33, 1), &main).unwrap_err(),
        "x: the signature header has 33 tags; rpm 4.11.3 reads at most 32"
    );
    read(&small, &header(63, 3, most(0x00ff_ffff))).unwrap();
    assert_eq!(
        read(&small, &header(63, 3, most(0x0100_0000))).unwrap_err(),
        "x: the header has 16777216 bytes of data; rpm 4.11.3 reads at most 16777215"
    );
    read(&small, &header(63, 0xffff, 1)).unwrap();
    assert_eq!(
        read(&small, &header(63, 0x1_0000, 1)).unwrap_err(),
        "x: the header has 65536 tags; rpm 4.11.3 reads at most 65535"
    );
}

/// What people read and what the code applies.
#[test]
fn the_documentation_states_these_limits() {
    let text = include_str!("../../docs/facts/el7.md");
    let numbers = [
        limits::SIGNATURE.entries.into(),
        limits::SIGNATURE.data.into(),
        limits::HEADER.entries.into(),
        limits::HEADER.data.into(),
        limits::ARRAY.into(),
        limits::FILE,
        limits::NAME as u64,
        limits::PATH as u64,
        (limits::NAME - limits::NAME_SUFFIX) as u64,
        limits::XZ_MEMORY >> 20,
    ];
    for number in numbers {
        assert!(text.contains(&format!("| {number} ")), "{number}");
    }
    for name in limits::FEATURES.iter().chain(limits::COMPRESSORS) {
        assert!(text.contains(name), "{name}");
    }
}
