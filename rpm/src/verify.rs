//! Checks an RPM: every digest and both signatures, over the bytes as they lie on disk.
//!
//! A check that a complete package for CentOS 7 must pass and that cannot be made, because the tag
//! is missing, counts as a failure, not as a pass.

use std::{
    fmt,
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
    sync::mpsc::{SyncSender, sync_channel},
};

use md5::{Digest, Md5};
use rpm::{IndexSignatureTag as SigTag, IndexTag};
use sha1::Sha1;
use sha2::Sha256;

use crate::{
    Result,
    openpgp::{Certificate, Mismatch},
    payload::hex,
    read::Rpm,
};

/// What was found out about one file.
#[derive(Clone, Debug)]
pub struct Report {
    /// The file.
    pub path: PathBuf,
    /// `name-[epoch:]version-release.arch`
    pub nevra: String,
    /// Each check with its outcome, in a fixed order.
    pub checks: Vec<(Check, Outcome)>,
}

impl Report {
    /// Whether every check passed.
    pub fn is_good(&self) -> bool {
        self.checks.iter().all(|(_, outcome)| *outcome == Outcome::Good)
    }

    /// The checks that did not pass.
    pub fn failures(&self) -> impl Iterator<Item = &(Check, Outcome)> {
        self.checks.iter().filter(|(_, outcome)| *outcome != Outcome::Good)
    }
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
        })
    }
}

/// How a check ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It holds.
    Good,
    /// There is nothing to check against.
    Missing,
    /// It does not hold.
    Bad,
    /// The signature could not be attributed, or does not hold.
    Signature(Mismatch),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Good => f.write_str("OK"),
            Self::Missing => f.write_str("is missing"),
            Self::Bad => f.write_str("does not match"),
            Self::Signature(mismatch) => mismatch.fmt(f),
        }
    }
}

impl Outcome {
    fn of<T: PartialEq + ?Sized>(expected: Option<&T>, actual: &T) -> Self {
        match expected {
            None => Self::Missing,
            Some(expected) if expected == actual => Self::Good,
            Some(_) => Self::Bad,
        }
    }
}

/// Checks the RPM at `path` against the key `certificate`.
///
/// # Errors
/// [`crate::Error::Format`] for what is not an RPM at all, or an I/O error. A failed check is no
/// error but part of the report.
pub fn verify(path: &Path, certificate: &Certificate) -> Result<Report> {
    let rpm = Rpm::open(path)?;
    let signature = &rpm.metadata.signature;
    let text = |tag| signature.get_entry_data_as_string(tag).ok();
    let header = rpm.header_bytes();
    let mut checks = vec![
        (Check::HeaderSha1, Outcome::of(text(SigTag::RPMSIGTAG_SHA1), &hex(&Sha1::digest(header)))),
        (
            Check::HeaderSha256,
            Outcome::of(text(SigTag::RPMSIGTAG_SHA256), &hex(&Sha256::digest(header))),
        ),
        (Check::HeaderSignature, check_signature(&rpm, SigTag::RPMSIGTAG_RSA, certificate, header)),
    ];
    let (md5, sha256, payload_size, of_all) = over_payload(&rpm, certificate)?;
    let size = header.len() as u64 + payload_size;
    let stated_md5 = signature.get_entry_data_as_binary(SigTag::RPMSIGTAG_MD5).ok();
    let payload = rpm.strings(IndexTag::RPMTAG_PAYLOADSHA256);
    checks.push((Check::Size, Outcome::of(stated_size(&rpm).as_ref(), &size)));
    checks.push((Check::Md5, Outcome::of(stated_md5, md5.as_slice())));
    let digest = hex(&sha256);
    checks.push((Check::PayloadSha256, Outcome::of(payload.first().copied(), digest.as_str())));
    checks.push((Check::PackageSignature, of_all));
    Ok(Report { path: path.to_owned(), nevra: rpm.nevra(), checks })
}

fn check_signature(rpm: &Rpm, tag: SigTag, certificate: &Certificate, data: impl Read) -> Outcome {
    match rpm.metadata.signature.get_entry_data_as_binary(tag) {
        Err(_) => Outcome::Missing,
        Ok(packet) => match certificate.verify(packet, data) {
            Ok(()) => Outcome::Good,
            Err(mismatch) => Outcome::Signature(mismatch),
        },
    }
}

fn stated_size(rpm: &Rpm) -> Option<u64> {
    let signature = &rpm.metadata.signature;
    let short = signature.get_entry_data_as_u32(SigTag::RPMSIGTAG_SIZE).ok().map(u64::from);
    short.or_else(|| signature.get_entry_data_as_u64(SigTag::RPMSIGTAG_LONGSIZE).ok())
}

/// Reads the payload once. MD5, the slowest of the three digests, is taken on a thread of its own.
fn over_payload(
    rpm: &Rpm,
    certificate: &Certificate,
) -> Result<([u8; 16], [u8; 32], u64, Outcome)> {
    let header = rpm.header_bytes();
    std::thread::scope(|scope| {
        // A short queue: memory stays the same however far one side is ahead.
        let (sender, receiver) = sync_channel::<Vec<u8>>(4);
        let md5 = scope.spawn(move || {
            let mut md5 = Md5::new_with_prefix(header);
            receiver.iter().for_each(|chunk| md5.update(chunk));
            md5.finalize().into()
        });
        let mut pass = Pass { inner: rpm.payload()?, md5: sender, sha256: Sha256::new(), size: 0 };
        let mut input = BufReader::with_capacity(CHUNK, &mut pass);
        let tag = SigTag::RPMSIGTAG_PGP;
        let of_all = check_signature(rpm, tag, certificate, header.chain(&mut input));
        // The signature may have been refused without reading.
        io::copy(&mut input, &mut io::sink())?;
        let Pass { md5: sender, sha256, size, .. } = pass;
        drop(sender);
        let md5 = md5
            .join()
            .map_err(|_| io::Error::other("the thread that takes the MD5 ended early"))?;
        Ok((md5, sha256.finalize().into(), size, of_all))
    })
}

/// Bytes read at a time.
const CHUNK: usize = 1 << 18;

/// Takes digests of all that is read through it.
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
