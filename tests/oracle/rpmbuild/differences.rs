//! Every difference from rpmbuild 4.18 that is allowed, each with its reason. One that no package
//! of the corpus shows any more fails the test.

use rpm::{IndexData, IndexTag as T};

use super::compare::{Differing, HeaderTags, PackageHeader};

/// An allowed difference.
pub struct AllowedDifference {
    pub place: PackageHeader,
    pub tag: u32,
    /// How exactly the two may differ.
    pub holds: fn(&Differing<'_>) -> bool,
    pub reason: &'static str,
}

const COVERS: &str = "covers bytes in which the differences below lie";

pub const TABLE: &[AllowedDifference] = &[
    AllowedDifference {
        place: PackageHeader::Signature,
        tag: 62,
        holds: |d| d.both(|data| matches!(data, IndexData::Bin(b) if b.len() == 16)),
        reason: "the region's trailer says how many tags there are, and RESERVEDSPACE is one",
    },
    AllowedDifference {
        place: PackageHeader::Signature,
        tag: 1008,
        holds: |d| d.ours.is_none() && zeros(d.theirs),
        reason: "RESERVEDSPACE is room for a signature to be added in place; the signer here \
                 writes the file anew",
    },
    AllowedDifference {
        place: PackageHeader::Signature,
        tag: 1000,
        holds: |d| d.both(|data| matches!(data, IndexData::Int32(v) if v.len() == 1)),
        reason: "SIZE counts the compressed payload, see PAYLOADSHA256",
    },
    AllowedDifference {
        place: PackageHeader::Signature,
        tag: 1004,
        holds: |d| d.both(|data| matches!(data, IndexData::Bin(b) if b.len() == 16)),
        reason: COVERS,
    },
    AllowedDifference {
        place: PackageHeader::Signature,
        tag: 269,
        holds: |d| d.both(|t| hex(t, 40)),
        reason: COVERS,
    },
    AllowedDifference {
        place: PackageHeader::Signature,
        tag: 273,
        holds: |d| d.both(|t| hex(t, 64)),
        reason: COVERS,
    },
    AllowedDifference {
        place: PackageHeader::Main,
        tag: T::RPMTAG_RPMVERSION as u32,
        holds: |d| is(d.ours, "4.11.3") && is(d.theirs, "4.18.0"),
        reason: "RPMVERSION names the rpm that the package is made for, so that nobody looks for \
                 features that CentOS 7 lacks",
    },
    AllowedDifference {
        place: PackageHeader::Main,
        tag: T::RPMTAG_PAYLOADSHA256 as u32,
        // The archive inside is the same to the byte: PAYLOADSHA256ALT may not differ.
        holds: |d| d.both(|data| hex(data, 64)),
        reason: "the same archive is compressed in blocks of fixed size, by several threads",
    },
    AllowedDifference {
        place: PackageHeader::Main,
        tag: T::RPMTAG_CLASSDICT as u32,
        holds: classes,
        reason: CLASS,
    },
    AllowedDifference {
        place: PackageHeader::Main,
        tag: T::RPMTAG_FILECLASS as u32,
        holds: classes,
        reason: CLASS,
    },
    AllowedDifference {
        place: PackageHeader::Main,
        tag: T::RPMTAG_FILECOLORS as u32,
        holds: colors,
        reason: "rpm 4.11 colors every ELF file; since 4.14 only executable ones are colored. \
                 The target's rule is followed, because its rpm resolves conflicts by the color",
    },
    AllowedDifference {
        place: PackageHeader::Main,
        tag: T::RPMTAG_DEPENDSDICT as u32,
        holds: dictionaries,
        reason: DICTIONARY,
    },
    AllowedDifference {
        place: PackageHeader::Main,
        tag: T::RPMTAG_FILEDEPENDSN as u32,
        holds: dictionaries,
        reason: DICTIONARY,
    },
    AllowedDifference {
        place: PackageHeader::Main,
        tag: T::RPMTAG_FILEDEPENDSX as u32,
        holds: dictionaries,
        reason: DICTIONARY,
    },
];

const CLASS: &str = "the words are libmagic's and change with each of its releases; nothing but \
                     people reads them. Directories are told apart exactly";

const DICTIONARY: &str = "rpm 4.11 sorts each file's dependencies and names each once; 4.18 keeps \
                          its generators' order and repetitions, and counts before PayloadIsXz is \
                          added, so that its numbers behind that one are off by one";

impl Differing<'_> {
    fn both(&self, test: impl Fn(&IndexData) -> bool) -> bool {
        self.ours.is_some_and(&test) && self.theirs.is_some_and(&test)
    }
}

