//! Names and versions that rpm takes: of packages, and of what they depend on.
//!
//! The rules are those of rpmbuild (build/parsePreamble.c `rpmCharCheck`, build/parseReqs.c `addReqProv`,
//! `parseRCPOT`). Where 4.11.3 and 4.18 differ, the stricter one holds: 4.11 takes no `^`, and no name that
//! begins with a letter outside of ASCII; 4.18 alone takes no wrong epoch and no second `-` or `:`. What both
//! take, and what cannot be meant, is refused as well: empty parts of a version, macros, which nothing expands
//! here, and a comparison inside a name.

use super::{check::Checked, printable};

/// The name of a package.
pub(super) fn package_name(key: &str) -> Checked<()> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
    if !key.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        || !key.chars().all(legal)
        || key.len() > 128
    {
        return Err("the name may hold letters, digits and `._+-` only, \
                    and begins with a letter, a digit or `_`"
            .into());
    }
    no_two_dots("the name", key)
}

/// A version, or a release, of a package.
pub(super) fn version(key: &str, value: String) -> Checked<String> {
    // `^` orders versions only from rpm 4.15 on; `-` divides version from release.
    let legal = |c: char| c.is_ascii_alphanumeric() || "._+~".contains(c);
    if value.is_empty() || !value.chars().all(legal) {
        let value = printable(&value);
        return Err(format!("{key}: `{value}` may hold letters, digits and `._+~` only"));
    }
    no_two_dots(key, &value)?;
    Ok(value)
}

/// A name in the table `key` (`requires`, `provides`, `conflicts`, `obsoletes`): of a package, a file, or a
/// capability such as `perl(A::B)`.
pub(super) fn dependency_name(key: &str, name: &str) -> Checked<()> {
    let shown = printable(name);
    let refuse = |why: &str| Err(format!("{key}: `{shown}` {why}"));
    if name.starts_with('(') {
        return refuse("is a boolean dependency, which rpm 4.11 of CentOS 7 does not know");
    }
    if name.is_empty() || name.chars().any(|c| c.is_control() || c.is_whitespace() || c == ',') {
        return refuse("is not a name");
    }
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '/') {
        return refuse(
            "is not a name: rpm takes those that begin with a letter, a digit, `_` or `/`",
        );
    }
    if name.contains('%') {
        return refuse("holds a macro, which nothing expands here; write what it stands for");
    }
    if outside_of_brackets(name).any(|c| "<=>".contains(c)) {
        return refuse("holds a comparison; write `name = \">= 1.2\"`");
    }
    if key == "provides" && name.starts_with("rpmlib(") {
        return refuse("is for rpm itself to provide");
    }
    // Packages alone can be replaced.
    if key == "obsoletes" {
        package_name(name)
            .map_err(|why| format!("{key}: `{shown}` is not the name of a package: {why}"))?;
    }
    Ok(())
}

/// Characters of a capability's own name: `font(:lang=en)` holds no comparison.
fn outside_of_brackets(name: &str) -> impl Iterator<Item = char> {
    let mut depth = 0_usize;
    name.chars().filter(move |c| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0
    })
}

/// What a dependency on `name` is compared with: `[epoch:]version[-release]`.
pub(super) fn dependency_version(name: &str, text: &str) -> Checked<()> {
    let shown = printable(text);
    if name.starts_with('/') {
        return Err("a file has no version".into());
    }
    let (epoch, rest) = match text.split_once(':') {
        Some((epoch, rest)) => (Some(epoch), rest),
        None => (None, text),
    };
    let is_number = |e: &str| e.bytes().all(|b| b.is_ascii_digit()) && e.parse::<u32>().is_ok();
    if let Some(epoch) = epoch.filter(|e| !is_number(e)) {
        let epoch = printable(epoch);
        return Err(format!("`{shown}` has the epoch `{epoch}`, which is not a number"));
    }
    let (own, release) = match rest.split_once('-') {
        Some((own, release)) => (own, Some(release)),
        None => (rest, None),
    };
    for part in [Some(own), release].into_iter().flatten() {
        version("version", part.to_owned())
            .map_err(|_| format!("`{shown}` is not a version: `[epoch:]version[-release]`"))?;
    }
    Ok(())
}

/// rpmbuild takes `..` for a way up in a path that the words become part of.
fn no_two_dots(key: &str, value: &str) -> Checked<()> {
    match value.contains("..") {
        true => Err(format!("{key}: `{value}` holds `..`, which rpmbuild refuses")),
        false => Ok(()),
    }
}
