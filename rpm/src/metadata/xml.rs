//! The part of XML that metadata uses: elements with attributes and texts. Document types are refused, by which a few bytes
//! become gigabytes, and so is everything that is too long.

use std::io::{self, BufRead, Read};

use quick_xml::{Reader, events::Event};

/// Most bytes of a tag or of a text.
const LONGEST: usize = 1 << 20;
/// Most levels of elements. Metadata has five.
const DEEPEST: usize = 32;
/// Most attributes of an element. Metadata has six.
const ATTRIBUTES: usize = 64;

/// The next part of a document.
pub(super) enum Item {
    Open { name: String, attributes: Vec<(String, String)> },
    Text(String),
    Close(String),
    End,
}

/// The value of an attribute; empty if it is missing.
pub(super) fn value<'a>(attributes: &'a [(String, String)], name: &str) -> &'a str {
    attributes.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value)
}

/// Reads a document item by item.
pub(super) struct Xml<R: BufRead> {
    reader: Reader<Bounded<R>>,
    buffer: Vec<u8>,
    depth: usize,
}

impl<R: BufRead> Xml<R> {
    pub(super) fn new(document: R) -> Self {
        let mut reader = Reader::from_reader(Bounded { inner: document, left: LONGEST });
        reader.config_mut().expand_empty_elements = true;
        Self { reader, buffer: Vec::new(), depth: 0 }
    }

    pub(super) fn next(&mut self) -> io::Result<Item> {
        loop {
            self.reader.get_mut().left = LONGEST;
            self.buffer.clear();
            match self.reader.read_event_into(&mut self.buffer).map_err(invalid)? {
                Event::Start(tag) => {
                    self.depth += 1;
                    if self.depth > DEEPEST {
                        return Err(invalid("elements are nested too deep"));
                    }
                    let name = tag.name().as_ref().to_owned();
                    let mut attributes = Vec::new();
                    // The checks for attributes with the same name would compare each with all others.
                    for attribute in tag.attributes().with_checks(false) {
                        if attributes.len() >= ATTRIBUTES {
                            return Err(invalid("an element has far too many attributes"));
                        }
                        let attribute = attribute.map_err(invalid)?;
                        let value = quick_xml::escape::unescape(&attribute.value);
                        let value = value.map_err(invalid)?.into_owned();
                        attributes.push((attribute.key.as_ref().to_owned(), value));
                    }
                    return Ok(Item::Open { name, attributes });
                }
                Event::End(tag) => {
                    self.depth = self.depth.saturating_sub(1);
                    return Ok(Item::Close(tag.name().as_ref().to_owned()));
                }
                Event::Text(text) => return Ok(Item::Text((*text).to_owned())),
                Event::GeneralRef(name) => {
                    let whole = format!("&{};", &*name);
                    let text = quick_xml::escape::unescape(&whole).map_err(invalid)?;
                    return Ok(Item::Text(text.into_owned()));
                }
                Event::DocType(_) => {
                    return Err(invalid("it has a document type, which metadata does not have"));
                }
                Event::Eof if self.depth > 0 => return Err(invalid("it ends too early")),
                Event::Eof => return Ok(Item::End),
                _ => {}
            }
        }
    }
}

pub(super) fn invalid(why: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_string())
}

/// Appends a text to the text of an element, which may come in parts.
pub(super) fn append(text: &mut String, more: &str) -> io::Result<()> {
    if text.len() + more.len() > LONGEST {
        return Err(too_long());
    }
    text.push_str(more);
    Ok(())
}

fn too_long() -> io::Error {
    invalid("an element or a text is far too long")
}

/// Reads at most `left` bytes, until more are allowed.
struct Bounded<R> {
    inner: R,
    left: usize,
}

impl<R: BufRead> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let found = self.fill_buf()?;
        let n = found.len().min(buffer.len());
        buffer[..n].copy_from_slice(&found[..n]);
        self.consume(n);
        Ok(n)
    }
}

impl<R: BufRead> BufRead for Bounded<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let found = self.inner.fill_buf()?;
        if self.left == 0 && !found.is_empty() {
            return Err(too_long());
        }
        Ok(&found[..found.len().min(self.left)])
    }

    fn consume(&mut self, bytes: usize) {
        self.left -= bytes.min(self.left);
        self.inner.consume(bytes);
    }
}
