//! Finds paths of the build machine in links, in `#!` lines, in RPATH, and in the content of files.

use std::{io::Read, path::Path};

use regex::bytes::{Match, Regex, RegexBuilder};

use super::{Places, rpath};
use crate::{Error, Result, spec::Script};

/// How many bytes of a file are read to find out whether it is text, and for its `#!` line.
const HEAD: usize = 4096;
/// How many bytes of a file are read at a time.
const CHUNK: u64 = 1 << 20;
/// How many bytes around a match have to be in memory to decide whether it is a path.
const AROUND: usize = 4096;
/// How many bytes of a path a message shows.
const SHOWN: usize = 100;

/// The fault of an RPATH that leads into a folder of the build machine.
pub(super) fn of_rpath(list: &str, file: &str, places: &Places) -> Option<String> {
    let folder = file.rsplit_once('/').map_or("/", |(folder, _)| folder);
    list.split(':').find_map(|path| {
        let path = rpath::expanded(path).replace("$ORIGIN", folder);
        let is_foreign = path.starts_with('/') && is_below(&resolved("/", &path), &places.foreign);
        is_foreign.then(|| format!("has {path} of the builder in its RPATH `{list}`"))
    })
}

/// The fault of a link that leads into a folder of the build machine.
pub(super) fn of_link(target: &str, link: &str, places: &Places) -> Option<String> {
    let folder = link.rsplit_once('/').map_or("/", |(folder, _)| folder);
    is_below(&resolved(folder, target), &places.foreign)
        .then(|| format!("is a link to {target}, which only the builder has"))
}

/// The absolute path of `path` as seen from `folder`, by its spelling alone.
fn resolved(folder: &str, path: &str) -> String {
    let from = if path.starts_with('/') { "" } else { folder };
    let mut parts = Vec::new();
    for part in from.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

fn is_below(path: &str, folders: &[String]) -> bool {
    let below = |f: &String| {
        path.strip_prefix(f.as_str()).is_some_and(|r| r.is_empty() || r.starts_with('/'))
    };
    folders.iter().any(below)
}

/// Searches the content of files for the build machine's folders.
pub(super) struct Search<'a> {
    places: &'a Places,
    text: Option<Regex>,
    any: Option<Regex>,
}

impl<'a> Search<'a> {
    pub(super) fn new(places: &'a Places) -> Result<Self> {
        let text = places.in_text.iter().chain(&places.in_any);
        Ok(Self { places, text: words(text)?, any: words(places.in_any.iter())? })
    }

    /// The fault of a scriptlet that contains such a path.
    pub(super) fn of_script(&self, script: &Script) -> Option<String> {
        let program = script.program.first().map_or("", String::as_str);
        if is_below(&resolved("/", program), &self.places.foreign) {
            return Some(format!("is a script for {program}, which only the builder has"));
        }
        let text = script.body.as_bytes();
        let mut found = self.text.as_ref()?.find_iter(text);
        let is_path =
            |m: &Match<'_>| starts_a_path(&text[..m.start()]) && ends_a_name(&text[m.end()..]);
        let start = found.find(is_path)?.start();
        Some(format!("names {}, which only the builder has", path_in(&text[start..])))
    }

    /// The fault of a file that contains such a path.
    pub(super) fn of_file(&self, source: &Path) -> Result<Option<String>> {
        let mut file = fs_err::File::open(source)?;
        let mut bytes = Vec::new();
        file.by_ref().take(HEAD as u64).read_to_end(&mut bytes)?;
        if let Some(program) =
            interpreter(&bytes).filter(|p| is_below(&resolved("/", p), &self.places.foreign))
        {
            return Ok(Some(format!("is a script for {program}, which only the builder has")));
        }
        let words = if bytes.contains(&0) { &self.any } else { &self.text };
        let Some(words) = words else { return Ok(None) };
        // Matches before this offset have been examined.
        let mut from = 0;
        loop {
            let is_end = file.by_ref().take(CHUNK).read_to_end(&mut bytes)? == 0;
            let to = if is_end { bytes.len() } else { bytes.len().saturating_sub(AROUND) };
            let found = words
                .find_iter(&bytes[from.min(bytes.len())..])
                .map(|m| (from + m.start(), from + m.end()));
            for (start, end) in found.take_while(|(start, _)| *start < to) {
                if starts_a_path(&bytes[..start]) && ends_a_name(&bytes[end..]) {
                    return Ok(Some(format!(
                        "names {}, which only the builder has",
                        path_in(&bytes[start..])
                    )));
                }
            }
            if is_end {
                return Ok(None);
            }
            let kept = to.saturating_sub(AROUND);
            bytes.drain(..kept);
            from = to - kept;
        }
    }
}

/// A regular expression for all folders. If two begin alike, the longer one comes first.
fn words<'a>(folders: impl Iterator<Item = &'a String>) -> Result<Option<Regex>> {
    let mut folders: Vec<_> = folders.map(|f| regex::escape(f)).collect();
    if folders.is_empty() {
        return Ok(None);
    }
    folders.sort_by_key(|f| std::cmp::Reverse(f.len()));
    let pattern = RegexBuilder::new(&folders.join("|")).unicode(false).build();
    Ok(Some(pattern.map_err(|e| Error::Io(std::io::Error::other(e.to_string())))?))
}

