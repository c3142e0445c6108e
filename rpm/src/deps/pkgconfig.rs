//! Finds `pkgconfig(NAME)` dependencies in `.pc` files, as rpm's `pkgconfigdeps.sh` does with pkg-config.

use std::{collections::HashMap, path::Path};

use rpm::DependencyFlags;

use super::FileFacts;
use crate::{Result, spec::Dependency};

const FOLDERS: &[&str] = &["/usr/lib64/pkgconfig/", "/usr/share/pkgconfig/"];

pub(super) fn is_one(path: &str) -> bool {
    path.ends_with(".pc") && FOLDERS.iter().any(|f| path.starts_with(f))
}

pub(super) fn dependencies(path: &str, source: &Path, facts: &mut FileFacts) -> Result<()> {
    let text = String::from_utf8_lossy(&fs_err::read(source)?).into_owned();
    let fields = parse(&text);
    let name = super::names::basename(path).trim_end_matches(".pc");
    let provided = format!("pkgconfig({name})");
    match fields.get("Version").filter(|v| !v.is_empty()) {
        Some(version) => facts.provides.push(Dependency::exact(
            provided,
            version,
            DependencyFlags::FIND_PROVIDES,
        )),
        None => facts.provide(provided),
    }
    facts.require("/usr/bin/pkg-config");
    for key in ["Requires", "Requires.private"] {
        for (name, flags, version) in requirements(fields.get(key).map_or("", String::as_str)) {
            facts.requires.push(Dependency {
                name: format!("pkgconfig({name})"),
                flags: flags | DependencyFlags::FIND_REQUIRES,
                version,
            });
        }
    }
    Ok(())
}

/// The `Key: value` fields, with variables (`name=value`) replaced by their values.
fn parse(text: &str) -> HashMap<String, String> {
    let mut variables = HashMap::new();
    let mut fields = HashMap::new();
    for line in text.lines().map(|l| l.split('#').next().unwrap_or_default().trim()) {
        let Some(at) = line.find([':', '=']) else { continue };
        let (key, value) = (line[..at].trim(), expand(line[at + 1..].trim(), &variables));
        match line.as_bytes()[at] {
            b'=' => variables.insert(key.to_owned(), value),
            _ => fields.insert(key.to_owned(), value),
        };
    }
    fields
}

fn expand(value: &str, variables: &HashMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = value;
    while let Some(start) = rest.find("${") {
        let Some(end) = rest[start..].find('}') else { break };
        out.push_str(&rest[..start]);
        let name = &rest[start + 2..start + end];
        out.push_str(variables.get(name).map_or("", String::as_str));
        rest = &rest[start + end + 1..];
    }
    out.push_str(rest);
    // Variables may refer to variables. In a hostile file their values must not grow without end.
    out.truncate(out.floor_char_boundary(4096));
    out
}

/// Parses `a >= 1, b c = 2` into names with their comparisons.
fn requirements(text: &str) -> Vec<(String, DependencyFlags, String)> {
    let words: Vec<_> = text.split([' ', ',', '\t']).filter(|w| !w.is_empty()).collect();
    let mut out = Vec::new();
    let mut i = 0;
    while i < words.len() {
        let flags = words.get(i + 1).and_then(|w| match *w {
            "<" => Some(DependencyFlags::LESS),
            "<=" => Some(DependencyFlags::LE),
            "=" => Some(DependencyFlags::EQUAL),
            ">=" => Some(DependencyFlags::GE),
            ">" => Some(DependencyFlags::GREATER),
            _ => None,
        });
        match (flags, words.get(i + 2)) {
            (Some(flags), Some(version)) => {
                out.push((words[i].to_owned(), flags, (*version).to_owned()));
                i += 3;
            }
            _ => {
                out.push((words[i].to_owned(), DependencyFlags::ANY, String::new()));
                i += 1;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pkgconfig_files_are_parsed() {
        let fields = parse("v=1.2\nVersion: ${v}.3 # c\nRequires: a >= 1, b\nLibs: -L${none}/x\n");
        assert_eq!(fields["Version"], "1.2.3");
        let requires = requirements(&fields["Requires"]);
        assert_eq!(requires[0], ("a".into(), DependencyFlags::GE, "1".into()));
        assert_eq!(requires[1], ("b".into(), DependencyFlags::ANY, String::new()));
    }
}
