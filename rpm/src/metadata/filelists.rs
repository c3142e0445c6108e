//! filelists.xml: all paths of all packages. It is large, so only packages with certain paths are read from it.

use std::{
    collections::HashSet,
    io::{self, BufRead},
    sync::Arc,
};

use super::xml::{Item, Xml, append, invalid, value};

/// Finds the packages that have one of the wanted paths. A result is the SHA-256 of a package and the path.
///
/// # Errors
/// `InvalidData` if the document is not valid.
pub fn find(
    document: impl BufRead,
    wanted: &HashSet<Arc<str>>,
) -> io::Result<Vec<(String, Arc<str>)>> {
    let mut xml = Xml::new(document);
    let (mut package, mut text) = (String::new(), String::new());
    let mut found = Vec::new();
    let mut is_filelists = false;
    loop {
        match xml.next()? {
            Item::Open { name, attributes } => {
                text.clear();
                is_filelists |= name == "filelists";
                if name == "package" {
                    value(&attributes, "pkgid").clone_into(&mut package);
                }
            }
            Item::Text(more) => append(&mut text, &more)?,
            Item::Close(name) if name == "file" => {
                if let Some(path) = wanted.get(text.as_str()) {
                    found.push((package.clone(), path.clone()));
                }
                if found.len() > MOST {
                    return Err(invalid("far too many packages have the paths that are required"));
                }
            }
            Item::Close(_) => {}
            Item::End if !is_filelists => return Err(invalid("it is not a filelists.xml")),
            Item::End => return Ok(found),
        }
    }
}

/// Most results.
const MOST: usize = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_with_wanted_paths_are_found() {
        let wanted = HashSet::from(["/a&b".into()]);
        let document = "<filelists><package pkgid='1'><file>/a&amp;b</file><file>/c</file></package>\
            <package pkgid='2'><file>/c</file></package></filelists>";
        let found = find(document.as_bytes(), &wanted).unwrap();
        assert_eq!(found, [("1".to_owned(), "/a&b".into())]);
        for cut in 0..document.len() {
            assert!(find(&document.as_bytes()[..cut], &wanted).is_err(), "cut at {cut}");
        }
    }
}
