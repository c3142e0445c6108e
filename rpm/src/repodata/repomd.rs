//! `repomd.xml`: the list of the other files with their digests. Its signature is what a host's
//! trust in the whole repository hangs on.

use std::{
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
    Error, Result,
    openpgp::{self, Certificate},
    payload::hex,
};

/// One of the files that repomd.xml lists.
pub(super) struct DataFile {
    kind: &'static str,
    file_name: String,
    checksum: String,
    size: u64,
    open_checksum: String,
    open_size: u64,
}

/// Compresses `xml` into `dir`, under a name that holds its digest: a client that reads while the
/// repository is being replaced never mixes the old with the new.
pub(super) fn store(dir: &Path, kind: &'static str, xml: &[u8]) -> Result<DataFile> {
    // No time and no name in the gzip header: the same XML gives the same bytes.
    let mut gzip = GzBuilder::new().mtime(0).write(Vec::new(), Compression::new(6));
    gzip.write_all(xml)?;
    let compressed = gzip.finish()?;
    let checksum = hex(&Sha256::digest(&compressed));
    let file_name = format!("{checksum}-{kind}.xml.gz");
    fs_err::write(dir.join(&file_name), &compressed)?;
    Ok(DataFile {
        kind,
        file_name,
        checksum,
        size: compressed.len() as u64,
        open_checksum: hex(&Sha256::digest(xml)),
        open_size: xml.len() as u64,
    })
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
                    .with_attribute(("type", file.kind))
                    .write_inner_content(|out| {
                        let sum = |out: &mut Writer<Vec<u8>>, name: &str, value: &str| {
                            out.create_element(name)
                                .with_attribute(("type", "sha256"))
                                .write_text_content(BytesText::new(value))
                                .map(|_| ())
                        };
                        sum(out, "checksum", &file.checksum)?;
                        sum(out, "open-checksum", &file.open_checksum)?;
                        let href = format!("repodata/{}", file.file_name);
                        out.create_element("location")
                            .with_attribute(("href", href.as_str()))
                            .write_empty()?;
                        text(out, "timestamp", &revision.to_string())?;
                        text(out, "size", &file.size.to_string())?;
                        text(out, "open-size", &file.open_size.to_string())
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

/// Largest file of metadata that is read: far beyond the needs of any repository of ours, far
/// below what would fill a machine's memory.
const MAX_METADATA: u64 = 256 << 20;

/// Checks `dir/repodata` against the key and every package that it lists against the file in
/// `dir`. The RPMs' own signatures are [`crate::verify`]'s affair.
///
/// # Errors
/// An I/O error other than a missing file. What is wrong is no error but a [`Problem`].
pub fn verify(dir: &Path, certificate: &Certificate) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    let problem =
        |file: &str, message: &str| Problem { file: file.into(), message: message.into() };
    let Some(repomd) = read(&dir.join("repodata/repomd.xml"))? else {
        return Ok(vec![problem("repodata/repomd.xml", "is missing")]);
    };
    let Some(armored) = read(&dir.join("repodata/repomd.xml.asc"))? else {
        return Ok(vec![problem("repodata/repomd.xml.asc", "is missing")]);
    };
    let checked = openpgp::packet_from_armor(&armored)
        .and_then(|packet| certificate.verify(&packet, &repomd[..]));
    if let Err(mismatch) = checked {
        // What nobody vouches for is not followed any further.
        return Ok(vec![problem("repodata/repomd.xml.asc", &format!("the signature {mismatch}"))]);
    }
    let files = match listed_files(&repomd) {
        Ok(files) => files,
        Err(message) => {
            problems.push(problem("repodata/repomd.xml", &message));
            return Ok(problems);
        }
    };
    for kind in ["primary", "filelists", "other"] {
        if !files.iter().any(|f| f.kind == kind) {
            problems.push(problem("repodata/repomd.xml", &format!("does not list {kind}")));
        }
    }
    for file in files {
        check_data_file(dir, &file, &mut problems)?;
    }
    Ok(problems)
}

/// A file named in metadata, with the SHA-256 that it must have.
struct Listed {
    kind: String,
    href: String,
    checksum: String,
}

fn check_data_file(dir: &Path, file: &Listed, problems: &mut Vec<Problem>) -> Result<()> {
    let mut problem =
        |name: &str, message: String| problems.push(Problem { file: name.into(), message });
    let Some(bytes) = read(&dir.join(&file.href))? else {
        problem(&file.href, "is missing".into());
        return Ok(());
    };
    if hex(&Sha256::digest(&bytes)) != file.checksum {
        problem(&file.href, "does not have the checksum that repomd.xml states".into());
        return Ok(());
    }
    if file.kind != "primary" {
        return Ok(());
    }
    let mut xml = Vec::new();
    let unpacked = MultiGzDecoder::new(&bytes[..]).take(MAX_METADATA).read_to_end(&mut xml);
    let packages = match unpacked.map_err(|e| e.to_string()).and_then(|_| listed_packages(&xml)) {
        Ok(packages) => packages,
        Err(message) => {
            problem(&file.href, message);
            return Ok(());
        }
    };
    for package in packages {
        match digest_of(&dir.join(&package.href))? {
            None => problem(&package.href, "is listed but missing".into()),
            Some(digest) if digest != package.checksum => {
                problem(&package.href, "does not have the checksum that the index states".into());
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Opens a regular file, or nothing where there is none. Anything else (a FIFO, a device) could
/// keep the reader for ever.
fn open(path: &Path) -> Result<Option<fs_err::File>> {
    match fs_err::metadata(path) {
        Ok(meta) if meta.is_file() => Ok(Some(fs_err::File::open(path)?)),
        Ok(_) => Err(Error::format(path, "is not a regular file")),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e.into()),
    }
}

fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    let Some(file) = open(path)? else { return Ok(None) };
    let mut bytes = Vec::new();
    file.take(MAX_METADATA + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > MAX_METADATA {
        true => Err(Error::format(path, "is larger than any metadata of ours")),
        false => Ok(Some(bytes)),
    }
}

/// SHA-256 of a file in hex, or `None` if there is none.
pub(super) fn digest_of(path: &Path) -> Result<Option<String>> {
    let Some(mut file) = open(path)? else { return Ok(None) };
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 17];
    loop {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            return Ok(Some(hex(&hash.finalize())));
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
    let mut in_checksum = false;
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
            }),
            Event::Start(e) if e.name().as_ref() == "checksum" => {
                in_checksum = attribute(&e, "type").as_deref() == Some("sha256");
            }
            Event::Text(e) if in_checksum => {
                if let Some(last) = out.last_mut() {
                    last.checksum = (*e).to_owned();
                }
                in_checksum = false;
            }
            Event::Empty(e) if e.name().as_ref() == "location" => {
                if let Some(last) = out.last_mut() {
                    last.href = attribute(&e, "href").unwrap_or_default();
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
