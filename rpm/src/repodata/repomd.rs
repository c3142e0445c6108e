//! `repomd.xml`: the list of the other files with their digests. Hosts check its signature, and through it
//! the whole repository.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    io::{Read, Write},
    path::Path,
};

use flate2::{Compression, GzBuilder, read::MultiGzDecoder};
use quick_xml::{
    Reader, Writer,
    events::{BytesText, Event},
};
use sha2::{Digest, Sha256};

use crate::{
    Result, input,
    openpgp::{self, Certificate},
    payload::hex,
};

/// One of the files that repomd.xml lists.
pub(super) struct DataFile {
    pub(super) kind: String,
    pub(super) file_name: String,
    /// SHA-256.
    pub(super) checksum: String,
    pub(super) size: u64,
    /// Of what is packed in it: kind of digest, and digest.
    pub(super) open_checksum: Option<(String, String)>,
    pub(super) open_size: Option<u64>,
}

/// Compresses `xml` into a file of `dir` whose name has its digest. So a client that reads while the
/// repository is being replaced never mixes old and new files.
pub(super) fn store(dir: &Path, kind: &'static str, xml: &[u8]) -> Result<DataFile> {
    // No time and no name in the gzip header: the same XML gives the same bytes.
    let mut gzip = GzBuilder::new().mtime(0).write(Vec::new(), Compression::new(6));
    gzip.write_all(xml)?;
    let compressed = gzip.finish()?;
    let checksum = hex(&Sha256::digest(&compressed));
    let file_name = format!("{checksum}-{kind}.xml.gz");
    put(&dir.join(&file_name), &compressed)?;
    Ok(DataFile {
        kind: kind.to_owned(),
        file_name,
        checksum,
        size: compressed.len() as u64,
        open_checksum: Some(("sha256".into(), hex(&Sha256::digest(xml)))),
        open_size: Some(xml.len() as u64),
    })
}

/// Writes a new file, and syncs it to the disk.
pub(super) fn put(path: &Path, content: &[u8]) -> Result<()> {
    let mut file = fs_err::File::create_new(path)?;
    file.write_all(content)?;
    Ok(file.sync_all()?)
}

pub(super) fn xml(files: &[DataFile], revision: u32) -> Result<Vec<u8>> {
    let mut out = Writer::new_with_indent(Vec::new(), b' ', 2);
    let text = |out: &mut Writer<Vec<u8>>, name: &str, value: &str| {
        out.create_element(name).write_text_content(BytesText::new(value)).map(|_| ())
    };
    out.write_event(Event::Decl(quick_xml::events::BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    out.create_element("repomd")
        .with_attribute(("xmlns", "http://linux.duke.edu/metadata/repo"))
        .with_attribute(("xmlns:rpm", "http://linux.duke.edu/metadata/rpm"))
        .write_inner_content(|out| {
            text(out, "revision", &revision.to_string())?;
            for file in files {
                out.create_element("data")
                    .with_attribute(("type", file.kind.as_str()))
                    .write_inner_content(|out| {
                        let sum =
                            |out: &mut Writer<Vec<u8>>, name: &str, kind: &str, value: &str| {
                                out.create_element(name)
                                    .with_attribute(("type", kind))
                                    .write_text_content(BytesText::new(value))
                                    .map(|_| ())
                            };
                        sum(out, "checksum", "sha256", &file.checksum)?;
                        if let Some((kind, value)) = &file.open_checksum {
                            sum(out, "open-checksum", kind, value)?;
                        }
                        let href = format!("repodata/{}", file.file_name);
                        out.create_element("location")
                            .with_attribute(("href", href.as_str()))
                            .write_empty()?;
                        text(out, "timestamp", &revision.to_string())?;
                        text(out, "size", &file.size.to_string())?;
                        match file.open_size {
                            Some(size) => text(out, "open-size", &size.to_string()),
                            None => Ok(()),
                        }
                    })?;
            }
            Ok(())
        })?;
    let mut bytes = out.into_inner();
    bytes.push(b'\n');
    Ok(bytes)
}

/// What is wrong with a repository's metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// File, relative to the repository.
    pub file: String,
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.message)
    }
}

