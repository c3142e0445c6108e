//! The limits of CentOS 7's rpm 4.11.3, each with its place in rpm's source. The writer, the
//! verifier and the index apply them; docs/facts/el7.md lists them for people.
//!
//! "rpm 4.11.3" is the upstream release. The build of CentOS 7.9 reads larger headers, but hosts that have not been
//! updated to it do not. Where a newer rpm is stricter, its limit is used:
//! packages are read on other machines, too.
//!
//! There is no separate limit for texts, dependency names or the number of files. The header's size limits them.

use std::ops::RangeInclusive;

/// Bytes of a lead (lib/rpmlead.h `RPMLEAD_SIZE`).
pub const LEAD: usize = 96;
/// Major versions of the format that the lead may state (lib/rpmlead.c `rpmLeadCheck`).
pub const LEAD_MAJOR: RangeInclusive<u8> = 3..=4;
/// Kind of signature that the lead must state: a header (lib/rpmlead.c `rpmLeadCheck`).
pub const LEAD_SIGNATURE_TYPE: u16 = 5;

/// Limits and region of one kind of header.
#[derive(Debug)]
pub struct HeaderLimits {
    /// The header, in messages.
    pub name: &'static str,
    /// Tag of its region.
    pub region: u32,
    /// Number of tags, the region's own included.
    pub entries: u32,
    /// Bytes of data behind the index.
    pub data: u32,
}

/// Of the signature header: lib/signature.c `rpmReadSignature`.
pub const SIGNATURE: HeaderLimits =
    HeaderLimits { name: "signature header", region: 62, entries: 32, data: 8192 };
/// Of the main header: lib/header_internal.h `hdrchkTags`, `HEADER_DATA_MAX`.
pub const HEADER: HeaderLimits =
    HeaderLimits { name: "header", region: 63, entries: 0xffff, data: 0x00ff_ffff };

/// The smallest tag that an entry behind the region may have (lib/header.c `hdrchkTag` of rpm 4.14 and later).
pub const LOWEST_TAG: u32 = 100;
/// Types of data that a tag may have: lib/rpmtag.h `RPM_MIN_TYPE` and `RPM_MAX_TYPE`, without the type that
/// holds nothing.
pub const TYPES: RangeInclusive<u32> = 1..=9;
/// Elements of an array that is no binary (lib/header.c `HEADER_ARRAY_MAX` of rpm 4.14 and later).
pub const ARRAY: u32 = 0x000f_ffff;

/// Largest size of a file in bytes. Sizes in the archive are 32 bit numbers, and lib/cpio.h `CPIO_FILESIZE_MAX` is the
/// smallest size that is refused. Larger files need `rpmlib(LargeFiles)` of rpm 4.12.
pub const FILE: u64 = u32::MAX as u64 - 1;
/// Most bytes of one part of a path: Linux' NAME_MAX.
pub const NAME: usize = 255;
/// Most bytes of a whole path, or of the target of a link: Linux' PATH_MAX without the NUL.
pub const PATH: usize = 4095;
/// Bytes that rpm adds to a file's name while it unpacks: `;` and eight digits (lib/fsm.c `fsmNew`).
pub const NAME_SUFFIX: usize = 9;

/// Most memory in bytes for unpacking an xz payload (rpmio/rpmio.c `lzopen_internal`). xz's level 9 takes 65 MiB.
pub const XZ_MEMORY: u64 = 100 << 20;
/// Values of PAYLOADCOMPRESSOR that can be unpacked (rpmio/rpmio.c, with zlib, bzip2 and liblzma).
pub const COMPRESSORS: &[&str] = &["gzip", "bzip2", "xz", "lzma"];

/// Features that a package may require as `rpmlib(NAME)`: lib/rpmds.c `rpmlibProvides`. CentOS 7's rpm is built
/// with bzip2, liblzma, Lua and libcap.
pub const FEATURES: &[&str] = &[
    "VersionedDependencies",
    "CompressedFileNames",
    "PayloadIsBzip2",
    "PayloadIsXz",
    "PayloadIsLzma",
    "PayloadFilesHavePrefix",
    "ExplicitPackageProvide",
    "HeaderLoadSortsTags",
    "ScriptletInterpreterArgs",
    "PartialHardlinkSets",
    "ConcurrentAccess",
    "BuiltinLuaScripts",
    "FileDigests",
    "FileCaps",
    "ScriptletExpansion",
    "TildeInVersions",
];
