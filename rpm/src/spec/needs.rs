//! Descriptions whose builds need other descriptions: their order, the versions for `=`
//! across files, and the suffix `~local`.

use std::collections::{BTreeMap, BTreeSet};

use super::{Spec, layers::Layered, parse::suggest, resolve::resolve, siblings::Siblings};
use crate::{Result, error::SpecError};

/// Sorts the descriptions so that each comes after those that it needs. Apart from that their order stays the same.
pub(super) fn in_order(all: Vec<Layered>) -> Result<Vec<Layered>> {
    let names: BTreeSet<String> = all.iter().map(|l| l.name.clone()).collect();
    for layered in &all {
        if let Some(missing) = layered.needs().iter().find(|n| !names.contains(*n)) {
            let known: Vec<_> = names.iter().map(String::as_str).collect();
            let guess = suggest(missing, &known).unwrap_or_default();
            let message = format!("build.needs: there is no description `{missing}`; {guess}");
            return Err(SpecError::new(&layered.path, message).into());
        }
    }
    let compiled = |name: &str| {
        let build = all.iter().find(|l| l.name == name).and_then(|l| l.raw.build.as_ref());
        build.is_some_and(|b| b.image.is_some())
    };
    for layered in &all {
        if let Some(other) = layered.needs().iter().find(|n| !compiled(n)) {
            let message = format!(
                "build.needs: `{other}` has no build tree: it is not compiled in a container"
            );
            return Err(SpecError::new(&layered.path, message).into());
        }
    }
    let mut sorted: Vec<Layered> = Vec::new();
    let mut waiting = all;
    while !waiting.is_empty() {
        let there: BTreeSet<_> = sorted.iter().map(|l| l.name.clone()).collect();
        let ready = |l: &Layered| l.needs().iter().all(|n| there.contains(n));
        let Some(next) = waiting.iter().position(ready) else {
            let names: Vec<_> = waiting.iter().map(|l| l.name.as_str()).collect();
            let message = format!("build.needs: {} need one another", names.join(", "));
            return Err(SpecError::new(&waiting[0].path, message).into());
        };
        sorted.push(waiting.remove(next));
    }
    Ok(sorted)
}

/// Checks all descriptions, which must be sorted by [`in_order`].
pub(super) fn resolve_all(sorted: Vec<Layered>, local: &BTreeSet<String>) -> Result<Vec<Spec>> {
    let mut specs = Vec::new();
    let mut versions: BTreeMap<String, Siblings> = BTreeMap::new();
    let mut marked = BTreeSet::new();
    for mut layered in sorted {
        if layered.has_source(local) || layered.needs().iter().any(|n| marked.contains(n)) {
            marked.insert(layered.name.clone());
            layered.mark_local();
        }
        let mut known = layered.siblings.clone();
        for siblings in layered.needs().iter().filter_map(|n| versions.get(n)) {
            known.extend(siblings);
        }
        versions.insert(layered.name.clone(), layered.siblings.clone());
        specs.push(resolve(layered, &known)?);
    }
    Ok(specs)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn write(dir: &tempfile::TempDir, name: &str, build: &str, requires: &str) -> PathBuf {
        let path = dir.path().join(name).join("package.toml");
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        let text = format!(
            "[source.{name}]\npath = \"src\"\n[build]\nimage = \"el7\"\n{build}\n\
             [[build.phase]]\nname = \"make\"\nrun = \"make\"\n\
             [package.{name}]\nversion = \"1\"\nsummary = \"s\"\nlicense = \"l\"\n{requires}\n\
             [[changelog]]\ndate = 2015-10-21\nauthor = \"a\"\ntext = [\"t\"]\n"
        );
        fs_err::write(&path, text).unwrap();
        path
    }

    fn load(paths: &[PathBuf], local: &[&str]) -> Result<Vec<Spec>> {
        let local = local.iter().map(|l| (*l).to_owned()).collect();
        Spec::load_all(paths, std::path::Path::new("/nowhere"), &local)
    }

    #[test]
    fn needed_builds_come_first_and_pass_on_versions_and_the_local_suffix() {
        let dir = tempfile::tempdir().unwrap();
        let module = write(&dir, "a", "needs = [\"b\"]", "requires = { b = \"=\" }");
        let paths = [module, write(&dir, "b", "", ""), write(&dir, "c", "", "")];
        let specs = load(&paths, &["b"]).unwrap();
        let evrs: Vec<_> = specs.iter().map(|s| (s.name.as_str(), s.packages[0].evr())).collect();
        let expected = [("b", "1-1.el7~local"), ("a", "1-1.el7~local"), ("c", "1-1.el7")];
        assert_eq!(evrs, expected.map(|(n, v)| (n, v.to_owned())));
        assert_eq!(specs[1].packages[0].requires[0].version, "1-1.el7~local");
    }

    #[test]
    fn circular_and_missing_needs_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let unknown = load(&[write(&dir, "x", "needs = [\"mesoss\"]", "")], &[]).unwrap_err();
        assert!(unknown.to_string().contains("no description `mesoss`"), "{unknown}");
        let a = write(&dir, "a", "needs = [\"b\"]", "");
        let b = write(&dir, "b", "needs = [\"a\"]", "");
        let plain = write(&dir, "plain", "", "");
        let text = fs_err::read_to_string(&plain).unwrap();
        let package = text.find("[package").unwrap();
        let text = text[package..].replace("summary", "arch = \"noarch\"\nsummary");
        fs_err::write(&plain, text).unwrap();
        let tree = load(&[plain, write(&dir, "y", "needs = [\"plain\"]", "")], &[]).unwrap_err();
        assert!(tree.to_string().contains("has no build tree"), "{tree}");
        let circle = load(&[a, b], &[]).unwrap_err();
        assert!(circle.to_string().contains("a, b need one another"), "{circle}");
    }
}
