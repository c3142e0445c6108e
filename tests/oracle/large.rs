//! Sizes past 4 GiB: of a whole package, right; of a single file, refused, since rpm 4.11's archive
//! has no room for it. The files are sparse, so that the disk is not asked for them.

use std::process::Command;

use el7rpm::{
    package::{Prepared, WriteOptions},
    payload::{Compression, Format},
    stage::{Roots, StagedRoot},
};

use crate::{fixtures::PackageFolder, support};

const PACKAGE: &str = r#"
[package.large]
version = "1"
arch = "noarch"
summary = "Large"
license = "none"
assets = [{ source = "files/*", dest = "/opt/large/" }]
"#;

fn bench(sizes: &[u64]) -> PackageFolder {
    let bench = PackageFolder::new(PACKAGE);
    for (i, size) in sizes.iter().enumerate() {
        let name = format!("files/{i}");
        bench.write(&name, "");
        let file = fs_err::OpenOptions::new().write(true).open(bench.path(&name)).unwrap();
        file.set_len(*size).unwrap();
    }
    bench
}

#[test]
fn packages_past_4_gib_have_64_bit_sizes() {
    let bench = bench(&[2_200_000_000, 2_200_000_000]);
    let package = bench.packages().remove(0);
    let roots = Roots::of_folder(bench.dir.path());
    let root = StagedRoot::collect(&package, &roots).unwrap();
    let compression = Compression { format: Format::Gzip, level: 1, threads: 2 };
    let options = WriteOptions { compression, ..WriteOptions::default() };
    let path = bench.path("large.rpm");
    Prepared::new(&package, &root, &options).unwrap().write(&path).unwrap();
    let signature = rpm::PackageMetadata::open(&path).unwrap().signature;
    let archive =
        signature.get_entry_data_as_u64(rpm::IndexSignatureTag::RPMSIGTAG_LONGARCHIVESIZE);
    assert!(archive.unwrap() > 4_400_000_000);
    if support::have("packages past 4 GiB", &["rpm"]) {
        let format = "%{LONGSIZE} %{SIZE} [%{FILESIZES} ]";
        let sizes = support::ok(Command::new("rpm").args(["-qp", "--qf", format]).arg(&path));
        assert_eq!(sizes, "4400000000 (none) 2200000000 2200000000 ");
        support::ok(Command::new("rpm").arg("-K").arg(&path));
    }
}

#[test]
fn a_file_past_4_gib_is_refused() {
    let bench = bench(&[4_300_000_000]);
    let package = bench.packages().remove(0);
    let roots = Roots::of_folder(bench.dir.path());
    let error = StagedRoot::collect(&package, &roots).unwrap_err().to_string();
    assert!(error.contains("rpm 4.11 of CentOS 7 holds at most 4294967294 per file"), "{error}");
}
