//! repomd.xml: the files of a repository's metadata and their digests.

use std::io::{self, BufRead, Read};

use super::xml::{Item, Xml, append, invalid, value};
use crate::payload::Decoder;

/// A file of the metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataFile {
    /// `primary`, `filelists` and others.
    pub kind: String,
    /// Its path in the repository.
    pub path: String,
    /// SHA-256 of the file in lower-case hex; empty if repomd.xml has none.
    pub sha256: String,
    /// Its size in bytes, if repomd.xml states it.
    pub size: Option<u64>,
    /// Its size in bytes when it is decompressed, if repomd.xml states it.
    pub open_size: Option<u64>,
}

/// Most bytes of a decompressed file. CentOS 7 has 300 MB.
const LARGEST: u64 = 2 << 30;

impl MetadataFile {
    /// Decompresses `content`, the content of the file. More bytes than repomd.xml states, or more than 2 GiB, are an error.
    ///
    /// # Errors
    /// `InvalidData` for an unknown format.
    pub fn decompressed<R: BufRead>(&self, content: R) -> io::Result<impl Read + use<R>> {
        let compressor = match self.path.rsplit('.').next() {
            Some("xml" | "gz") => "gzip",
            Some("xz") => "xz",
            Some("bz2") => "bzip2",
            Some("zst") => "zstd",
            _ => return Err(invalid("it is compressed in an unknown format")),
        };
        let most = self.open_size.unwrap_or(LARGEST).min(LARGEST);
        Ok(Limited { inner: Decoder::new(compressor, content)?, left: most })
    }
}

/// Reads repomd.xml.
///
/// # Errors
/// `InvalidData` if the document is not valid.
pub fn read(document: impl BufRead) -> io::Result<Vec<MetadataFile>> {
    let mut xml = Xml::new(document);
    let mut files: Vec<MetadataFile> = Vec::new();
    let (mut text, mut is_sha256, mut is_repomd) = (String::new(), false, false);
    loop {
        match xml.next()? {
            Item::Open { name, attributes } => {
                text.clear();
                match (name.as_str(), files.last_mut()) {
                    ("repomd", _) => is_repomd = true,
                    ("data", _) => files.push(MetadataFile {
                        kind: value(&attributes, "type").to_owned(),
                        path: String::new(),
                        sha256: String::new(),
                        size: None,
                        open_size: None,
                    }),
                    ("checksum", _) => is_sha256 = value(&attributes, "type") == "sha256",
                    ("location", Some(file)) => {
                        file.path = check_path(value(&attributes, "href"))?;
                    }
                    _ => {}
                }
            }
            Item::Text(more) => append(&mut text, &more)?,
            Item::Close(name) => match (name.as_str(), files.last_mut()) {
                ("checksum", Some(file)) if is_sha256 => file.sha256 = check_sha256(&text)?,
                ("size", Some(file)) => file.size = text.trim().parse().ok(),
                ("open-size", Some(file)) => file.open_size = text.trim().parse().ok(),
                _ => {}
            },
            Item::End if !is_repomd => return Err(invalid("it is not a repomd.xml")),
            Item::End => return Ok(files),
        }
    }
}

/// Checks a SHA-256 in hex. It becomes a file's name later.
pub(super) fn check_sha256(text: &str) -> io::Result<String> {
    let text = text.trim();
    match text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        true => Ok(text.to_ascii_lowercase()),
        false => Err(invalid("a checksum is not 64 hex digits")),
    }
}

/// Checks that a path stays inside of its repository.
///
/// # Errors
/// `InvalidData` for absolute paths, `.`, `..`, addresses, and characters with a meaning in addresses.
pub fn check_path(path: &str) -> io::Result<String> {
    let odd = |c: char| c.is_control() || matches!(c, '?' | '#' | '\\' | ' ');
    let parts = || path.split('/');
    match path.is_empty()
        || path.contains("://")
        || path.contains(odd)
        || parts().any(|part| matches!(part, "" | "." | ".."))
    {
        true => {
            let path = crate::spec::printable(path);
            Err(invalid(format!("it names the file `{path}`, which is not inside the repository")))
        }
        false => Ok(path.to_owned()),
    }
}

/// Reads at most `left` bytes; more are an error.
struct Limited<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        let left = self.left.checked_sub(n as u64);
        self.left = left.ok_or_else(|| invalid("it is larger than its repomd.xml states"))?;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Write};

    use super::*;

    #[test]
    fn files_are_read_with_their_digests_and_sizes() {
        let text = "<repomd><revision>1</revision><data type='primary'>\
            <checksum type='sha256'>SUM</checksum><open-checksum type='sha256'>cd</open-checksum>\
            <location href='repodata/p.xml.gz'/><size>3</size><open-size>9</open-size></data></repomd>";
        let text = text.replace("SUM", &"AB".repeat(32));
        let files = read(text.as_bytes()).unwrap();
        assert_eq!((&*files[0].kind, &*files[0].sha256), ("primary", &*"ab".repeat(32)));
        assert_eq!((files[0].size, files[0].open_size), (Some(3), Some(9)));
        assert!(read(&b"<html></html>"[..]).is_err());
        for (from, to) in [("repodata/", "../"), ("AB", "/."), ("ABAB", "")] {
            assert!(read(text.replace(from, to).as_bytes()).is_err(), "{to}");
        }
    }

    #[test]
    fn no_more_is_decompressed_than_is_stated() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), Default::default());
        gzip.write_all(&[b'x'; 1000]).unwrap();
        let compressed = gzip.finish().unwrap();
        let size_of = |open_size| {
            let file = MetadataFile {
                kind: String::new(),
                path: "x.gz".into(),
                sha256: String::new(),
                size: None,
                open_size: Some(open_size),
            };
            let mut out = Vec::new();
            file.decompressed(BufReader::new(&compressed[..]))?.read_to_end(&mut out)
        };
        assert_eq!(size_of(1000).unwrap(), 1000);
        assert!(size_of(999).is_err());
    }
}
