//! A file that is not unpacked, for sources with `unpack = false`.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use super::unpack::{fill_new_folder, set_mode, set_time};
use base::failure::{Class, Classify, Failure, Result};

/// A file in the store, with its name in the source's folder.
#[derive(Clone, Debug)]
pub(super) struct PlainFile {
    pub(super) path: PathBuf,
    pub(super) name: String,
    /// What it is to the user.
    pub(super) what: String,
}

/// Bytes of a file that are read to recognise an HTML page.
const HEAD: u64 = 512;

impl PlainFile {
    /// Copies it into the folder `into`. Its time is always the same, because none is known.
    pub(super) fn put(&self, into: &Path) -> Result<()> {
        fill_new_folder(into, || self.write(into))
    }

    fn write(&self, into: &Path) -> Result<()> {
        let at = into.join(&self.name);
        fs_err::copy(&self.path, &at).class(Class::Output)?;
        set_mode(&at, false)?;
        set_mode(into, true)?;
        set_time(&at, 0, 0)?;
        set_time(into, 0, 0)
    }

    /// Refuses to pin an empty file, or a server's error page.
    pub(super) fn check(&self) -> Result<()> {
        let mut head = Vec::new();
        let file = fs_err::File::open(&self.path).class(Class::Source)?;
        file.take(HEAD).read_to_end(&mut head).class(Class::Source)?;
        let why = if head.is_empty() {
            "it holds nothing"
        } else if is_page(&head) && !has_page_name(&self.name) {
            "it is a web page"
        } else {
            return Ok(());
        };
        Err(Failure::new(Class::Source, format!("{} is not pinned: {why}", self.what)).help(
            "check what its `url` serves; if an HTML page is intended, its name must end in .html",
        ))
    }
}

fn is_page(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head).trim_start().to_ascii_lowercase();
    ["<!doctype html", "<html"].iter().any(|begin| text.starts_with(begin))
}

fn has_page_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    [".html", ".htm", ".xhtml"].iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_files_and_html_pages_are_not_pinned() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        let check = |name: &str, text: &str| {
            fs_err::write(&path, text).unwrap();
            let file = PlainFile { path: path.clone(), name: name.into(), what: "it".into() };
            file.check().map_err(|failure| failure.message.clone())
        };
        assert_eq!(check("fix.patch", "--- a/x\n+++ b/x\n"), Ok(()));
        assert_eq!(check("x", ""), Err("it is not pinned: it holds nothing".into()));
        let page = " <!DOCTYPE html><p>Sorry";
        assert_eq!(check("fix.patch", page), Err("it is not pinned: it is a web page".into()));
        assert_eq!(check("index.HTML", page), Ok(()));
    }
}
