//! FILECLASS and FILECOLORS. rpm and yum use the color only. The class is for people: it has the words of
//! file(1).

use super::Elf;

/// Color of 32 bit ELF files.
pub(crate) const COLOR_32: u32 = 1;
/// Color of 64 bit ELF files.
pub(crate) const COLOR_64: u32 = 2;

pub(crate) const EM_X86_64: u16 = 62;

/// Class and color of a file that begins with `head`.
pub(super) fn of(head: &[u8], elf: Option<&Elf>) -> (String, u32) {
    match elf {
        Some(elf) => (elf_class(elf), if elf.is_64 { COLOR_64 } else { COLOR_32 }),
        None => (plain_class(head), 0),
    }
}

fn elf_class(elf: &Elf) -> String {
    let bits = if elf.is_64 { "64-bit" } else { "32-bit" };
    let machine = if elf.machine == EM_X86_64 { ", x86-64" } else { "" };
    let kind = match (elf.is_linked, elf.is_dynamic_object, elf.interpreter.is_some()) {
        (false, ..) => "relocatable",
        (true, true, false) => "shared object",
        (true, true, true) => "pie executable",
        (true, false, _) => "executable",
    };
    let linked = match (elf.is_linked, elf.needed.is_empty()) {
        (false, _) => "",
        (true, true) => ", statically linked",
        (true, false) => ", dynamically linked",
    };
    let stripped = if elf.has_symbols { ", not stripped" } else { ", stripped" };
    format!("ELF {bits} LSB {kind}{machine}, version 1 (SYSV){linked}{stripped}")
}

fn plain_class(head: &[u8]) -> String {
    const MAGIC: &[(&[u8], &str)] = &[
        (b"\x1f\x8b", "gzip compressed data"),
        (b"BZh", "bzip2 compressed data"),
        (b"\xfd7zXZ\0", "XZ compressed data"),
        (b"PK\x03\x04", "Zip archive data"),
        (b"!<arch>\n", "current ar archive"),
        (b"\x89PNG\r\n\x1a\n", "PNG image data"),
        (b"GIF8", "GIF image data"),
        (b"\xff\xd8\xff", "JPEG image data"),
    ];
    if head.is_empty() {
        return "empty".into();
    }
    if let Some((_, class)) = MAGIC.iter().find(|(magic, _)| head.starts_with(magic)) {
        return (*class).into();
    }
    match text_encoding(head) {
        Some(encoding) => text_class(head, encoding),
        None => "data".into(),
    }
}

fn text_encoding(head: &[u8]) -> Option<&'static str> {
    let controls = |b: &u8| *b < 0x20 && !matches!(b, 7..=13 | 27);
    if head.iter().any(|b| controls(b) || *b == 0x7f) {
        return None;
    }
    if head.is_ascii() {
        return Some("ASCII text");
    }
    match std::str::from_utf8(head) {
        Ok(_) => Some("UTF-8 Unicode text"),
        // The head may end in the middle of a character.
        Err(e) if e.error_len().is_none() => Some("UTF-8 Unicode text"),
        Err(_) => Some("ISO-8859 text"),
    }
}

fn text_class(head: &[u8], encoding: &str) -> String {
    let line = head.split(|b| *b == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    if let Some(command) = line.strip_prefix("#!") {
        let program = command.split_whitespace().next().unwrap_or_default();
        let kind = match program.rsplit('/').next().unwrap_or_default() {
            "sh" | "dash" => "POSIX shell script".to_owned(),
            "bash" => "Bourne-Again shell script".to_owned(),
            name if name.starts_with("python") => "Python script".to_owned(),
            name if name.starts_with("perl") => "Perl script".to_owned(),
            _ => format!("a {} script", command.trim()),
        };
        return format!("{kind}, {encoding} executable");
    }
    match line.starts_with("<?xml version") {
        true => format!("XML 1.0 document, {encoding}"),
        false => encoding.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_classes_have_the_words_of_file_1() {
        let class = |head: &[u8]| of(head, None).0;
        assert_eq!(class(b""), "empty");
        assert_eq!(class(b"a\nb\n"), "ASCII text");
        assert_eq!(class("gr\u{fc}n".as_bytes()), "UTF-8 Unicode text");
        assert_eq!(class(b"gr\xfcn x"), "ISO-8859 text");
        assert_eq!(class(b"\0\x01"), "data");
        assert_eq!(class(b"#!/bin/sh\n"), "POSIX shell script, ASCII text executable");
        assert_eq!(class(b"<?xml version=\"1.0\"?>"), "XML 1.0 document, ASCII text");
    }
}
