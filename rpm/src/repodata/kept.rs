//! Metadata that others have put beside the index: groups of packages, notices of updates, modules. A new index lists
//! it again, as `createrepo_c --keep-all-metadata` does, if it is what the old one says; what no index lists is
//! nobody's to throw away.

use std::path::{Path, PathBuf};

use quick_xml::{Reader, events::Event};
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

use super::repomd::{self, DataFile, MAX_METADATA};
use crate::{Error, Result, input, payload::hex, spec::printable};

/// What an index is made of, in all the forms that it comes in. createrepo_c writes `filelists-ext` as well.
const INDEXES: [&str; 4] = ["primary", "filelists", "other", "filelists_ext"];
const FORMS: [&str; 3] = ["", "_db", "_zck"];

/// A file of `repodata/` that is no part of an index, and that is what the old repomd.xml says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// What it is, in one word: `group`, `updateinfo`.
    pub kind: String,
    path: PathBuf,
    checksum: String,
    open_checksum: Option<(String, String)>,
    open_size: Option<u64>,
}

/// What is kept of `dir/repodata`; nothing if there is none.
///
/// # Errors
/// [`Error::Metadata`] if something there would be lost: it is damaged or missing, or repomd.xml does not list it.
pub fn kept(dir: &Path) -> Result<Vec<Kept>> {
    let repodata = dir.join("repodata");
    let lost = |file: &str, message: String| Error::Metadata {
        message: format!("repodata/{}: {message}", printable(file)),
        help: format!(
            "`index` replaces {}: move out of it what is not to be lost; what is to stay there `modifyrepo_c FILE {0}` adds \
             to repomd.xml",
            repodata.display()
        ),
    };
    if !input::is_there(&repodata)? {
        return Ok(Vec::new());
    }
    let listed = match repomd::read(&dir.join(repomd::REPOMD))? {
        Some(bytes) => listed(&bytes).map_err(|message| lost("repomd.xml", message))?,
        None => Vec::new(),
    };
    let mut kept = Vec::new();
    for entry in listed.iter().filter(|entry| !is_index(&entry.kind)) {
        let name = entry.href.strip_prefix("repodata/").filter(|name| !name.contains('/'));
        let Some(name) = name.filter(|name| !name.is_empty() && *name != "..") else {
            return Err(lost(&entry.href, "is listed in repomd.xml and lies elsewhere".into()));
        };
        kept.push(entry.checked(repodata.join(name)).map_err(|message| lost(name, message))?);
    }
    for item in fs_err::read_dir(&repodata)? {
        let name = item?.file_name().to_string_lossy().into_owned();
        let is_listed = listed.iter().any(|e| e.href == format!("repodata/{name}"));
        if !is_listed && !is_of_an_index(&name) {
            return Err(lost(&name, "is listed in no repomd.xml".into()));
        }
    }
    Ok(kept)
}

impl Kept {
    /// Puts it into the new `repodata`.
    pub(super) fn store(&self, repodata: &Path) -> Result<DataFile> {
        let bytes = input::read(&self.path, MAX_METADATA)?;
        if hex(&Sha256::digest(&bytes)) != self.checksum {
            return Err(Error::format(&self.path, "was changed by another program meanwhile"));
        }
        let name = self.path.file_name().unwrap_or_default();
        repomd::put(&repodata.join(name), &bytes)?;
        Ok(DataFile {
            kind: self.kind.clone(),
            file_name: name.to_string_lossy().into_owned(),
            checksum: self.checksum.clone(),
            size: bytes.len() as u64,
            open_checksum: self.open_checksum.clone(),
            open_size: self.open_size,
        })
    }
}

fn is_index(kind: &str) -> bool {
    let kind = kind.replace('-', "_");
    INDEXES.iter().any(|index| FORMS.iter().any(|form| kind == format!("{index}{form}")))
}

/// Whether the name is that of an index, new or old: `DIGEST-primary.xml.gz`, `other.sqlite.bz2`.
fn is_of_an_index(name: &str) -> bool {
    if ["repomd.xml", "repomd.xml.asc"].contains(&name) {
        return true;
    }
    let Some((stem, _)) = name.split_once('.') else { return false };
    let stem = stem.replace('-', "_");
    INDEXES.iter().any(|index| {
        stem.strip_suffix(index).is_some_and(|digest| digest.is_empty() || digest.ends_with('_'))
    })
}