/// The result of [`verify()`]: what the signed metadata lists, and what is wrong with it.
#[derive(Clone, Debug, Default)]
pub struct VerifiedMetadata {
    /// The packages that it lists: paths relative to the repository, with their SHA-256.
    pub packages: BTreeMap<String, String>,
    /// The files of the metadata, relative to the repository.
    pub files: BTreeSet<String>,
    /// What is wrong. If it is empty, every listed file exists with the stated size and digest.
    pub problems: Vec<Problem>,
}

impl VerifiedMetadata {
    fn problem(&mut self, file: &str, message: impl Into<String>) {
        self.problems.push(Problem { file: file.into(), message: message.into() });
    }
}

/// Limit in bytes for a file of metadata: much more than a repository needs, and much less than the memory of a
/// machine.
pub(super) const MAX_METADATA: u64 = 256 << 20;
pub(super) const REPOMD: &str = "repodata/repomd.xml";
const SIGNATURE: &str = "repodata/repomd.xml.asc";

/// Checks the signature of `dir/repodata/repomd.xml`, the other files of `dir/repodata`, and the size and digest of every
/// listed package in `dir`. It does not check the RPMs' own signatures ([`crate::verify`] does), nor whether `dir` has
/// files that the metadata does not list.
///
/// # Errors
/// An I/O error; a missing file is none. Everything that is wrong with the repository is returned as a [`Problem`].
pub fn verify(dir: &Path, certificate: &Certificate) -> Result<VerifiedMetadata> {
    let mut found = VerifiedMetadata::default();
    found.files.extend([REPOMD, SIGNATURE].map(str::to_owned));
    let Some(repomd) = read(&dir.join(REPOMD))? else {
        found.problem(REPOMD, "is missing");
        return Ok(found);
    };
    let Some(armored) = read(&dir.join(SIGNATURE))? else {
        found.problem(SIGNATURE, "is missing");
        return Ok(found);
    };
    let checked = openpgp::packet_from_armor(&armored)
        .and_then(|packet| certificate.verify(&packet, &repomd[..]));
    if let Err(mismatch) = checked {
        // Without a valid signature, the files that it lists are not read.
        found.problem(SIGNATURE, format!("the signature {mismatch}"));
        return Ok(found);
    }
    let files = match listed_files(&repomd) {
        Ok(files) => files,
        Err(message) => {
            found.problem(REPOMD, message);
            return Ok(found);
        }
    };
    for kind in ["primary", "filelists", "other"] {
        if !files.iter().any(|f| f.kind == kind) {
            found.problem(REPOMD, format!("does not list {kind}"));
        }
    }
    for file in files {
        check_data_file(dir, &file, &mut found)?;
        found.files.insert(file.href);
    }
    Ok(found)
}

/// A file named in metadata, with the SHA-256 and the size that it must have.
struct Listed {
    kind: String,
    href: String,
    checksum: String,
    size: Option<u64>,
}

impl Listed {
    /// The problem with the size of the file, if any. After this check, reading the file is bounded by the stated size.
    fn wrong_size(&self, dir: &Path) -> Result<Option<&'static str>> {
        let path = dir.join(&self.href);
        if !input::is_there(&path)? {
            return Ok(Some("is listed but missing"));
        }
        let there = input::open(&path)?.metadata()?.len();
        Ok((self.size != Some(there)).then_some("does not have the size that the index states"))
    }
}

fn check_data_file(dir: &Path, file: &Listed, found: &mut VerifiedMetadata) -> Result<()> {
    if let Some(message) = file.wrong_size(dir)? {
        found.problem(&file.href, message);
        return Ok(());
    }
    let bytes = input::read(&dir.join(&file.href), MAX_METADATA)?;
    if hex(&Sha256::digest(&bytes)) != file.checksum {
        found.problem(&file.href, "does not have the checksum that repomd.xml states");
        return Ok(());
    }
    if file.kind != "primary" {
        return Ok(());
    }
    let packages = match unpack(&bytes).and_then(|xml| listed_packages(&xml)) {
        Ok(packages) => packages,
        Err(message) => {
            found.problem(&file.href, message);
            return Ok(());
        }
    };
    for package in packages {
        if let Some(message) = package.wrong_size(dir)? {
            found.problem(&package.href, message);
        } else if digest_of(&dir.join(&package.href))? != package.checksum {
            found.problem(&package.href, "does not have the checksum that the index states");
        }
        found.packages.insert(package.href, package.checksum);
    }
    Ok(())
}

