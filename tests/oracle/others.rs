//! Packages that others wrote: CentOS 7's own, newer ones, and signatures of the third version of OpenPGP.

use std::{io::Read, process::Command};

use el7rpm::{
    openpgp::{Certificate, Signer},
    read::Rpm,
    repodata::IndexedRpm,
    verify::{self, Check, CheckOutcome, Required},
};
use rpm::{Header, HeaderEntry, IndexData, IndexSignatureTag as SigTag, IndexTag, PackageMetadata};

use crate::{fixtures, keys::Gpg, support, support::el7};

/// CentOS 7's own packages hold with CentOS' key: folders lie beside the packages as in the mirror, or the key
/// is part of centos-release.
#[test]
fn genuine_packages_of_centos_7_verify() {
    let Some(folder) = el7::packages("genuine packages") else { return };
    if !support::have("genuine packages", &["sh", "rpm2cpio", "cpio"]) {
        return;
    }
    let script =
        "rpm2cpio \"$1\" | cpio -i --quiet --to-stdout ./etc/pki/rpm-gpg/RPM-GPG-KEY-CentOS-7";
    let release = el7::package(&folder, "centos-release");
    let key = support::ok(Command::new("sh").args(["-c", script, "sh"]).arg(release));
    let certificate = Certificate::from_armored(&key).unwrap();
    for name in ["zlib", "popt", "basesystem", "centos-release", "setup"] {
        let path = el7::package(&folder, name);
        let report = verify::verify(&path, &certificate, Required::AsWritten).unwrap();
        assert_eq!(report.faults(), [""; 0], "{name}");
        assert!(report.passed().any(|check| check == Check::PackageSignature), "{name}");
        let not_made: Vec<_> = report.not_made().collect();
        assert_eq!(not_made, [Check::HeaderSha256, Check::PayloadSha256], "{name}");
        let report = verify::verify(&path, &certificate, Required::All).unwrap();
        assert!(report.failures().any(|(check, _)| *check == Check::HeaderSha256), "{name}");
    }
}

/// Changes a signed package's signature header.
fn resigned(rpm: &Rpm, change: impl Fn(u32, IndexData) -> Option<IndexData>, to: &std::path::Path) {
    let metadata = PackageMetadata::open(rpm.path()).unwrap();
    let kept = metadata.signature.get_all_entries().unwrap().into_iter();
    let entries = kept
        .filter(|(tag, _)| *tag != SigTag::HEADER_SIGNATURES as u32)
        .filter_map(|(tag, data)| Some(HeaderEntry::new(tag, change(tag, data)?)));
    let mut bytes = Vec::new();
    PackageMetadata {
        signature: Header::from_entries(entries, SigTag::HEADER_SIGNATURES),
        ..metadata
    }
    .write(&mut bytes)
    .unwrap();
    bytes.extend(&fs_err::read(rpm.path()).unwrap()[rpm.payload_offset() as usize..]);
    fs_err::write(to, bytes).unwrap();
}

#[test]
fn a_digest_cannot_be_taken_out_of_a_package_of_ours() {
    let out = tempfile::tempdir().unwrap();
    let key = support::key("a");
    let signed = fixtures::varied().signed(out.path()).remove(0);
    let rpm = Rpm::open(signed.path()).unwrap();
    let path = out.path().join("stripped.rpm");
    for (tag, check) in [
        (SigTag::RPMSIGTAG_SHA1, Check::HeaderSha1),
        (SigTag::RPMSIGTAG_SHA256, Check::HeaderSha256),
        (SigTag::RPMSIGTAG_MD5, Check::Md5),
        (SigTag::RPMSIGTAG_SIZE, Check::Size),
        (SigTag::RPMSIGTAG_RSA, Check::HeaderSignature),
        (SigTag::RPMSIGTAG_PGP, Check::PackageSignature),
    ] {
        let faults = |change: &dyn Fn(IndexData) -> Option<IndexData>| {
            resigned(
                &rpm,
                |t, data| if t == tag as u32 { change(data) } else { Some(data) },
                &path,
            );
            verify::verify(&path, key.certificate(), Required::AsWritten).unwrap().checks
        };
        assert!(faults(&|_| None).contains(&(check, CheckOutcome::Missing)), "{check}");
        let odd = |_| Some(IndexData::Int16(vec![1]));
        assert!(faults(&odd).contains(&(check, CheckOutcome::Malformed)), "{check}");
    }
}

