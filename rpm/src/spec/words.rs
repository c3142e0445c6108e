//! Checks names and versions, of packages and of their dependencies.
//!
//! The rules are those of rpmbuild (build/parsePreamble.c `rpmCharCheck`, build/parseReqs.c `addReqProv`,
//! `parseRCPOT`). Where 4.11.3 and 4.18 differ, the stricter rule is used: 4.11 refuses `^`, and names that
//! begin with a letter outside of ASCII; 4.18 refuses wrong epochs and a second `-` or `:`. Some values that both
//! accept are surely mistakes, and are refused as well: empty parts of a version, macros (nothing expands them
//! here), and a comparison inside a name.

use super::{check::Checked, printable};

/// Checks the name of a package.
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

/// Checks a version or a release of a package.
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

/// Checks a name in the table `key` (`requires`, `provides`, `conflicts`, `obsoletes`): of a package, a file, or a
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
        return refuse("contains a macro, and nothing expands macros here; write its value");
    }
    if outside_of_brackets(name).any(|c| "<=>".contains(c)) {
        return refuse("holds a comparison; write `name = \">= 1.2\"`");
    }
    if key == "provides" && name.starts_with("rpmlib(") {
        return refuse("can be provided by rpm itself only");
    }
    // Only packages can be obsolete.
    if key == "obsoletes" {
        package_name(name)
            .map_err(|why| format!("{key}: `{shown}` is not the name of a package: {why}"))?;
    }
    Ok(())
}

/// The characters that are not in brackets: the `=` in `font(:lang=en)` is no comparison.
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

/// Checks the version of a dependency on `name`: `[epoch:]version[-release]`.
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

/// Refuses `..`, as rpmbuild does, because names and versions become parts of paths.
fn no_two_dots(key: &str, value: &str) -> Checked<()> {
    match value.contains("..") {
        true => Err(format!("{key}: `{value}` holds `..`, which rpmbuild refuses")),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_names_and_versions_are_those_that_rpmbuild_takes() {
        for name in ["a", "_a", "9a", "gtk+-2.0", &"n".repeat(128)] {
            assert_eq!(package_name(name), Ok(()), "{name}");
        }
        for name in ["", "-a", ".a", "a b", "a:b", "gr\u{fc}n", "a..b", &"n".repeat(129)] {
            assert!(package_name(name).is_err(), "{name}");
        }
        for good in ["1", "0.25.0", "1~rc1", "2+git"] {
            assert_eq!(version("version", good.into()).as_deref(), Ok(good));
        }
        for bad in ["", "1-2", "1^2", "1:2", "1 2", "1..2"] {
            assert!(version("version", bad.into()).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_of_dependencies_depend_on_the_table_they_stand_in() {
        let all = ["requires", "provides", "conflicts", "obsoletes"];
        let takes = |name: &str| {
            all.into_iter().filter(|key| dependency_name(key, name).is_ok()).collect::<Vec<_>>()
        };
        assert_eq!(takes("bash"), all);
        assert_eq!(takes("/bin/sh"), all[..3]);
        assert_eq!(takes("libc.so.6(GLIBC_2.17)(64bit)"), all[..3]);
        assert_eq!(takes("rpmlib(FileCaps)"), ["requires", "conflicts"]);
        // A comparison is refused, unless it is part of a capability's own name.
        assert_eq!(takes("font(:lang=en)"), all[..3]);
        assert_eq!(takes("bash>=4"), [""; 0]);
    }
}