/// The program of a `#!` line.
fn interpreter(head: &[u8]) -> Option<String> {
    let line = head.strip_prefix(b"#!")?.split(|b| *b == b'\n').next()?;
    String::from_utf8_lossy(line).split_whitespace().next().map(str::to_owned)
}

fn is_of_a_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.+~@%".contains(&byte)
}

/// Whether a `/` after the bytes `before` begins an absolute path. It does in
/// `-I/build`, `=/build` and `file:///build`, and does not in `x/build`, `$(top)/build` and `http://build`.
fn starts_a_path(before: &[u8]) -> bool {
    let bare = before.len() - before.iter().rev().take_while(|b| **b == b'/').count();
    let (before, slashes) = (&before[..bare], before.len() - bare);
    match before {
        [] => true,
        [.., b':'] if slashes == 1 => false,
        // An option of one letter with its value.
        [b'-', letter] if letter.is_ascii_alphabetic() => true,
        [.., space, b'-', letter] if letter.is_ascii_alphabetic() => !is_of_a_name(*space),
        [.., last] => !is_of_a_name(*last) && !b")}]*?".contains(last),
    }
}

/// Whether the name ends before the bytes `behind`. `/build/mesos` does not in `/build/mesos-2`; it does before the full
/// stop of a sentence.
fn ends_a_name(behind: &[u8]) -> bool {
    match behind {
        [b'.', next, ..] => !is_of_a_name(*next),
        [b'.'] | [] => true,
        [next, ..] => !is_of_a_name(*next),
    }
}

/// The path at the beginning of `bytes`, shortened for a message.
fn path_in(bytes: &[u8]) -> String {
    let is_part = |b: &&u8| is_of_a_name(**b) || **b == b'/';
    bytes.iter().take_while(is_part).take(SHOWN).map(|b| char::from(*b)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> Places {
        let list = |folders: &[&str]| folders.iter().map(|f| (*f).to_owned()).collect();
        Places {
            foreign: list(&["/build", "/src", "/stage"]),
            in_text: list(&["/build/mesos", "/src/mesos"]),
            in_any: list(&["/stage"]),
        }
    }

    fn of_file(content: &[u8]) -> Option<String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        fs_err::write(&path, content).unwrap();
        Search::new(&places()).unwrap().of_file(&path).unwrap()
    }

    #[test]
    fn paths_of_the_builder_in_texts_are_found() {
        for text in [
            "#!/build/x/bin/python\n",
            "#! /src/run\n",
            "prefix=/stage/usr\n",
            "Libs: -L/build/mesos/out -lx",
            "a:/src/mesos:b",
            "\"/build/mesos\"",
            "see /build/mesos.",
            "file:///build/mesos/x",
            "//stage/usr",
        ] {
            assert!(of_file(text.as_bytes()).is_some(), "{text}");
        }
        assert_eq!(
            of_file(b"libdir=/stage/usr/lib64 # x").unwrap(),
            "names /stage/usr/lib64, which only the builder has"
        );
    }

    #[test]
    fn texts_that_only_resemble_paths_of_the_builder_pass() {
        for text in [
            "#!/bin/sh\n# /build and /src are nobody's\n",
            "/build/mesos-2 /build/mesos.old /build/other",
            "../src/mesos/x ./stage a/stage $(top)/build/mesos ${x}/stage",
            "http://stage/x http://host/stage/x /opt/stage",
            "/staged /stage-1 /stages",
        ] {
            assert_eq!(of_file(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn binaries_may_name_sources_but_not_the_staged_root() {
        assert_eq!(of_file(b"\x7fELF\0/build/mesos/x.c\0"), None);
        assert!(of_file(b"\x7fELF\0\0/stage/usr/lib64\0").is_some());
    }

    #[test]
    fn paths_across_read_buffers_are_found() {
        let edge = HEAD + CHUNK as usize;
        for at in (HEAD - 8..HEAD + 4)
            .chain(edge - AROUND - 10..edge - AROUND + 4)
            .chain(edge - 8..edge + 4)
        {
            let mut content = vec![b' '; edge + 5000];
            content[at..at + 7].copy_from_slice(b"/stage/");
            assert!(of_file(&content).is_some(), "{at}");
            content[at - 1] = b'x';
            assert_eq!(of_file(&content), None, "{at}");
        }
    }

    #[test]
    fn links_and_rpaths_into_the_builder_are_found() {
        let link = |target: &str| of_link(target, "/usr/lib64/x.so", &places()).is_some();
        assert!(
            link("/build/x/lib.so")
                && link("../../stage/usr")
                && link("/usr/../src/x")
                && link("/build")
        );
        assert!(
            !link("../build/x") && !link("x.so.1") && !link("/usr/src/x") && !link("/builds/x")
        );
        let rpath = |list: &str| of_rpath(list, "/usr/lib64/x.so", &places()).is_some();
        assert!(
            rpath("/usr/lib64/x:/build/libevent/sdk/usr/lib64") && rpath("$ORIGIN/../../build/x")
        );
        assert!(!rpath("$ORIGIN/../build/x") && !rpath("/usr/lib64/build") && !rpath("build/x"));
    }
}
