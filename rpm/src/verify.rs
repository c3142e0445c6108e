//! Verifies an RPM: every digest and both signatures, over the bytes on disk.
//!
//! Which tags must exist depends on the program that wrote the package ([`Required`]). Every tag that exists must be correct.
//! A check that must be made but cannot, because its tag is missing, is a failure.

use std::{
    fmt,
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
    sync::mpsc::{SyncSender, sync_channel},
};

use md5::{Digest, Md5};
use rpm::{IndexData, IndexSignatureTag as SigTag, IndexTag};
use sha1::Sha1;
use sha2::Sha256;

use crate::{
    Result, fitness,
    header::{RPM_VERSION, signature::OTHER_SIGNATURES},
    openpgp::{Certificate, Mismatch},
    payload::hex,
    read::Rpm,
    signature::SignedRpm,
};

/// The result of verifying one file.
#[derive(Clone, Debug)]
pub struct Report {
    /// The file.
    pub path: PathBuf,
    /// `name-[epoch:]version-release.arch`
    pub nevra: String,
    /// Each check with its outcome, in a fixed order.
    pub checks: Vec<(Check, CheckOutcome)>,
    /// The reasons why CentOS 7's rpm could not install it, even if it is intact.
    pub unfit: Vec<String>,
    /// SHA-256 of its main header: by it, whoever opens the file again knows whether it is still the one that was checked.
    pub header: [u8; 32],
    signed: Option<SignedRpm>,
}

impl Report {
    /// The file as a signed RPM, which may go into a repository; `None` if the report is not good. RPMs that other programs have
    /// written and signed get into a repository in this way.
    pub fn signed(&self) -> Option<&SignedRpm> {
        self.signed.as_ref()
    }

    /// Whether no check has failed and CentOS 7's rpm can install the package.
    pub fn is_good(&self) -> bool {
        self.failures().next().is_none() && self.unfit.is_empty()
    }

    /// The checks that failed.
    pub fn failures(&self) -> impl Iterator<Item = &(Check, CheckOutcome)> {
        self.checks.iter().filter(|(_, outcome)| !outcome.is_harmless())
    }

    /// Everything that is wrong with the package, as texts.
    pub fn faults(&self) -> Vec<String> {
        let failures = self.failures().map(|(check, outcome)| format!("{check} {outcome}"));
        failures.chain(self.unfit.iter().cloned()).collect()
    }

    /// What the packager can do about it, if this is known.
    pub fn remedy(&self) -> Option<&'static str> {
        let is_missing = |check| self.checks.contains(&(check, CheckOutcome::Missing));
        if is_missing(Check::PackageSignature) && is_missing(Check::HeaderSignature) {
            Some(
                "sign it with `rpmsign --rpmv3 --addsign FILE`, or without --rpmv3 where rpmsign is older than 4.14",
            )
        } else if is_missing(Check::PackageSignature) {
            Some(
                "only its header is signed, as newer rpms do, and CentOS 7's rpm would not check the payload: \
                 sign it again with `rpmsign --rpmv3 --addsign FILE`",
            )
        } else if !self.unfit.is_empty() {
            Some(
                "it was built for newer systems: build it on CentOS 7, or with gzip or xz and without newer kinds of dependencies",
            )
        } else {
            None
        }
    }

    /// The checks that were made and passed.
    pub fn passed(&self) -> impl Iterator<Item = Check> {
        self.checks
            .iter()
            .filter(|(_, outcome)| *outcome == CheckOutcome::Good)
            .map(|(check, _)| *check)
    }

    /// The checks that were not made, because the program that wrote the package does not write their tags.
    pub fn not_made(&self) -> impl Iterator<Item = Check> {
        self.checks.iter().filter(|(_, o)| *o == CheckOutcome::NotMade).map(|(check, _)| *check)
    }
}

/// Which digests and signatures a package must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Required {
    /// All digests and both signatures. For packages that are known to be written by el7rpm.
    All,
    /// Both signatures, and the digests of the program that wrote the package. el7rpm writes all digests. rpm writes the two
    /// of SHA-256 since 4.14; CentOS 7's packages do not have them.
    AsWritten,
}