fn unpack(gzip: &[u8]) -> std::result::Result<Vec<u8>, String> {
    let mut xml = Vec::new();
    let unpacked = MultiGzDecoder::new(gzip).take(MAX_METADATA + 1).read_to_end(&mut xml);
    match unpacked.map_err(|e| e.to_string())? as u64 > MAX_METADATA {
        true => Err("is larger than 256 MiB, the limit for metadata".into()),
        false => Ok(xml),
    }
}

pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match input::is_there(path)? {
        true => Ok(Some(input::read(path, MAX_METADATA)?)),
        false => Ok(None),
    }
}

/// SHA-256 of a file in hex.
pub(super) fn digest_of(path: &Path) -> Result<String> {
    let file = input::open(path)?;
    // A file may grow for ever: no more of it than there is now.
    let size = file.metadata()?.len();
    let mut file = file.take(size);
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 17];
    loop {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(&buffer[..n]);
    }
}

fn listed_files(repomd: &[u8]) -> std::result::Result<Vec<Listed>, String> {
    listed(repomd, "data", Some("type"))
}

fn listed_packages(primary: &[u8]) -> std::result::Result<Vec<Listed>, String> {
    listed(primary, "package", None)
}

/// Collects `<checksum type="sha256">` and `<location href>` of every element called `outer`.
fn listed(xml: &[u8], outer: &str, kind: Option<&str>) -> std::result::Result<Vec<Listed>, String> {
    let xml = std::str::from_utf8(xml).map_err(|e| e.to_string())?;
    let mut reader = Reader::from_str(xml);
    let mut out: Vec<Listed> = Vec::new();
    // The element whose text is wanted.
    let mut inside = "";
    let mut depth = 0_usize;
    loop {
        let event = reader.read_event().map_err(|e| e.to_string())?;
        let attribute = |e: &quick_xml::events::BytesStart<'_>, name: &str| {
            let found = e.attributes().flatten().find(|a| a.key.as_ref() == name)?;
            Some(quick_xml::escape::unescape(&found.value).ok()?.into_owned())
        };
        match &event {
            Event::Start(_) => depth += 1,
            Event::End(_) => depth = depth.saturating_sub(1),
            _ => {}
        }
        match event {
            Event::Start(e) if e.name().as_ref() == outer => out.push(Listed {
                kind: kind.and_then(|k| attribute(&e, k)).unwrap_or_default(),
                href: String::new(),
                checksum: String::new(),
                size: None,
            }),
            Event::Start(e) if e.name().as_ref() == "checksum" => {
                let is_sha256 = attribute(&e, "type").as_deref() == Some("sha256");
                inside = if is_sha256 { "checksum" } else { "" };
            }
            Event::Start(e) => inside = if e.name().as_ref() == "size" { "size" } else { "" },
            Event::Text(e) => {
                match (inside, out.last_mut()) {
                    ("checksum", Some(last)) => last.checksum = (*e).to_owned(),
                    ("size", Some(last)) => last.size = e.trim().parse().ok(),
                    _ => {}
                }
                inside = "";
            }
            Event::Empty(e) => {
                let last = out.last_mut();
                match (e.name().as_ref(), last) {
                    ("location", Some(last)) => {
                        last.href = attribute(&e, "href").unwrap_or_default();
                    }
                    ("size", Some(last)) => {
                        last.size = attribute(&e, "package").and_then(|size| size.parse().ok());
                    }
                    _ => {}
                }
            }
            Event::Eof if depth > 0 => return Err("ends in the middle".into()),
            Event::Eof => break,
            _ => {}
        }
    }
    let outside = |l: &&Listed| {
        l.href.is_empty() || l.href.starts_with('/') || l.href.split('/').any(|p| p == "..")
    };
    match out.iter().find(outside) {
        Some(bad) => Err(format!(
            "names the file `{}`, which is not inside the repository",
            crate::spec::printable(&bad.href)
        )),
        None => Ok(out),
    }
}
