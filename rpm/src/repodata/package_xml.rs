//! The entries of one package in the metadata, and the three XML files with the entries of all packages.
//!
//! They have the same requirements and files as createrepo_c's, which yum and dnf were
//! written for. The tests compare with it entry by entry.

use std::{collections::HashSet, io, path::Path};

use quick_xml::{
    Writer,
    events::{BytesDecl, BytesText, Event},
};
use rpm::{DependencyFlags as F, FileFlags, IndexSignatureTag as SigTag, IndexTag as T};

use super::repomd::digest_of;
use crate::{Error, Result, read::Rpm, spec::printable};

/// A package as the metadata describes it. That may be any binary RPM; only signed ones get into the
/// metadata of a repository ([`super::write`]).
#[derive(Clone, Debug)]
pub struct IndexedRpm {
    pub(super) file_name: String,
    pub(super) nevra: String,
    checksum: String,
    size: u64,
    pub(super) build_time: u32,
    name: String,
    arch: String,
    version: Version,
    texts: Texts,
    installed_size: u64,
    archive_size: u64,
    header: std::ops::Range<usize>,
    lists: Vec<(&'static str, Vec<Relation>)>,
    files: Vec<File>,
    changelog: Vec<(u32, String, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Version {
    epoch: String,
    version: String,
    release: String,
}

#[derive(Clone, Debug)]
struct Texts {
    summary: String,
    description: String,
    packager: String,
    url: String,
    license: String,
    vendor: String,
    group: String,
    build_host: String,
    source: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Relation {
    name: String,
    compare: Option<(&'static str, Version)>,
    /// Required before the package's own files are installed.
    pre: bool,
}

#[derive(Clone, Debug)]
struct File {
    path: String,
    kind: Option<&'static str>,
}

type Out = Writer<Vec<u8>>;

impl IndexedRpm {
    /// What yum tells packages apart by: name, version and architecture. No epoch is the epoch 0.
    pub(super) fn identity(&self) -> (&str, &Version, &str) {
        (&self.name, &self.version, &self.arch)
    }

    /// Reads everything that the metadata says of the RPM at `path`: its headers, and the whole file once for its
    /// SHA-256.
    ///
    /// # Errors
    /// [`Error::Format`] if the file is no binary RPM, or its name cannot be in an address; or an I/O error.
    pub fn read(path: &Path) -> Result<Self> {
        let rpm = Rpm::open(path)?;
        let missing = |what: &str| Error::format(path, format!("has no {what}"));
        if rpm.string(T::RPMTAG_SOURCERPM).is_none() {
            return Err(Error::format(path, "is a source package; only binary ones are indexed"));
        }
        let file_name =
            path.file_name().and_then(|n| n.to_str()).ok_or_else(|| missing("name in UTF-8"))?;
        // XML cannot hold control characters, and the others have another meaning in an address.
        if file_name.contains(|c: char| c.is_control() || "#?%".contains(c)) {
            let message = "has control characters or one of `#?%` in its name, and no host could ask a server for it: \
                           rename it to NAME-VERSION-RELEASE.ARCH.rpm";
            return Err(Error::format(printable(&path.to_string_lossy()), message));
        }
        let required = |tag, what| rpm.string(tag).map(clean).ok_or_else(|| missing(what));
        let files = files(&rpm);
        Ok(Self {
            file_name: file_name.to_owned(),
            nevra: rpm.nevra(),
            checksum: digest_of(path)?,
            size: fs_err::metadata(path)?.len(),
            build_time: rpm.build_time(),
            name: required(T::RPMTAG_NAME, "name")?,
            arch: required(T::RPMTAG_ARCH, "architecture")?,
            version: Version {
                epoch: rpm.int(T::RPMTAG_EPOCH).unwrap_or(0).to_string(),
                version: required(T::RPMTAG_VERSION, "version")?,
                release: required(T::RPMTAG_RELEASE, "release")?,
            },
            texts: Texts::of(&rpm),
            installed_size: long(&rpm, T::RPMTAG_SIZE, T::RPMTAG_LONGSIZE),
            archive_size: archive_size(&rpm),
            header: rpm.header_range(),
            lists: relations(&rpm, &files),
            files,
            changelog: changelog(&rpm),
        })
    }

    /// Name of the file, without any folder.
    pub fn file_name(&self) -> &str {
        &self.file_name
    }

    /// SHA-256 of the whole file, in lower-case hex; the package's id in the metadata.
    pub fn checksum(&self) -> &str {
        &self.checksum
    }

    /// Size of the file in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Name of the package.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Texts {
    fn of(rpm: &Rpm) -> Self {
        let text = |tag| rpm.string(tag).map(clean).unwrap_or_default();
        let i18n = |tag| {
            rpm.metadata.header.get_entry_data_as_i18n_string(tag).map(clean).unwrap_or_default()
        };
        Self {
            summary: i18n(T::RPMTAG_SUMMARY),
            description: i18n(T::RPMTAG_DESCRIPTION),
            packager: text(T::RPMTAG_PACKAGER),
            url: text(T::RPMTAG_URL),
            license: text(T::RPMTAG_LICENSE),
            vendor: text(T::RPMTAG_VENDOR),
            group: i18n(T::RPMTAG_GROUP),
            build_host: text(T::RPMTAG_BUILDHOST),
            source: text(T::RPMTAG_SOURCERPM),
        }
    }
}

/// Removes characters that XML 1.0 cannot hold: most control characters, and two that are not characters.
fn clean(text: &str) -> String {
    let legal = |c: &char| match c {
        '\n' | '\t' => true,
        '\u{fffe}' | '\u{ffff}' => false,
        c => !c.is_control(),
    };
    text.chars().filter(legal).collect()
}

fn long(rpm: &Rpm, short: T, long: T) -> u64 {
    let header = &rpm.metadata.header;
    header.get_entry_data_as_u64(long).unwrap_or_else(|_| rpm.int(short).unwrap_or(0).into())
}

fn archive_size(rpm: &Rpm) -> u64 {
    let signature = &rpm.metadata.signature;
    let short = signature.get_entry_data_as_u32(SigTag::RPMSIGTAG_PAYLOADSIZE).map(u64::from);
    short
        .or_else(|_| signature.get_entry_data_as_u64(SigTag::RPMSIGTAG_LONGARCHIVESIZE))
        .unwrap_or(0)
}

fn files(rpm: &Rpm) -> Vec<File> {
    let folders = rpm.strings(T::RPMTAG_DIRNAMES);
    let index = rpm.ints(T::RPMTAG_DIRINDEXES);
    let flags = rpm.ints(T::RPMTAG_FILEFLAGS);
    let modes =
        rpm.metadata.header.get_entry_data_as_u16_array(T::RPMTAG_FILEMODES).unwrap_or_default();
    let names = rpm.strings(T::RPMTAG_BASENAMES);
    let one = |(i, name): (usize, &str)| {
        let folder = folders.get(*index.get(i)? as usize)?;
        let is_dir = modes.get(i).is_some_and(|m| m & 0o170_000 == 0o040_000);
        let is_ghost = flags.get(i).is_some_and(|f| f & FileFlags::GHOST.bits() != 0);
        let kind = if is_dir { Some("dir") } else { is_ghost.then_some("ghost") };
        Some(File { path: clean(&format!("{folder}{name}")), kind })
    };
    names.into_iter().enumerate().filter_map(one).collect()
}

/// Whether `primary` lists the file: it has only those that other packages may require by path.
fn is_primary(file: &File) -> bool {
    file.path.starts_with("/etc/") || file.path.contains("bin/") || file.path == "/usr/lib/sendmail"
}

fn relations(rpm: &Rpm, files: &[File]) -> Vec<(&'static str, Vec<Relation>)> {
    let list = |name, flags, version| {
        let (flags, versions) = (rpm.ints(flags), rpm.strings(version));
        let names = rpm.strings(name).into_iter().enumerate();
        names.map(|(i, name)| relation(name, flags.get(i), versions.get(i))).collect::<Vec<_>>()
    };
    let mut seen = HashSet::new();
    let mut unique = |list: Vec<Relation>| {
        seen.clear();
        list.into_iter().filter(|r| seen.insert(r.clone())).collect::<Vec<_>>()
    };
    let provides = list(T::RPMTAG_PROVIDENAME, T::RPMTAG_PROVIDEFLAGS, T::RPMTAG_PROVIDEVERSION);
    let requires = list(T::RPMTAG_REQUIRENAME, T::RPMTAG_REQUIREFLAGS, T::RPMTAG_REQUIREVERSION);
    let own_files: HashSet<_> =
        files.iter().filter(|f| is_primary(f)).map(|f| f.path.as_str()).collect();
    let own = |r: &Relation| {
        own_files.contains(r.name.as_str())
            || provides.iter().any(|p| p.name == r.name && p.compare == r.compare)
    };
    let requires =
        requires.into_iter().filter(|r| !r.name.starts_with("rpmlib(") && !own(r)).collect();
    let conflicts =
        list(T::RPMTAG_CONFLICTNAME, T::RPMTAG_CONFLICTFLAGS, T::RPMTAG_CONFLICTVERSION);
    let obsoletes =
        list(T::RPMTAG_OBSOLETENAME, T::RPMTAG_OBSOLETEFLAGS, T::RPMTAG_OBSOLETEVERSION);
    vec![
        ("rpm:requires", highest_libc(unique(requires))),
        ("rpm:provides", unique(provides)),
        ("rpm:conflicts", unique(conflicts)),
        ("rpm:obsoletes", unique(obsoletes)),
    ]
}

fn relation(name: &str, flags: Option<&u32>, version: Option<&&str>) -> Relation {
    let flags = F::from_bits_retain(flags.copied().unwrap_or(0));
    let word = match flags.comparator_str() {
        "=" => Some("EQ"),
        "<" => Some("LT"),
        "<=" => Some("LE"),
        ">" => Some("GT"),
        ">=" => Some("GE"),
        _ => None,
    };
    let pre = flags.intersects(F::PREREQ | F::SCRIPT_PRE | F::SCRIPT_POST);
    let compare = word.map(|word| (word, evr(version.copied().unwrap_or(""))));
    Relation { name: clean(name), compare, pre }
}

fn evr(text: &str) -> Version {
    let text = clean(text);
    let (epoch, rest) = text.split_once(':').unwrap_or(("0", &text));
    let (version, release) = rest.split_once('-').unwrap_or((rest, ""));
    Version { epoch: epoch.into(), version: version.into(), release: release.into() }
}

/// Keeps only the highest of glibc's symbol versions, which includes the lower ones.
fn highest_libc(requires: Vec<Relation>) -> Vec<Relation> {
    let (libc, mut others): (Vec<_>, Vec<_>) =
        requires.into_iter().partition(|r| r.name.starts_with("libc.so.6"));
    let numbers = |name: &str| -> Vec<u32> {
        let inner =
            name.split_once("GLIBC_").map_or("", |(_, rest)| rest.split(')').next().unwrap_or(""));
        inner.split('.').map_while(|n| n.parse().ok()).collect()
    };
    others.extend(libc.into_iter().max_by_key(|r| numbers(&r.name)));
    others
}

/// The number of newest changelog entries in the metadata: that of createrepo_c.
const CHANGELOG_ENTRIES: usize = 10;

fn changelog(rpm: &Rpm) -> Vec<(u32, String, String)> {
    let (authors, texts) =
        (rpm.strings(T::RPMTAG_CHANGELOGNAME), rpm.strings(T::RPMTAG_CHANGELOGTEXT));
    let times = rpm.ints(T::RPMTAG_CHANGELOGTIME).into_iter();
    let mut entries: Vec<_> = times
        .zip(authors)
        .zip(texts)
        .map(|((time, author), text)| (time, clean(author), clean(text)))
        .take(CHANGELOG_ENTRIES)
        .collect();
    // Oldest first.
    entries.reverse();
    entries
}

/// `primary`, `filelists` and `other`, by name.
pub(super) fn all(packages: &[IndexedRpm]) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let primary = document("metadata", "common", packages, primary)?;
    let filelists = document("filelists", "filelists", packages, |out, p| {
        named(out, p, |out| p.files.iter().try_for_each(|f| file(out, f)))
    })?;
    let other = document("otherdata", "other", packages, |out, p| {
        named(out, p, |out| p.changelog.iter().try_for_each(|entry| change(out, entry)))
    })?;
    Ok(vec![("primary", primary), ("filelists", filelists), ("other", other)])
}

fn document(
    root: &str,
    schema: &str,
    packages: &[IndexedRpm],
    each: impl Fn(&mut Out, &IndexedRpm) -> io::Result<()>,
) -> Result<Vec<u8>> {
    let mut out = Writer::new_with_indent(Vec::new(), b' ', 2);
    out.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let namespace = format!("http://linux.duke.edu/metadata/{schema}");
    out.create_element(root)
        .with_attribute(("xmlns", namespace.as_str()))
        .with_attribute(("xmlns:rpm", "http://linux.duke.edu/metadata/rpm"))
        .with_attribute(("packages", packages.len().to_string().as_str()))
        .write_inner_content(|out| packages.iter().try_for_each(|p| each(out, p)))?;
    Ok(out.into_inner())
}

fn primary(out: &mut Out, p: &IndexedRpm) -> io::Result<()> {
    out.create_element("package").with_attribute(("type", "rpm")).write_inner_content(|out| {
        text(out, "name", &p.name)?;
        text(out, "arch", &p.arch)?;
        version(out, &p.version)?;
        out.create_element("checksum")
            .with_attribute(("type", "sha256"))
            .with_attribute(("pkgid", "YES"))
            .write_text_content(BytesText::new(&p.checksum))?;
        text(out, "summary", &p.texts.summary)?;
        text(out, "description", &p.texts.description)?;
        text(out, "packager", &p.texts.packager)?;
        text(out, "url", &p.texts.url)?;
        let time = p.build_time.to_string();
        empty(out, "time", &[("file", &time), ("build", &time)])?;
        let sizes = [p.size, p.installed_size, p.archive_size].map(|n| n.to_string());
        empty(
            out,
            "size",
            &[("package", &sizes[0]), ("installed", &sizes[1]), ("archive", &sizes[2])],
        )?;
        empty(out, "location", &[("href", &p.file_name)])?;
        out.create_element("format").write_inner_content(|out| format(out, p)).map(|_| ())
    })?;
    Ok(())
}

fn format(out: &mut Out, p: &IndexedRpm) -> io::Result<()> {
    let texts = [
        ("rpm:license", &p.texts.license),
        ("rpm:vendor", &p.texts.vendor),
        ("rpm:group", &p.texts.group),
        ("rpm:buildhost", &p.texts.build_host),
        ("rpm:sourcerpm", &p.texts.source),
    ];
    texts.iter().try_for_each(|(name, value)| text(out, name, value))?;
    let (start, end) = (p.header.start.to_string(), p.header.end.to_string());
    empty(out, "rpm:header-range", &[("start", &start), ("end", &end)])?;
    for (name, list) in p.lists.iter().filter(|(_, list)| !list.is_empty()) {
        out.create_element(*name)
            .write_inner_content(|out| list.iter().try_for_each(|r| entry(out, r)))?;
    }
    p.files.iter().filter(|f| is_primary(f)).try_for_each(|f| file(out, f))
}

fn entry(out: &mut Out, relation: &Relation) -> io::Result<()> {
    let mut element =
        out.create_element("rpm:entry").with_attribute(("name", relation.name.as_str()));
    if let Some((word, version)) = &relation.compare {
        element = element
            .with_attribute(("flags", *word))
            .with_attribute(("epoch", version.epoch.as_str()))
            .with_attribute(("ver", version.version.as_str()));
        if !version.release.is_empty() {
            element = element.with_attribute(("rel", version.release.as_str()));
        }
    }
    if relation.pre {
        element = element.with_attribute(("pre", "1"));
    }
    element.write_empty().map(|_| ())
}

/// The frame of a package in filelists and other.
fn named(
    out: &mut Out,
    p: &IndexedRpm,
    inner: impl FnOnce(&mut Out) -> io::Result<()>,
) -> io::Result<()> {
    out.create_element("package")
        .with_attribute(("pkgid", p.checksum.as_str()))
        .with_attribute(("name", p.name.as_str()))
        .with_attribute(("arch", p.arch.as_str()))
        .write_inner_content(|out| {
            version(out, &p.version)?;
            inner(out)
        })?;
    Ok(())
}

fn version(out: &mut Out, v: &Version) -> io::Result<()> {
    empty(out, "version", &[("epoch", &v.epoch), ("ver", &v.version), ("rel", &v.release)])
}

fn file(out: &mut Out, file: &File) -> io::Result<()> {
    let element = out.create_element("file");
    let element = match file.kind {
        Some(kind) => element.with_attribute(("type", kind)),
        None => element,
    };
    element.write_text_content(BytesText::new(&file.path)).map(|_| ())
}

fn change(out: &mut Out, (time, author, content): &(u32, String, String)) -> io::Result<()> {
    out.create_element("changelog")
        .with_attribute(("author", author.as_str()))
        .with_attribute(("date", time.to_string().as_str()))
        .write_text_content(BytesText::new(content))
        .map(|_| ())
}

fn text(out: &mut Out, name: &str, value: &str) -> io::Result<()> {
    out.create_element(name).write_text_content(BytesText::new(value)).map(|_| ())
}

fn empty(out: &mut Out, name: &str, attributes: &[(&str, &str)]) -> io::Result<()> {
    let attributes = attributes.iter().copied();
    out.create_element(name).with_attributes(attributes).write_empty().map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_xml_cannot_hold_are_left_out() {
        assert_eq!(clean("a\u{0}\u{1b}\u{fffe}\u{85}b\t\u{fc}\n"), "ab\t\u{fc}\n");
    }

    #[test]
    fn versions_are_split_into_epoch_version_release() {
        let parts = |text: &str| {
            let Version { epoch, version, release } = evr(text);
            [epoch, version, release]
        };
        assert_eq!(parts("1:2-3"), ["1", "2", "3"]);
        assert_eq!(parts("2"), ["0", "2", ""]);
        assert_eq!(parts(""), ["0", "", ""]);
    }

    #[test]
    fn relations_have_the_words_of_the_metadata() {
        let word = |flags: F| relation("a", Some(&flags.bits()), Some(&"1")).compare.map(|c| c.0);
        assert_eq!(word(F::ANY), None);
        assert_eq!(word(F::LESS | F::EQUAL), Some("LE"));
        assert_eq!(word(F::GREATER), Some("GT"));
        assert!(relation("a", Some(&F::SCRIPT_PRE.bits()), None).pre);
        assert!(!relation("a", Some(&F::SCRIPT_POSTUN.bits()), None).pre);
    }

    #[test]
    fn only_the_highest_glibc_version_is_kept() {
        let names = ["libc.so.6(GLIBC_2.9)(64bit)", "bash", "libc.so.6(GLIBC_2.17)(64bit)"];
        let all = names.map(|name| Relation { name: name.into(), compare: None, pre: false });
        let kept: Vec<_> = highest_libc(all.into()).into_iter().map(|r| r.name).collect();
        assert_eq!(kept, ["bash", "libc.so.6(GLIBC_2.17)(64bit)"]);
    }

    #[test]
    fn primary_lists_programs_and_configuration() {
        let listed = |path: &str| is_primary(&File { path: path.into(), kind: None });
        assert!(listed("/etc/x") && listed("/usr/sbin/x") && listed("/usr/lib/sendmail"));
        assert!(!listed("/usr/share/etc/x") && !listed("/usr/lib/x"));
    }
}