/// The checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// SHA1HEADER.
    HeaderSha1,
    /// SHA256HEADER.
    HeaderSha256,
    /// RSAHEADER.
    HeaderSignature,
    /// SIZE.
    Size,
    /// MD5.
    Md5,
    /// PAYLOADDIGEST.
    PayloadSha256,
    /// PGP, header and payload.
    PackageSignature,
    /// GPG, DSA and PGP5: signatures of kinds that cannot be checked here.
    OtherSignatures,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HeaderSha1 => "header SHA-1",
            Self::HeaderSha256 => "header SHA-256",
            Self::HeaderSignature => "header signature",
            Self::Size => "size of header and payload",
            Self::Md5 => "header and payload MD5",
            Self::PayloadSha256 => "payload SHA-256",
            Self::PackageSignature => "header and payload signature",
            Self::OtherSignatures => "another signature",
        })
    }
}

/// How a check ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckOutcome {
    /// The digest or signature is correct.
    Good,
    /// The tag is missing, and need not exist.
    NotMade,
    /// The tag is missing.
    Missing,
    /// The tag has the wrong type or length.
    Malformed,
    /// The digest or size is wrong.
    Bad,
    /// The signature was made by another key, or is wrong.
    Signature(Mismatch),
}

impl fmt::Display for CheckOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Good => f.write_str("OK"),
            Self::NotMade => f.write_str("is not there"),
            Self::Missing => f.write_str("is missing"),
            Self::Malformed => f.write_str("is malformed"),
            Self::Bad => f.write_str("does not match"),
            Self::Signature(mismatch) => mismatch.fmt(f),
        }
    }
}

impl CheckOutcome {
    fn is_harmless(&self) -> bool {
        matches!(self, Self::Good | Self::NotMade)
    }

    fn of<T: PartialEq + ?Sized>(stated: &Stated<&T>, actual: &T) -> Self {
        match stated {
            Stated::Nothing => Self::Missing,
            Stated::Malformed => Self::Malformed,
            Stated::Value(stated) if *stated == actual => Self::Good,
            Stated::Value(_) => Self::Bad,
        }
    }
}

/// A tag's value. A tag that cannot be read is not treated as missing.
enum Stated<T> {
    Nothing,
    Malformed,
    Value(T),
}

impl<T> Stated<T> {
    fn of(is_there: bool, value: std::result::Result<T, rpm::Error>) -> Self {
        match value {
            Ok(value) => Self::Value(value),
            Err(_) if is_there => Self::Malformed,
            Err(_) => Self::Nothing,
        }
    }
}

/// Verifies the RPM at `path` with the key `certificate`. The whole file is read, once.
///
/// # Errors
/// [`crate::Error::Format`] if the file is not an RPM, or an I/O error. A failed check is no
/// error: the report has it.
pub fn verify(path: &Path, certificate: &Certificate, required: Required) -> Result<Report> {
    let rpm = Rpm::open(path)?;
    let (mut checks, size) = all_checks(&rpm, Some(certificate))?;
    let demands = Demands::of(&rpm, required);
    for (check, outcome) in &mut checks {
        if *outcome == CheckOutcome::Missing && !demands.include(*check) {
            *outcome = CheckOutcome::NotMade;
        }
    }
    if others(&rpm) {
        checks.push((Check::OtherSignatures, CheckOutcome::Signature(Mismatch::Unusable)));
    }
    let unfit = fitness::faults(&rpm)?;
    let mut report = Report {
        path: path.to_owned(),
        nevra: rpm.nevra(),
        checks,
        unfit,
        header: rpm.header_sha256(),
        signed: None,
    };
    if report.is_good() {
        let size = rpm.header_range().start as u64 + size;
        report.signed = Some(SignedRpm::checked(path, size, certificate));
    }
    Ok(report)
}

