//! primary.xml: the packages of a repository.

use std::{
    collections::HashSet,
    io::{self, BufRead},
    sync::Arc,
};

use super::{
    offer::{Dependency, Evr, Offer, Sense},
    repomd::{check_path, check_sha256},
    xml::{Item, Xml, append, invalid, value},
};

/// Most packages of a repository. EPEL 7 has 14,000.
const PACKAGES: usize = 200_000;
/// Most dependencies and paths of all packages together.
const DEPENDENCIES: usize = 5_000_000;
/// Most bytes of all different names and versions.
const NAMES: usize = 256 << 20;

/// Reads the packages of these architectures. `repository` is a number that each of them gets.
///
/// # Errors
/// `InvalidData` if the document is not valid, or too large.
pub fn read(document: impl BufRead, repository: usize, arches: &[&str]) -> io::Result<Vec<Offer>> {
    let mut xml = Xml::new(document);
    let mut reading = Reading { repository, names: HashSet::new(), bytes: 0, count: 0 };
    let mut offers = Vec::new();
    let mut is_primary = false;
    loop {
        match xml.next()? {
            Item::Open { name, .. } if name == "package" => {
                let offer = reading.package(&mut xml)?;
                if offers.len() >= PACKAGES {
                    return Err(invalid("it lists far too many packages"));
                }
                if arches.contains(&&*offer.arch) {
                    offers.push(offer);
                }
            }
            Item::Open { name, .. } => is_primary |= name == "metadata",
            Item::End if !is_primary => return Err(invalid("it is not a primary.xml")),
            Item::End => return Ok(offers),
            Item::Text(_) | Item::Close(_) => {}
        }
    }
}

struct Reading {
    repository: usize,
    /// Each name and version is in memory once: most are required by many packages.
    names: HashSet<Arc<str>>,
    /// Bytes of `names`.
    bytes: usize,
    /// Dependencies and paths so far.
    count: usize,
}

/// The list that an entry belongs to.
#[derive(Clone, Copy)]
enum List {
    Provides,
    Requires,
    Conflicts,
    Obsoletes,
    None,
}

impl Reading {
    fn package<R: BufRead>(&mut self, xml: &mut Xml<R>) -> io::Result<Offer> {
        let mut offer = self.empty();
        let mut text = String::new();
        let (mut list, mut is_sha256) = (List::None, false);
        loop {
            match xml.next()? {
                Item::Open { name, attributes } => {
                    text.clear();
                    match name.as_str() {
                        "version" => offer.evr = Evr::of(&attributes)?,
                        "checksum" => is_sha256 = value(&attributes, "type") == "sha256",
                        "size" => {
                            let size = value(&attributes, "package").parse();
                            offer.size = size.map_err(|_| invalid("a package has no size"))?;
                        }
                        "location" => self.locate(&mut offer, &attributes)?,
                        "rpm:provides" => list = List::Provides,
                        "rpm:requires" => list = List::Requires,
                        "rpm:conflicts" => list = List::Conflicts,
                        "rpm:obsoletes" => list = List::Obsoletes,
                        "rpm:entry" => self.entry(&mut offer, list, &attributes)?,
                        _ => {}
                    }
                }
                Item::Text(more) => append(&mut text, &more)?,
                Item::Close(name) => match name.as_str() {
                    "name" => offer.name = self.intern(text.trim())?,
                    "arch" => offer.arch = self.intern(text.trim())?,
                    "checksum" if is_sha256 => offer.sha256 = check_sha256(&text)?,
                    "file" => {
                        self.counted()?;
                        offer.files.push(self.intern(&text)?);
                    }
                    "rpm:provides" | "rpm:requires" | "rpm:conflicts" | "rpm:obsoletes" => {
                        list = List::None;
                    }
                    "package" => return finished(offer),
                    _ => {}
                },
                Item::End => return Err(invalid("it ends too early")),
            }
        }
    }

    fn empty(&self) -> Offer {
        let none: Arc<str> = "".into();
        Offer {
            name: none.clone(),
            evr: Evr { epoch: 0, version: none.clone(), release: none.clone() },
            arch: none,
            repository: self.repository,
            path: String::new(),
            size: 0,
            sha256: String::new(),
            provides: Vec::new(),
            requires: Vec::new(),
            conflicts: Vec::new(),
            obsoletes: Vec::new(),
            files: Vec::new(),
        }
    }

    fn locate(&self, offer: &mut Offer, attributes: &[(String, String)]) -> io::Result<()> {
        if !value(attributes, "xml:base").is_empty() {
            return Err(invalid("a package lies in another repository"));
        }
        offer.path = check_path(value(attributes, "href"))?;
        Ok(())
    }

    fn entry(
        &mut self,
        offer: &mut Offer,
        list: List,
        attributes: &[(String, String)],
    ) -> io::Result<()> {
        let name = value(attributes, "name");
        // Features of rpm itself are not packages.
        if name.starts_with("rpmlib(") {
            return Ok(());
        }
        self.counted()?;
        let sense = Sense::of(value(attributes, "flags"))?;
        let mut evr = Evr::of(attributes)?;
        evr.version = self.intern(&evr.version)?;
        evr.release = self.intern(&evr.release)?;
        let dependency = Dependency { name: self.intern(name)?, sense, evr };
        match list {
            List::Provides => offer.provides.push(dependency),
            List::Requires => offer.requires.push(dependency),
            List::Conflicts => offer.conflicts.push(dependency),
            List::Obsoletes => offer.obsoletes.push(dependency),
            // Weak dependencies, which CentOS 7 does not know.
            List::None => {}
        }
        Ok(())
    }