#[test]
fn a_header_only_signature_gets_the_remedy_that_helps() {
    let out = tempfile::tempdir().unwrap();
    let signed = fixtures::varied().signed(out.path()).remove(0);
    let rpm = Rpm::open(signed.path()).unwrap();
    let path = out.path().join("header-only.rpm");
    let pgp = SigTag::RPMSIGTAG_PGP as u32;
    resigned(&rpm, |tag, data| (tag != pgp).then_some(data), &path);
    let report =
        verify::verify(&path, support::key("a").certificate(), Required::AsWritten).unwrap();
    assert!(report.remedy().unwrap().contains("rpmsign --rpmv3 --addsign"));
}

#[test]
fn features_that_centos_7_lacks_are_named() {
    let out = tempfile::tempdir().unwrap();
    let signed = fixtures::varied().signed(out.path()).remove(0);
    let path = out.path().join("newer.rpm");
    let metadata = PackageMetadata::open(signed.path()).unwrap();
    let entries = metadata.header.get_all_entries().unwrap().into_iter();
    let changed = entries.filter(|(tag, _)| *tag != 63).map(|(tag, data)| {
        let data = match data {
            IndexData::StringArray(mut names) if tag == IndexTag::RPMTAG_REQUIRENAME as u32 => {
                names[0] = "rpmlib(PayloadIsZstd)".into();
                names[1] = "rpmlib(RichDependencies)".into();
                IndexData::StringArray(names)
            }
            IndexData::StringTag(_) if tag == IndexTag::RPMTAG_PAYLOADCOMPRESSOR as u32 => {
                IndexData::StringTag("zstd".into())
            }
            data => data,
        };
        HeaderEntry::new(tag, data)
    });
    let header = Header::from_entries(changed, IndexTag::RPMTAG_HEADERIMMUTABLE);
    let mut bytes = Vec::new();
    PackageMetadata { header, ..metadata }.write(&mut bytes).unwrap();
    fs_err::write(&path, bytes).unwrap();
    let report =
        verify::verify(&path, support::key("a").certificate(), Required::AsWritten).unwrap();
    assert_eq!(
        report.unfit,
        [
            "requires rpmlib(PayloadIsZstd), which rpm 4.11.3 does not have",
            "requires rpmlib(RichDependencies), which rpm 4.11.3 does not have",
            "has a payload packed with zstd, which rpm 4.11.3 cannot unpack",
        ]
    );
    assert!(!report.is_good());
}

#[test]
fn file_names_that_no_address_can_have_are_not_indexed() {
    let out = tempfile::tempdir().unwrap();
    let signed = fixtures::varied().signed(out.path()).remove(0);
    for (name, good) in [
        ("gr\u{fc}n-1+2~3 (x).rpm", true),
        ("a\u{1}.rpm", false),
        ("a\n.rpm", false),
        ("a#1.rpm", false),
        ("a?b.rpm", false),
        ("a%41.rpm", false),
    ] {
        let path = out.path().join(name);
        fs_err::copy(signed.path(), &path).unwrap();
        assert_eq!(IndexedRpm::read(&path).is_ok(), good, "{name:?}");
    }
}

/// A package whose header, and header with payload, gpg has signed with this digest.
fn signed_with(gpg: &Gpg, digest: &str, rpm: &Rpm, to: &std::path::Path) {
    let header = rpm.header_bytes();
    let mut all = header.to_vec();
    rpm.payload().unwrap().read_to_end(&mut all).unwrap();
    let sign = |data: &[u8]| {
        let file = to.with_extension("data");
        fs_err::write(&file, data).unwrap();
        gpg.run(&[
            "--allow-weak-digest-algos",
            "--digest-algo",
            digest,
            "--output",
            to.with_extension("sig").to_str().unwrap(),
            "--detach-sign",
            file.to_str().unwrap(),
        ]);
        IndexData::Bin(fs_err::read(to.with_extension("sig")).unwrap())
    };
    let change = |tag, data| {
        Some(match tag {
            tag if tag == SigTag::RPMSIGTAG_RSA as u32 => sign(header),
            tag if tag == SigTag::RPMSIGTAG_PGP as u32 => sign(&all),
            _ => data,
        })
    };
    resigned(rpm, change, to);
}