/// The digests of the RPM at `path` that are wrong. Nobody vouches for them, but a file that was damaged is found.
///
/// # Errors
/// As [`verify`].
pub fn wrong_digests(path: &Path) -> Result<Vec<(Check, CheckOutcome)>> {
    let (mut checks, _) = all_checks(&Rpm::open(path)?, None)?;
    checks.retain(|(check, outcome)| {
        let is_signature = matches!(check, Check::HeaderSignature | Check::PackageSignature);
        !is_signature && !matches!(outcome, CheckOutcome::Good | CheckOutcome::Missing)
    });
    Ok(checks)
}

/// All checks, and the size of header and payload. Without a key, signatures count as missing.
fn all_checks(
    rpm: &Rpm,
    certificate: Option<&Certificate>,
) -> Result<(Vec<(Check, CheckOutcome)>, u64)> {
    let header = rpm.header_bytes();
    let sha1 = check_text(rpm, SigTag::RPMSIGTAG_SHA1, &hex(&Sha1::digest(header)));
    let sha256 = check_text(rpm, SigTag::RPMSIGTAG_SHA256, &hex(&Sha256::digest(header)));
    let of_header = check_signature(rpm, SigTag::RPMSIGTAG_RSA, certificate, header);
    let over = over_payload(rpm, certificate)?;
    let size = header.len() as u64 + over.size;
    let checks = vec![
        (Check::HeaderSha1, sha1),
        (Check::HeaderSha256, sha256),
        (Check::HeaderSignature, of_header),
        (Check::Size, check_size(rpm, size)),
        (Check::Md5, CheckOutcome::of(&binary(rpm, SigTag::RPMSIGTAG_MD5), &over.md5[..])),
        (Check::PayloadSha256, check_payload_digest(rpm, &over.sha256)),
        (Check::PackageSignature, over.signature),
    ];
    Ok((checks, size))
}

/// Which tags must exist.
struct Demands {
    all: bool,
    sha256: bool,
}

impl Demands {
    fn of(rpm: &Rpm, required: Required) -> Self {
        let tags = [IndexTag::RPMTAG_PAYLOADSHA256, IndexTag::RPMTAG_PAYLOADSHA256ALT];
        let sha256 = tags.iter().any(|tag| rpm.metadata.header.entry_is_present(*tag));
        // rpm 4.11.3 itself writes no digest of the payload. Only el7rpm writes one together with this version.
        let is_ours = sha256 && rpm.string(IndexTag::RPMTAG_RPMVERSION) == Some(RPM_VERSION);
        Self { all: required == Required::All || is_ours, sha256 }
    }

    fn include(&self, check: Check) -> bool {
        match check {
            Check::HeaderSignature | Check::PackageSignature => true,
            Check::HeaderSha256 | Check::PayloadSha256 => self.all || self.sha256,
            _ => self.all,
        }
    }
}

/// Whether there are signatures of kinds that cannot be checked here. rpm checks them, and refuses the package
/// if it cannot.
fn others(rpm: &Rpm) -> bool {
    OTHER_SIGNATURES.iter().any(|tag| rpm.metadata.signature.entry_is_present(*tag))
}

/// Checks a digest in hex. It must be a string: rpm does not accept an array of one string.
fn check_text(rpm: &Rpm, tag: SigTag, actual: &str) -> CheckOutcome {
    let signature = &rpm.metadata.signature;
    match signature.entry(tag) {
        Ok(IndexData::StringTag(stated)) => {
            CheckOutcome::of(&Stated::Value(stated.as_str()), actual)
        }
        _ if signature.entry_is_present(tag) => CheckOutcome::Malformed,
        _ => CheckOutcome::Missing,
    }
}

fn binary(rpm: &Rpm, tag: SigTag) -> Stated<&[u8]> {
    let signature = &rpm.metadata.signature;
    Stated::of(signature.entry_is_present(tag), signature.get_entry_data_as_binary(tag))
}

fn check_signature(
    rpm: &Rpm,
    tag: SigTag,
    certificate: Option<&Certificate>,
    data: impl Read,
) -> CheckOutcome {
    let Some(certificate) = certificate else { return CheckOutcome::Missing };
    match binary(rpm, tag) {
        Stated::Nothing => CheckOutcome::Missing,
        Stated::Malformed => CheckOutcome::Malformed,
        Stated::Value(packet) => match certificate.verify(packet, data) {
            Ok(()) => CheckOutcome::Good,
            Err(mismatch) => CheckOutcome::Signature(mismatch),
        },
    }
}