fn is(data: Option<&IndexData>, text: &str) -> bool {
    matches!(data, Some(IndexData::StringTag(t)) if t == text)
}

fn zeros(data: Option<&IndexData>) -> bool {
    matches!(data, Some(IndexData::Bin(bytes)) if bytes.iter().all(|b| *b == 0))
}

fn hex(data: &IndexData, digits: usize) -> bool {
    let is_hex = |t: &String| t.len() == digits && t.bytes().all(|b| b.is_ascii_hexdigit());
    match data {
        IndexData::StringTag(text) => is_hex(text),
        IndexData::StringArray(list) => list.len() == 1 && is_hex(&list[0]),
        _ => false,
    }
}

fn ints(tags: &HeaderTags, tag: T) -> &[u32] {
    match tags.get(&(tag as u32)) {
        Some(IndexData::Int32(list)) => list,
        _ => &[],
    }
}

fn shorts(tags: &HeaderTags, tag: T) -> &[u16] {
    match tags.get(&(tag as u32)) {
        Some(IndexData::Int16(list)) => list,
        _ => &[],
    }
}

fn strings(tags: &HeaderTags, tag: T) -> &[String] {
    match tags.get(&(tag as u32)) {
        Some(IndexData::StringArray(list)) => list,
        _ => &[],
    }
}

/// Both give each file a class; the word `directory` stands for directories and for nothing else.
fn classes(d: &Differing<'_>) -> bool {
    let of = |tags| -> Option<Vec<bool>> {
        let words = strings(tags, T::RPMTAG_CLASSDICT);
        let one = |i: &u32| words.get(*i as usize).map(|w| w == "directory");
        ints(tags, T::RPMTAG_FILECLASS).iter().map(one).collect()
    };
    let modes = shorts(d.our_tags, T::RPMTAG_FILEMODES);
    let directories: Vec<_> = modes.iter().map(|m| m & 0o170_000 == 0o040_000).collect();
    of(d.our_tags) == Some(directories.clone()) && of(d.their_tags) == Some(directories)
}

/// The same but for files that nobody may execute.
fn colors(d: &Differing<'_>) -> bool {
    let colors = |tags| ints(tags, T::RPMTAG_FILECOLORS);
    let modes = shorts(d.our_tags, T::RPMTAG_FILEMODES);
    let pairs = colors(d.our_tags).iter().zip(colors(d.their_tags)).zip(modes);
    pairs.into_iter().all(|((a, b), mode)| a == b || (mode & 0o111 == 0 && *b == 0))
}

/// Each file has the same dependencies in both, once theirs are sorted, named once, and looked up
/// in the list that they were counted in.
fn dictionaries(d: &Differing<'_>) -> bool {
    let own = dependencies_of_files(d.our_tags, false);
    own.is_some() && own == dependencies_of_files(d.their_tags, true)
}

fn dependencies_of_files(tags: &HeaderTags, counted_early: bool) -> Option<Vec<Vec<String>>> {
    let provides: Vec<_> = strings(tags, T::RPMTAG_PROVIDENAME).iter().collect();
    let mut requires: Vec<_> = strings(tags, T::RPMTAG_REQUIRENAME).iter().collect();
    if counted_early {
        requires.retain(|name| *name != "rpmlib(PayloadIsXz)");
    }
    let words = ints(tags, T::RPMTAG_DEPENDSDICT);
    let starts = ints(tags, T::RPMTAG_FILEDEPENDSX);
    let one = |(start, count): (&u32, &u32)| {
        let own = words.get(*start as usize..(start + count) as usize)?;
        let name = |word: &u32| {
            let index = (word & 0x00ff_ffff) as usize;
            let (kind, list) =
                if word >> 24 == u32::from(b'P') { ("P", &provides) } else { ("R", &requires) };
            list.get(index).map(|name| format!("{kind} {name}"))
        };
        let mut names: Vec<_> = own.iter().map(name).collect::<Option<_>>()?;
        names.sort();
        names.dedup();
        Some(names)
    };
    starts.iter().zip(ints(tags, T::RPMTAG_FILEDEPENDSN)).map(one).collect()
}
