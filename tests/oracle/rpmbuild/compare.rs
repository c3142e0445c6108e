//! Tag by tag, and member by member.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    path::Path,
};

use el7rpm::{
    payload::{CpioReader, Member},
    read::Rpm,
};
use rpm::{CompressionType, IndexData, PackageMetadata};
use sha2::{Digest, Sha256};

use super::differences::{AllowedDifference, TABLE};

/// Which of a package's two headers a tag stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackageHeader {
    Signature,
    Main,
}

/// One header as tag to value.
pub type HeaderTags = BTreeMap<u32, IndexData>;

/// A tag that the two packages do not agree on.
pub struct Differing<'a> {
    pub ours: Option<&'a IndexData>,
    pub theirs: Option<&'a IndexData>,
    /// The whole header of each.
    pub our_tags: &'a HeaderTags,
    pub their_tags: &'a HeaderTags,
}

/// Both headers of a package.
pub fn headers(path: &Path) -> (HeaderTags, HeaderTags) {
    let metadata = PackageMetadata::open(path).unwrap();
    let signature = metadata.signature.get_all_entries().unwrap();
    let main = metadata.header.get_all_entries().unwrap();
    (signature.into_iter().collect(), main.into_iter().collect())
}

/// What differs without being in the table. Entries that were needed are added to `used`.
pub fn unexplained(ours: &Path, theirs: &Path, used: &mut BTreeSet<usize>) -> Vec<String> {
    let (our_signature, our_main) = headers(ours);
    let (their_signature, their_main) = headers(theirs);
    let mut out = Vec::new();
    compare(PackageHeader::Signature, &our_signature, &their_signature, used, &mut out);
    compare(PackageHeader::Main, &our_main, &their_main, used, &mut out);
    if fs_err::read(ours).unwrap()[..96] != fs_err::read(theirs).unwrap()[..96] {
        out.push("the lead differs".into());
    }
    out.extend(payloads(ours, theirs));
    out
}

fn compare(
    place: PackageHeader,
    ours: &HeaderTags,
    theirs: &HeaderTags,
    used: &mut BTreeSet<usize>,
    out: &mut Vec<String>,
) {
    let tags: BTreeSet<_> = ours.keys().chain(theirs.keys()).copied().collect();
    for tag in tags {
        let (a, b) = (ours.get(&tag), theirs.get(&tag));
        if a == b {
            continue;
        }
        let differing = Differing { ours: a, theirs: b, our_tags: ours, their_tags: theirs };
        let allowed =
            |d: &AllowedDifference| d.place == place && d.tag == tag && (d.holds)(&differing);
        match TABLE.iter().position(allowed) {
            Some(entry) => drop(used.insert(entry)),
            None => out.push(format!("{place:?} tag {tag}:\n{}", sides(a, b))),
        }
    }
}

/// Both values, or only the elements that differ where they are long.
fn sides(ours: Option<&IndexData>, theirs: Option<&IndexData>) -> String {
    let lines = |data: Option<&IndexData>| match data {
        Some(data) => format!("{data:?}").split(", ").map(str::to_owned).collect::<Vec<_>>(),
        None => vec!["absent".into()],
    };
    let (ours, theirs) = (lines(ours), lines(theirs));
    let first = ours.iter().zip(&theirs).position(|(a, b)| a != b);
    let from = first.unwrap_or(ours.len().min(theirs.len())).saturating_sub(2);
    let show =
        |list: &[String]| list.iter().skip(from).take(40).cloned().collect::<Vec<_>>().join(", ");
    format!(
        "    ours   ({}, from {from}): {}\n    theirs ({}, from {from}): {}",
        ours.len(),
        show(&ours),
        theirs.len(),
        show(&theirs)
    )
}

/// The archives' members with the SHA-256 of their content, in order.
fn members(path: &Path) -> Vec<(Member, Vec<u8>)> {
    let rpm = Rpm::open(path).unwrap();
    let payload = rpm.payload().unwrap();
    let stream: Box<dyn Read> = match PackageMetadata::open(path).unwrap().get_payload_compressor()
    {
        Ok(CompressionType::Gzip) => Box::new(flate2::read::GzDecoder::new(payload)),
        _ => Box::new(liblzma::read::XzDecoder::new(payload)),
    };
    let mut reader = CpioReader::new(stream);
    let mut out = Vec::new();
    while let Some(member) = reader.next_member().unwrap() {
        let mut content = Vec::new();
        reader.read_to_end(&mut content).unwrap();
        out.push((member, Sha256::digest(&content).to_vec()));
    }
    out
}

fn payloads(ours: &Path, theirs: &Path) -> Vec<String> {
    let (ours, theirs) = (members(ours), members(theirs));
    let mut out = Vec::new();
    if ours.len() != theirs.len() {
        out.push(format!("{} members, rpmbuild has {}", ours.len(), theirs.len()));
    }
    let differing = ours.iter().zip(&theirs).filter(|(a, b)| a != b);
    out.extend(
        differing.take(3).map(|(a, b)| format!("member\n    ours   {a:?}\n    theirs {b:?}")),
    );
    out
}