/// An entry of repomd.xml.
#[derive(Default)]
struct Entry {
    kind: String,
    href: String,
    checksum: (String, String),
    open_checksum: Option<(String, String)>,
    size: Option<u64>,
    open_size: Option<u64>,
}

impl Entry {
    /// Compares the file with what is said of it.
    fn checked(&self, path: PathBuf) -> std::result::Result<Kept, String> {
        let bytes = match input::is_there(&path) {
            Ok(false) => return Err("is listed in repomd.xml and missing".into()),
            _ => input::read(&path, MAX_METADATA).map_err(|e| e.to_string())?,
        };
        let (kind, stated) = &self.checksum;
        let digest = match kind.as_str() {
            "sha" | "sha1" => hex(&Sha1::digest(&bytes)),
            "sha224" => hex(&Sha224::digest(&bytes)),
            "sha256" => hex(&Sha256::digest(&bytes)),
            "sha384" => hex(&Sha384::digest(&bytes)),
            "sha512" => hex(&Sha512::digest(&bytes)),
            other => {
                let kind = printable(other);
                return Err(format!("has a checksum of the kind `{kind}`, which is not checked"));
            }
        };
        if digest != *stated || self.size.is_some_and(|size| size != bytes.len() as u64) {
            return Err("is not what repomd.xml says that it is".into());
        }
        Ok(Kept {
            kind: self.kind.clone(),
            path,
            checksum: hex(&Sha256::digest(&bytes)),
            open_checksum: self.open_checksum.clone(),
            open_size: self.open_size,
        })
    }
}

fn listed(repomd: &[u8]) -> std::result::Result<Vec<Entry>, String> {
    let xml = std::str::from_utf8(repomd).map_err(|e| e.to_string())?;
    let mut reader = Reader::from_str(xml);
    let mut entries: Vec<Entry> = Vec::new();
    // The element whose text comes next, with its type.
    let mut inside = (String::new(), String::new());
    loop {
        let event = reader.read_event().map_err(|e| e.to_string())?;
        let attribute = |e: &quick_xml::events::BytesStart<'_>, name: &str| {
            let found = e.attributes().flatten().find(|a| a.key.as_ref() == name)?;
            Some(quick_xml::escape::unescape(&found.value).ok()?.into_owned())
        };
        match event {
            Event::Start(e) => {
                let (name, kind) = (e.name().as_ref().to_owned(), attribute(&e, "type"));
                if name == "data" {
                    entries
                        .push(Entry { kind: kind.clone().unwrap_or_default(), ..Entry::default() });
                }
                inside = (name, kind.unwrap_or_default());
            }
            Event::Empty(e) if e.name().as_ref() == "location" => {
                if let Some(entry) = entries.last_mut() {
                    entry.href = attribute(&e, "href").unwrap_or_default();
                }
            }
            Event::Text(text) => {
                let (name, kind) = std::mem::take(&mut inside);
                let text = text.trim();
                if let Some(entry) = entries.last_mut() {
                    match name.as_str() {
                        "checksum" => entry.checksum = (kind, text.to_owned()),
                        "open-checksum" => entry.open_checksum = Some((kind, text.to_owned())),
                        "size" => entry.size = text.parse().ok(),
                        "open-size" => entry.open_size = text.parse().ok(),
                        _ => {}
                    }
                }
            }
            Event::End(_) => inside = Default::default(),
            Event::Eof => return Ok(entries),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_an_index_are_known_by_their_names() {
        for name in [
            "repomd.xml",
            "repomd.xml.asc",
            "0a1b-primary.xml.gz",
            "primary.xml.gz",
            "0a1b-other.sqlite.bz2",
            "filelists.xml.zck",
            "0a1b-filelists_ext.xml.zst",
            "0a1b-filelists-ext.xml.zst",
            "filelists-ext.xml",
        ] {
            assert!(is_of_an_index(name), "{name}");
        }
        for name in
            ["comps.xml", "0a1b-updateinfo.xml.gz", "primary", "productid", "other-comps.xml"]
        {
            assert!(!is_of_an_index(name), "{name}");
        }
        assert!(is_index("filelists-ext") && is_index("filelists-ext_db"));
        assert!(is_index("primary_db") && !is_index("group") && !is_index("primary_more"));
    }
}
