//! The main header: every tag that rpm, yum and their users read, as rpmbuild writes it.
//!
//! Small functions, one for each group, collect the tags. The crate `rpm` sorts them, lays
//! out the store and adds the region.

mod dependencies;
mod files;
pub(crate) mod signature;
mod weight;

use rpm::{Header, HeaderEntry, IndexData, IndexTag};

pub(crate) use dependencies::Dependencies;
pub(crate) use weight::weight;

use crate::{
    deps::FileFacts,
    payload::{Compression, Inodes, PayloadFacts},
    scriptlet::Scriptlets,
    spec::Package,
    stage::StagedRoot,
};

/// Everything that the header is made from.
pub(crate) struct Parts<'a> {
    pub(crate) package: &'a Package,
    pub(crate) root: &'a StagedRoot,
    pub(crate) facts: &'a [FileFacts],
    pub(crate) inodes: &'a Inodes,
    pub(crate) scriptlets: &'a Scriptlets,
    pub(crate) dependencies: &'a Dependencies,
    pub(crate) payload: &'a PayloadFacts,
    pub(crate) compression: Compression,
    pub(crate) build_host: &'a str,
    pub(crate) time: u32,
}

/// The tags that have been collected so far.
#[derive(Default)]
struct Tags(Vec<HeaderEntry>);

impl Tags {
    fn string(&mut self, tag: IndexTag, value: impl Into<String>) {
        self.push(tag, IndexData::StringTag(value.into()));
    }

    fn optional(&mut self, tag: IndexTag, value: Option<&str>) {
        if let Some(value) = value {
            self.string(tag, value);
        }
    }

    /// A text that could be translated; only the C locale is written.
    fn i18n(&mut self, tag: IndexTag, value: &str) {
        self.push(tag, IndexData::I18NString(vec![value.to_owned()]));
    }

    fn int(&mut self, tag: IndexTag, value: u32) {
        self.push(tag, IndexData::Int32(vec![value]));
    }

    fn ints(&mut self, tag: IndexTag, values: impl IntoIterator<Item = u32>) {
        self.push(tag, IndexData::Int32(values.into_iter().collect()));
    }

    fn shorts(&mut self, tag: IndexTag, values: impl IntoIterator<Item = u16>) {
        self.push(tag, IndexData::Int16(values.into_iter().collect()));
    }

    fn strings(&mut self, tag: IndexTag, values: impl IntoIterator<Item = impl Into<String>>) {
        self.push(tag, IndexData::StringArray(values.into_iter().map(Into::into).collect()));
    }

    fn push(&mut self, tag: IndexTag, data: IndexData) {
        self.0.push(HeaderEntry::new(tag as u32, data));
    }
}

/// Builds the main header.
pub(crate) fn build(parts: &Parts<'_>) -> Header<IndexTag> {
    let mut tags = Tags::default();
    identity(&mut tags, parts);
    origin(&mut tags, parts);
    files::write(&mut tags, parts);
    dependencies::write(&mut tags, parts);
    scriptlets(&mut tags, parts.scriptlets);
    changelog(&mut tags, parts.package);
    payload(&mut tags, parts);
    Header::from_entries(tags.0, IndexTag::RPMTAG_HEADERIMMUTABLE)
}

fn identity(tags: &mut Tags, parts: &Parts<'_>) {
    use IndexTag as T;
    let package = parts.package;
    tags.strings(T::RPMTAG_HEADERI18NTABLE, ["C"]);
    tags.string(T::RPMTAG_NAME, &package.name);
    tags.string(T::RPMTAG_VERSION, &package.version);
    tags.string(T::RPMTAG_RELEASE, &package.release);
    if let Some(epoch) = package.epoch {
        tags.int(T::RPMTAG_EPOCH, epoch);
    }
    tags.i18n(T::RPMTAG_SUMMARY, &package.summary);
    tags.i18n(T::RPMTAG_DESCRIPTION, &package.description);
    tags.i18n(T::RPMTAG_GROUP, &package.group);
    tags.string(T::RPMTAG_LICENSE, &package.license);
    tags.optional(T::RPMTAG_URL, package.url.as_deref());
    tags.optional(T::RPMTAG_VENDOR, package.vendor.as_deref());
    tags.optional(T::RPMTAG_PACKAGER, package.packager.as_deref());
    tags.string(T::RPMTAG_OS, "linux");
    tags.string(T::RPMTAG_ARCH, package.arch.as_str());
    tags.string(T::RPMTAG_ENCODING, "utf-8");
}

/// The version of rpm whose header layout is used. Only people read RPMVERSION. It names the
/// target's version, so that readers expect no newer features.
pub(crate) const RPM_VERSION: &str = "4.11.3";

fn origin(tags: &mut Tags, parts: &Parts<'_>) {
    use IndexTag as T;
    let package = parts.package;
    tags.int(T::RPMTAG_BUILDTIME, parts.time);
    tags.string(T::RPMTAG_BUILDHOST, parts.build_host);
    tags.string(T::RPMTAG_RPMVERSION, RPM_VERSION);
    // rpm treats a package without this tag as a source package.
    let source = format!("{}-{}-{}.src.rpm", package.name, package.version, package.release);
    tags.string(T::RPMTAG_SOURCERPM, source);
    tags.string(T::RPMTAG_PLATFORM, format!("{}-redhat-linux-gnu", package.arch.as_str()));
    tags.string(T::RPMTAG_OPTFLAGS, "-O2 -g");
}

fn scriptlets(tags: &mut Tags, scriptlets: &Scriptlets) {
    for (of, script) in scriptlets.iter() {
        if !script.body.is_empty() {
            tags.string(of.body, &script.body);
        }
        // rpmbuild writes a lone interpreter as a string, one with arguments as an array.
        match script.program.as_slice() {
            [program] => tags.string(of.program, program),
            program => tags.strings(of.program, program),
        }
        if script.flags != 0 {
            tags.int(of.flags, script.flags);
        }
    }
}

fn changelog(tags: &mut Tags, package: &Package) {
    use IndexTag as T;
    let log = &package.changelog;
    if !log.is_empty() {
        tags.ints(T::RPMTAG_CHANGELOGTIME, log.iter().map(|c| c.time));
        tags.strings(T::RPMTAG_CHANGELOGNAME, log.iter().map(|c| &c.author));
        tags.strings(T::RPMTAG_CHANGELOGTEXT, log.iter().map(|c| &c.text));
    }
}

fn payload(tags: &mut Tags, parts: &Parts<'_>) {
    use IndexTag as T;
    tags.string(T::RPMTAG_PAYLOADFORMAT, "cpio");
    tags.string(T::RPMTAG_PAYLOADCOMPRESSOR, parts.compression.format.as_str());
    tags.string(T::RPMTAG_PAYLOADFLAGS, parts.compression.level.to_string());
    tags.strings(T::RPMTAG_PAYLOADSHA256, [&parts.payload.digest]);
    tags.int(T::RPMTAG_PAYLOADSHA256ALGO, files::SHA256);
    tags.strings(T::RPMTAG_PAYLOADSHA256ALT, [&parts.payload.archive_digest]);
}