#[test]
fn signatures_with_digests_that_rpm_does_not_know_are_refused() {
    if !support::have("digests of signatures", &["gpg", "rpm"]) {
        return;
    }
    let (out, gpg) = (tempfile::tempdir().unwrap(), Gpg::new());
    gpg.run(&["--quick-generate-key", "key", "rsa2048", "sign,cert"]);
    let key = out.path().join("key.asc");
    fs_err::write(&key, gpg.run(&["--armor", "--export", "key"])).unwrap();
    let certificate = Certificate::from_armored(&fs_err::read_to_string(&key).unwrap()).unwrap();
    let db = out.path().join("db");
    let new = || {
        let mut command = Command::new("rpm");
        command.env("LC_ALL", "C").arg("--dbpath").arg(&db);
        command
    };
    support::ok(new().arg("--import").arg(&key));
    let old = el7::Root::new("digests of signatures for rpm 4.11.3");
    assert!(old.as_ref().is_none_or(|root| root.import(&key)));
    let signed = fixtures::varied().signed(out.path()).remove(0);
    let rpm = Rpm::open(signed.path()).unwrap();
    for (digest, good) in [
        ("SHA1", true),
        ("SHA224", true),
        ("SHA256", true),
        ("SHA384", true),
        ("SHA512", true),
        ("RIPEMD160", false),
        // Both rpms take it, and nobody should.
        ("MD5", false),
    ] {
        let path = out.path().join(format!("{digest}.rpm"));
        signed_with(&gpg, digest, &rpm, &path);
        let report = verify::verify(&path, &certificate, Required::AsWritten).unwrap();
        assert_eq!(report.is_good(), good, "{digest}: {:?}", report.faults());
        if digest == "MD5" {
            continue;
        }
        // 4.18 knows RIPEMD160 as well.
        let is_good = support::run(new().arg("-K").arg(&path)).status.success();
        assert!(is_good || !good, "rpm 4.18, {digest}");
        if let Some(root) = &old {
            fs_err::copy(&path, root.path("x.rpm")).unwrap();
            let output = support::run(root.rpm().args(["-Kv", "/x.rpm"]));
            let said = String::from_utf8_lossy(&output.stdout);
            assert_eq!(output.status.success(), good, "rpm 4.11.3, {digest}: {said}");
        }
    }
}

/// As rpm of CentOS 7 signs.
#[test]
fn signature_packets_of_version_3_are_verified() {
    use md5::Digest;
    use pgp::{
        composed::{Deserializable, SignedSecretKey},
        crypto::hash::HashAlgorithm,
        ser::Serialize,
        types::{KeyDetails, Password, SigningKey},
    };
    let text = fs_err::read_to_string(support::key_file("a")).unwrap();
    let (key, _) = SignedSecretKey::from_string(&text).unwrap();
    let own = support::key("a");
    let sign = |issuer: &[u8]| {
        // Kind and time, which are hashed behind the data.
        let hashed = [0, 0x5f, 0x5e, 0x10, 0];
        let digest = sha2::Sha256::new().chain_update(b"data").chain_update(hashed).finalize();
        let sha256 = HashAlgorithm::Sha256;
        let number = key.primary_key.sign(&Password::empty(), sha256, &digest).unwrap();
        let mut body = vec![3, 5];
        body.extend(hashed);
        body.extend(issuer);
        body.extend([1, 8, digest[0], digest[1]]);
        let pgp::types::SignatureBytes::Mpis(numbers) = number else { panic!("no RSA") };
        numbers[0].to_writer(&mut body).unwrap();
        let mut packet = vec![0x89];
        packet.extend((body.len() as u16).to_be_bytes());
        packet.extend(body);
        packet
    };
    let packet = sign(key.primary_key.legacy_key_id().as_ref());
    let verify = |packet: &[u8], data: &[u8]| own.certificate().verify(packet, data);
    verify(&packet, b"data").unwrap();
    assert!(verify(&packet, b"date").is_err());
    // As in a repomd.xml.asc.
    let armored = el7rpm::openpgp::armor(&packet).unwrap();
    let from_armor = el7rpm::openpgp::packet_from_armor(armored.as_bytes()).unwrap();
    verify(&from_armor, b"data").unwrap();
    assert!(verify(&from_armor, b"date").is_err());
    assert!(verify(&sign(&[1; 8]), b"data").is_err());
    // The number's length in bits may be off by some, for rpm as well: its bytes count.
    for at in (0..packet.len()).filter(|at| *at != 23) {
        let mut damaged = packet.clone();
        damaged[at] ^= 1;
        assert!(verify(&damaged, b"data").is_err(), "byte {at}");
    }
}

/// rpm 4.11.3 knows versions 3 and 4 (rpmio/rpmpgp.c `pgpPrtSig`).
#[test]
fn signature_packets_of_other_versions_are_refused() {
    let key = support::key("a");
    let packet = key.sign(&mut &b"data"[..], 0).unwrap();
    // Behind a tag and a length of two bytes.
    assert_eq!(packet[3], 4);
    for version in [0, 2, 5, 6] {
        let mut other = packet.clone();
        other[3] = version;
        let mismatch = key.certificate().verify(&other, &b"data"[..]).unwrap_err();
        assert_eq!(mismatch.to_string(), "is not an RSA signature that CentOS 7 can check");
    }
}