/// Checks SIZE, or LONGSIZE if the size needs 64 bits. If both exist, both must be correct.
fn check_size(rpm: &Rpm, size: u64) -> CheckOutcome {
    let signature = &rpm.metadata.signature;
    let (short, long) = (SigTag::RPMSIGTAG_SIZE, SigTag::RPMSIGTAG_LONGSIZE);
    let small = signature.get_entry_data_as_u32(short).map(u64::from);
    let small = Stated::of(signature.entry_is_present(short), small);
    let large = Stated::of(signature.entry_is_present(long), signature.get_entry_data_as_u64(long));
    let checked = [small, large].map(|stated| match &stated {
        Stated::Value(value) => CheckOutcome::of(&Stated::Value(value), &size),
        Stated::Malformed => CheckOutcome::Malformed,
        Stated::Nothing => CheckOutcome::Missing,
    });
    match checked {
        [small, CheckOutcome::Missing] => small,
        [CheckOutcome::Missing | CheckOutcome::Good, large] => large,
        [small, _] => small,
    }
}

fn check_payload_digest(rpm: &Rpm, actual: &[u8]) -> CheckOutcome {
    let (header, tag) = (&rpm.metadata.header, IndexTag::RPMTAG_PAYLOADSHA256);
    let stated =
        Stated::of(header.entry_is_present(tag), header.get_entry_data_as_string_array(tag));
    let actual = hex(actual);
    match &stated {
        Stated::Value(values) if values.len() == 1 => {
            CheckOutcome::of(&Stated::Value(values[0]), actual.as_str())
        }
        Stated::Value(_) | Stated::Malformed => CheckOutcome::Malformed,
        Stated::Nothing => CheckOutcome::Missing,
    }
}

/// The results of reading the payload.
struct OverPayload {
    md5: [u8; 16],
    sha256: [u8; 32],
    size: u64,
    signature: CheckOutcome,
}

/// Reads the payload once. MD5, the slowest of the three digests, is computed in another thread.
fn over_payload(rpm: &Rpm, certificate: Option<&Certificate>) -> Result<OverPayload> {
    let header = rpm.header_bytes();
    std::thread::scope(|scope| {
        // A short queue limits the memory if the other thread is slower.
        let (sender, receiver) = sync_channel::<Vec<u8>>(4);
        let md5 = scope.spawn(move || {
            let mut md5 = Md5::new_with_prefix(header);
            receiver.iter().for_each(|chunk| md5.update(chunk));
            md5.finalize().into()
        });
        let mut pass = Pass { inner: rpm.payload()?, md5: sender, sha256: Sha256::new(), size: 0 };
        let mut input = BufReader::with_capacity(CHUNK, &mut pass);
        let tag = SigTag::RPMSIGTAG_PGP;
        let signature = check_signature(rpm, tag, certificate, header.chain(&mut input));
        // The signature may have been refused before the payload was read.
        io::copy(&mut input, &mut io::sink())?;
        let Pass { md5: sender, sha256, size, .. } = pass;
        drop(sender);
        let md5 = md5
            .join()
            .map_err(|_| io::Error::other("the thread that takes the MD5 ended early"))?;
        Ok(OverPayload { md5, sha256: sha256.finalize().into(), size, signature })
    })
}

/// Bytes read at a time.
const CHUNK: usize = 1 << 18;

/// Computes digests of everything that is read through it.
struct Pass<R> {
    inner: R,
    md5: SyncSender<Vec<u8>>,
    sha256: Sha256,
    size: u64,
}

impl<R: Read> Read for Pass<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        let chunk = &buffer[..n];
        if n > 0 && self.md5.send(chunk.to_vec()).is_err() {
            return Err(io::Error::other("the thread that takes the MD5 ended early"));
        }
        self.sha256.update(chunk);
        self.size += n as u64;
        Ok(n)
    }
}
