//! Digests and signatures: rpm accepts what is whole and refuses every single flipped byte, and so
//! does the crate's own verifier.

use std::{path::Path, process::Command};

use el7rpm::{
    openpgp::Signer,
    read::Rpm,
    verify::{self, Required},
};

use crate::{fixtures, support};

fn rpm(db: &Path) -> Command {
    let mut command = Command::new("rpm");
    command.env("LC_ALL", "C").arg("--dbpath").arg(db);
    command
}

fn with_imported_key(db: &Path) {
    support::ok(rpm(db).arg("--import").arg(support::public_key_file("a")));
}

#[test]
fn rpm_finds_all_digests_and_signatures_and_they_hold() {
    if !support::have("rpm -K", &["rpm"]) {
        return;
    }
    let out = tempfile::tempdir().unwrap();
    with_imported_key(&out.path().join("db"));
    for signed in fixtures::varied().signed(out.path()) {
        let text = support::ok(rpm(&out.path().join("db")).arg("-Kv").arg(&signed.path));
        let lines: Vec<_> = text.lines().skip(1).map(str::trim).collect();
        assert_eq!(lines.len(), 6, "{text}");
        assert!(lines.iter().all(|l| l.ends_with(": OK")), "{text}");
        // rpm 4.11 has no payload digest: this signature is what covers the payload there.
        assert!(lines.iter().any(|l| l.starts_with("V4 RSA/SHA256 Signature")), "{text}");
        assert!(lines.iter().any(|l| l.starts_with("MD5 digest")), "{text}");
    }
}

/// The package without everything that covers the header alone: what is left is what rpm 4.11
/// has for the payload.
fn without_header_signature(of: &Path, to: &Path) {
    use rpm::{Header, HeaderEntry, IndexSignatureTag as Tag, PackageMetadata};
    let rpm = Rpm::open(of).unwrap();
    let masked =
        [Tag::HEADER_SIGNATURES, Tag::RPMSIGTAG_RSA, Tag::RPMSIGTAG_SHA1, Tag::RPMSIGTAG_SHA256];
    let kept = rpm.metadata.signature.get_all_entries().unwrap().into_iter();
    let kept = kept.filter(|(tag, _)| !masked.iter().any(|m| *m as u32 == *tag));
    let entries = kept.map(|(tag, data)| HeaderEntry::new(tag, data));
    let mut bytes = Vec::new();
    PackageMetadata {
        signature: Header::from_entries(entries, Tag::HEADER_SIGNATURES),
        ..rpm.metadata.clone()
    }
    .write(&mut bytes)
    .unwrap();
    bytes.extend(&fs_err::read(of).unwrap()[rpm.payload_offset() as usize..]);
    fs_err::write(to, bytes).unwrap();
}

#[test]
fn the_payload_is_signed_even_where_the_header_signature_is_masked() {
    if !support::have("rpm -K without the header signature", &["rpm"]) {
        return;
    }
    let out = tempfile::tempdir().unwrap();
    let db = out.path().join("db");
    with_imported_key(&db);
    let signed = fixtures::varied().signed(out.path()).remove(0);
    let masked = out.path().join("masked.rpm");
    without_header_signature(&signed.path, &masked);
    let text = support::ok(rpm(&db).arg("-Kv").arg(&masked));
    let lines: Vec<_> = text.lines().skip(1).map(str::trim).collect();
    assert!(
        lines.iter().any(|l| l.starts_with("V4 RSA/SHA256 Signature") && l.ends_with("OK")),
        "{text}"
    );
    assert!(!text.contains("Header "), "{text}");

    let mut bytes = fs_err::read(&masked).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs_err::write(&masked, bytes).unwrap();
    let output = support::run(rpm(&db).arg("-Kv").arg(&masked));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        !output.status.success() && text.contains("Signature, key ID") && text.contains("BAD"),
        "{text}"
    );
}

#[test]
fn every_flipped_byte_of_header_or_payload_is_noticed() {
    let out = tempfile::tempdir().unwrap();
    let signed = fixtures::varied().signed(out.path()).pop().unwrap();
    let whole = fs_err::read(&signed.path).unwrap();
    let start = Rpm::open(&signed.path).unwrap().header_range().start;
    let certificate = support::key("a").certificate().clone();
    assert!(verify::verify(&signed.path, &certificate, Required::All).unwrap().is_good());

    let mut broken = Vec::new();
    for at in start..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        let path = out.path().join(format!("{at}.rpm"));
        fs_err::write(&path, bytes).unwrap();
        let is_good = verify::verify(&path, &certificate, Required::All).is_ok_and(|r| r.is_good());
        assert!(!is_good, "byte {at} was flipped unnoticed");
        broken.push(path);
    }
    if support::have("rpm -K on flipped bytes", &["rpm"]) {
        let db = out.path().join("db");
        with_imported_key(&db);
        for some in broken.chunks(500) {
            let output = support::run(rpm(&db).arg("-K").args(some));
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let refused = text.lines().filter(|l| l.contains("NOT OK") || l.contains("error:"));
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            let unreadable = errors.lines().filter(|l| l.starts_with("error: "));
            assert!(!text.contains(": digests signatures OK"), "{text}");
            assert!(refused.count() + unreadable.count() >= some.len(), "{text}\n{errors}");
        }
    }
}

#[test]
fn another_key_is_refused() {
    let out = tempfile::tempdir().unwrap();
    let signed = fixtures::varied().signed(out.path()).pop().unwrap();
    let other = support::key("b").certificate().clone();
    let report = verify::verify(&signed.path, &other, Required::All).unwrap();
    let failed: Vec<_> =
        report.failures().map(|(check, outcome)| format!("{check} {outcome}")).collect();
    assert_eq!(failed.len(), 2, "{failed:?}");
    assert!(failed.iter().all(|f| f.contains("was made by another key")), "{failed:?}");
}
