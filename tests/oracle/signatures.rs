//! Digests and signatures: rpm accepts what is whole and refuses every single flipped byte, and so
//! does the crate's own verifier.

use std::{path::Path, process::Command};

use el7rpm::{
    openpgp::Signer,
    package::UnsignedRpm,
    read::Rpm,
    signature::SignedRpm,
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
fn rpm_verifies_all_digests_and_signatures() {
    if !support::have("rpm -K", &["rpm"]) {
        return;
    }
    let out = tempfile::tempdir().unwrap();
    with_imported_key(&out.path().join("db"));
    for signed in fixtures::varied().signed(out.path()) {
        let text = support::ok(rpm(&out.path().join("db")).arg("-Kv").arg(signed.path()));
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
    let metadata = PackageMetadata::open(of).unwrap();
    let kept = metadata.signature.get_all_entries().unwrap().into_iter();
    let kept = kept.filter(|(tag, _)| !masked.iter().any(|m| *m as u32 == *tag));
    let entries = kept.map(|(tag, data)| HeaderEntry::new(tag, data));
    let mut bytes = Vec::new();
    PackageMetadata {
        signature: Header::from_entries(entries, Tag::HEADER_SIGNATURES),
        ..metadata
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
    without_header_signature(signed.path(), &masked);
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
    let whole = fs_err::read(signed.path()).unwrap();
    let start = Rpm::open(signed.path()).unwrap().header_range().start;
    let certificate = support::key("a").certificate().clone();
    assert!(verify::verify(signed.path(), &certificate, Required::All).unwrap().is_good());

    let flip = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        let path = out.path().join(format!("{at}.rpm"));
        fs_err::write(&path, bytes).unwrap();
        let is_good = verify::verify(&path, &certificate, Required::All).is_ok_and(|r| r.is_good());
        assert!(!is_good, "byte {at} was flipped unnoticed");
        path
    };
    let has_rpm = support::have("rpm -K on flipped bytes", &["rpm"]);
    let db = out.path().join("db");
    if has_rpm {
        with_imported_key(&db);
    }
    let judge = |bytes: &[usize]| {
        let broken: Vec<_> = bytes.iter().copied().map(flip).collect();
        if !has_rpm {
            return;
        }
        let output = support::run(rpm(&db).arg("-K").args(&broken));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let refused = text.lines().filter(|l| l.contains("NOT OK") || l.contains("error:"));
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        let unreadable = errors.lines().filter(|l| l.starts_with("error: "));
        assert!(!text.contains(": digests signatures OK"), "{text}");
        assert!(refused.count() + unreadable.count() >= bytes.len(), "{text}\n{errors}");
    };
    let all: Vec<_> = (start..whole.len()).collect();
    support::threads::on_all(&all.chunks(300).collect::<Vec<_>>(), |bytes| judge(bytes));
}

#[test]
fn another_key_is_refused() {
    let out = tempfile::tempdir().unwrap();
    let signed = fixtures::varied().signed(out.path()).pop().unwrap();
    let other = support::key("b").certificate().clone();
    let report = verify::verify(signed.path(), &other, Required::All).unwrap();
    let failed: Vec<_> =
        report.failures().map(|(check, outcome)| format!("{check} {outcome}")).collect();
    assert_eq!(failed.len(), 2, "{failed:?}");
    assert!(failed.iter().all(|f| f.contains("was made by another key")), "{failed:?}");
}

/// Reading a file back gives what writing it gave; of anything else it says what is wrong.
#[test]
fn an_rpm_is_opened_only_as_what_it_is() {
    let bench = fixtures::varied();
    let package = bench.packages().remove(0);
    let unsigned = bench.unsigned(&package, bench.dir.path());
    let signed = bench.signed(&bench.path("etc")).remove(0);
    let (ours, other) = (support::key("a"), support::key("b"));
    let (ours, other) = (ours.certificate(), other.certificate());
    assert_eq!(UnsignedRpm::open(unsigned.path()).unwrap(), unsigned);
    assert_eq!(SignedRpm::open(signed.path(), ours).unwrap(), signed);
    let report = verify::verify(signed.path(), ours, Required::AsWritten).unwrap();
    assert_eq!(report.signed(), Some(&signed));
    assert!(verify::verify(unsigned.path(), ours, Required::AsWritten).unwrap().signed().is_none());

    let whole = fs_err::read(signed.path()).unwrap();
    let changed = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = whole.clone();
        change(&mut bytes);
        fs_err::write(bench.path("changed.rpm"), bytes).unwrap();
        let error = SignedRpm::open(&bench.path("changed.rpm"), ours);
        error.map_err(|e| e.to_string().rsplit("changed.rpm: ").next().unwrap().to_owned())
    };
    let summary = whole.windows(8).position(|bytes| bytes == b"No files").unwrap();
    assert_eq!(
        changed(&|bytes| bytes.truncate(bytes.len() - 1)).unwrap_err(),
        "does not have the size that it states"
    );
    assert_eq!(
        changed(&|bytes| bytes[summary] ^= 1).unwrap_err(),
        "header signature does not match the content"
    );
    // What only reading the payload can show is left to those who read it.
    let damaged = changed(&|bytes| *bytes.last_mut().unwrap() ^= 1).unwrap();
    let report = verify::verify(damaged.path(), ours, Required::AsWritten).unwrap();
    assert!(report.signed().is_none());

    let said = |error: el7rpm::Error| error.to_string();
    let error = said(UnsignedRpm::open(signed.path()).unwrap_err());
    assert!(error.ends_with("is signed already"), "{error}");
    let error = said(SignedRpm::open(unsigned.path(), ours).unwrap_err());
    assert!(error.ends_with("is not signed"), "{error}");
    let error = said(SignedRpm::open(signed.path(), other).unwrap_err());
    assert!(error.contains("header signature was made by another key"), "{error}");
}

#[test]
fn a_copy_is_refused_if_the_file_has_another_size_by_then() {
    let (out, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let signed = fixtures::varied().signed(out.path()).remove(0);
    let copy = signed.copy_into(folder.path()).unwrap();
    assert_eq!(copy.path(), folder.path().join(signed.path().file_name().unwrap()));
    assert_eq!(fs_err::read(copy.path()).unwrap(), fs_err::read(signed.path()).unwrap());
    fs_err::write(signed.path(), "another file").unwrap();
    let error = signed.copy_into(folder.path()).unwrap_err().to_string();
    assert!(error.ends_with("was changed after it was signed"), "{error}");
}