    fn counted(&mut self) -> io::Result<()> {
        self.count += 1;
        match self.count > DEPENDENCIES {
            true => Err(invalid("it lists far too many dependencies and files")),
            false => Ok(()),
        }
    }

    fn intern(&mut self, text: &str) -> io::Result<Arc<str>> {
        if let Some(known) = self.names.get(text) {
            return Ok(known.clone());
        }
        self.bytes += text.len();
        if self.bytes > NAMES {
            return Err(invalid("its names are far too long"));
        }
        let new: Arc<str> = text.into();
        self.names.insert(new.clone());
        Ok(new)
    }
}

/// Whether rpm would build a package with this name, architecture, version or release.
fn is_plain(text: &Arc<str>) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._+~^-".contains(&b))
}

/// Checks that nothing is missing.
fn finished(offer: Offer) -> io::Result<Offer> {
    let is_sha256 = !offer.sha256.is_empty();
    let named = !offer.name.is_empty() && !offer.arch.is_empty() && !offer.evr.version.is_empty();
    let wrong = match (named, is_sha256, offer.path.is_empty() || offer.size == 0) {
        (false, ..) => "a package has no name, version or architecture".to_owned(),
        (_, false, _) => format!("{offer} has no SHA-256"),
        (.., true) => format!("{offer} has no path or size"),
        _ if ![&offer.name, &offer.arch, &offer.evr.version, &offer.evr.release]
            .into_iter()
            .all(is_plain) =>
        {
            "a package has a name, version or architecture with odd characters".to_owned()
        }
        _ => return Ok(offer),
    };
    Err(invalid(wrong))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(inner: &str) -> String {
        format!("<?xml version=\"1.0\"?><metadata xmlns:rpm='r'>{inner}</metadata>")
    }

    fn package(inner: &str) -> String {
        let sum = "a".repeat(64);
        document(&format!(
            "<package type='rpm'><name>x</name><arch>noarch</arch><version epoch='0' ver='1' rel='2'/>\
             <checksum type='sha256' pkgid='YES'>{sum}</checksum><size package='7'/>\
             <location href='Packages/x.rpm'/>{inner}</package>"
        ))
    }

    fn fails(document: &str) -> String {
        read(document.as_bytes(), 0, &["noarch"]).unwrap_err().to_string()
    }

    #[test]
    fn packages_are_read_with_their_dependencies_and_paths() {
        let text = package(
            "<format><rpm:requires><rpm:entry name='a' flags='GE' epoch='1' ver='2'/>\
             <rpm:entry name='rpmlib(X)'/></rpm:requires><rpm:recommends><rpm:entry name='w'/>\
             </rpm:recommends><file>/etc/a&amp;b</file><file type='dir'>/etc</file></format>",
        );
        let offers = read(text.as_bytes(), 3, &["noarch"]).unwrap();
        let offer = &offers[0];
        assert_eq!((offer.to_string().as_str(), offer.repository), ("x-1-2.noarch", 3));
        let requires: Vec<_> = offer.requires.iter().map(ToString::to_string).collect();
        assert_eq!(requires, ["a >= 1:2"]);
        assert_eq!(offer.files, ["/etc/a&b".into(), "/etc".into()]);
        assert!(read(text.as_bytes(), 0, &["x86_64"]).unwrap().is_empty());
    }

    #[test]
    fn wrong_and_hostile_metadata_is_refused() {
        let bomb = "<!DOCTYPE m [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;&a;'>]>";
        assert!(fails(&format!("{bomb}{}", package(""))).contains("document type"));
        assert!(fails(&package("<summary>&b;</summary>")).contains("b"));
        let forged = package("").replace("ver='1'", "ver='1&#10;+ evil 1'");
        assert!(fails(&forged).contains("with odd characters"));
        let long = "x".repeat(2 << 20);
        assert!(fails(&package(&format!("<file>{long}</file>"))).contains("far too long"));
        assert!(fails(&package(&format!("<a b='{long}'/>"))).contains("far too long"));
        let parts = "x&amp;".repeat(1 << 20);
        assert!(fails(&package(&format!("<file>{parts}</file>"))).contains("far too long"));
        let many: String = (0..1000).map(|n| format!(" a{n}=''")).collect();
        assert!(fails(&package(&format!("<a{many}/>"))).contains("too many attributes"));
        assert!(fails(&document(&"<a>".repeat(100))).contains("too deep"));
        let whole = package("");
        for cut in 0..whole.len() {
            assert!(!fails(&whole[..cut]).is_empty(), "cut at {cut}");
        }
        for (from, to) in [
            ("sha256", "sha"),
            (&*"a".repeat(64), &*"../".repeat(20)),
            ("Packages/x.rpm", "../x.rpm"),
            ("Packages/x.rpm", "/etc/x.rpm"),
            ("Packages/x.rpm", "http://elsewhere/x.rpm"),
            ("<size package='7'/>", ""),
            ("<name>x</name>", ""),
        ] {
            assert!(!fails(&whole.replace(from, to)).is_empty(), "{from} -> {to}");
        }
    }
}
