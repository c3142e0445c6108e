//! Checks one entry of `assets`: which files are installed, where, and with which attributes.

use rpm::{FileFlags, FileVerifyFlags};

use super::{
    build::staged_pattern,
    check::{Checked, account, destination, line, relative},
    package::{Asset, Base, Content},
    parse::suggest,
    printable,
    schema::{RawAsset, RawConfig},
};

/// Checks one entry of `assets`. `is_crate`: whether cargo builds programs for the package.
pub(super) fn asset(raw: RawAsset, base: Base, is_crate: bool) -> Checked<Asset> {
    if raw.staged.is_none() && raw.source.is_none() && !raw.exclude.is_empty() {
        return Err("`exclude` goes with `source` or `staged` only".into());
    }
    let dest = match (&raw.dest, &raw.staged) {
        (Some(dest), None) => destination(dest)?,
        (None, Some(_)) => "/".into(),
        (None, None) => return Err("`dest` is missing".into()),
        (Some(_), Some(_)) => {
            return Err("`staged` files keep their paths; remove `dest`".into());
        }
    };
    // `ghost = true` alone is a file; with `dir` or `link` it is one of these.
    let content = match (&raw.source, raw.dir, &raw.link, raw.ghost) {
        (None, false, None, false) if raw.staged.is_some() => staged(&raw)?,
        (Some(pattern), false, None, false) => files(pattern, base, is_crate, &raw.exclude)?,
        (None, true, None, _) => Content::Dir,
        (None, false, Some(target), _) => Content::Link(line("link", target.clone())?),
        (None, false, None, true) => Content::Ghost,
        _ => {
            return Err("give exactly one of `source`, `staged`, `dir = true`, `link`, \
                        `ghost = true`"
                .into());
        }
    };
    if dest.ends_with('/') && !matches!(content, Content::Files { .. } | Content::Staged { .. }) {
        return Err(format!("dest: `{dest}` must be a path, without `/` at its end"));
    }
    let mode = match raw.mode.as_deref().map(|m| u16::from_str_radix(m.trim_start_matches("0o"), 8))
    {
        None => None,
        Some(Ok(mode)) if mode <= 0o7777 => Some(mode),
        Some(_) => return Err("mode: give the permissions in octal, such as \"755\"".into()),
    };
    let mut flags = config_flags(&raw.config)?;
    flags.set(FileFlags::DOC, raw.doc);
    flags.set(FileFlags::LICENSE, raw.license);
    flags.set(FileFlags::GHOST, raw.ghost);
    let caps = raw.caps.map(|c| match rpm::FileCaps::new(c.clone()) {
        Ok(_) => Ok(c),
        Err(e) => Err(format!("caps: {e}")),
    });
    Ok(Asset {
        content,
        dest,
        mode,
        user: account(raw.user.unwrap_or_else(|| "root".into()))?,
        group: account(raw.group.unwrap_or_else(|| "root".into()))?,
        flags,
        caps: caps.transpose()?,
        unverified: unverified(&raw.unverified)?,
    })
}

fn staged(raw: &RawAsset) -> Checked<Content> {
    let pattern = staged_pattern("staged", raw.staged.as_deref().unwrap_or_default())?;
    let exclude =
        raw.exclude.iter().map(|p| staged_pattern("exclude", p)).collect::<Checked<_>>()?;
    Ok(Content::Staged { pattern, exclude })
}

fn files(pattern: &str, base: Base, is_crate: bool, exclude: &[String]) -> Checked<Content> {
    // cargo-generate-rpm's spelling for a file that cargo built, with any target and profile.
    let (base, pattern) = match (is_crate, pattern.strip_prefix("target/release/")) {
        (true, Some(rest)) => (Base::Build, rest),
        _ => (base, pattern),
    };
    // `../` may lead to another folder of the checkout. It is checked when the files are looked up.
    let up = if base == Base::Build { pattern } else { pattern.trim_start_matches("../") };
    relative(up.strip_suffix('/').unwrap_or(up), "source").map_err(|_| {
        format!(
            "source: `{}` must be a path from the folder, such as `x` or `../x`",
            printable(pattern)
        )
    })?;
    for pattern in exclude {
        relative(pattern.trim_start_matches("../"), "exclude")?;
    }
    Ok(Content::Files { pattern: pattern.to_owned(), base, exclude: exclude.to_vec() })
}

fn config_flags(raw: &RawConfig) -> Checked<FileFlags> {
    let words: &[String] = match raw {
        RawConfig::Flag(false) => return Ok(FileFlags::empty()),
        RawConfig::Flag(true) => &[],
        RawConfig::One(word) => std::slice::from_ref(word),
        RawConfig::Several(words) => words,
    };
    words.iter().try_fold(FileFlags::CONFIG, |flags, word| match word.as_str() {
        "noreplace" => Ok(flags | FileFlags::NOREPLACE),
        "missingok" => Ok(flags | FileFlags::MISSINGOK),
        _ => Err(format!("config: `{word}` is neither noreplace nor missingok")),
    })
}

/// rpm's words for `%verify(not ...)`.
fn unverified(words: &[String]) -> Checked<FileVerifyFlags> {
    use FileVerifyFlags as F;
    const KNOWN: &[(&str, F)] = &[
        ("md5", F::FILEDIGEST),
        ("filedigest", F::FILEDIGEST),
        ("size", F::FILESIZE),
        ("link", F::LINKTO),
        ("user", F::USER),
        ("owner", F::USER),
        ("group", F::GROUP),
        ("mtime", F::MTIME),
        ("mode", F::MODE),
        ("rdev", F::RDEV),
        ("caps", F::CAPS),
    ];
    words.iter().try_fold(F::empty(), |flags, word| {
        match KNOWN.iter().find(|(name, _)| name == word) {
            Some((_, flag)) => Ok(flags | *flag),
            None => {
                let names: Vec<_> = KNOWN.iter().map(|(name, _)| *name).collect();
                let guess = suggest(word, &names).unwrap_or_default();
                Err(format!(
                    "unverified: `{}` is no attribute that rpm verifies; {guess}",
                    printable(word)
                ))
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Checked<Asset> {
        asset(toml::from_str(text).unwrap(), Base::Spec, false)
    }

    #[test]
    fn contradicting_keys_of_an_asset_are_refused() {
        let file = read("source = \"x\"\ndest = \"/usr/bin/\"\nmode = \"4755\"").unwrap();
        assert_eq!((file.mode, file.user.as_str()), (Some(0o4755), "root"));
        let config = read("source = \"x\"\ndest = \"/etc/x\"\nconfig = \"noreplace\"").unwrap();
        assert_eq!(config.flags, FileFlags::CONFIG | FileFlags::NOREPLACE);
        let folder = read("dest = \"/run/x\"\ndir = true\nghost = true").unwrap();
        assert_eq!((folder.content, folder.flags), (Content::Dir, FileFlags::GHOST));
        let wrong = [
            "source = \"x\"",
            "dest = \"/x\"",
            "dest = \"/x\"\nsource = \"x\"\nlink = \"y\"",
            "dest = \"/x/\"\nlink = \"y\"",
            "dest = \"/x\"\ndir = true\nexclude = [\"y\"]",
            "dest = \"/x\"\nstaged = \"/x\"",
            "dest = \"/x\"\nsource = \"/x\"",
            "dest = \"/x\"\nsource = \"x\"\nmode = \"855\"",
            "dest = \"/x\"\nsource = \"x\"\nmode = \"17777\"",
            "dest = \"/x\"\nsource = \"x\"\nconfig = \"keep\"",
            "dest = \"/x\"\nsource = \"x\"\ncaps = \"cap_none=ep\"",
            "dest = \"/x\"\nsource = \"x\"\nunverified = [\"mod\"]",
        ];
        let said = wrong.map(|text| {
            let keys = text.replace('\n', ", ");
            format!("{keys}\n    {}", read(text).map(|_| ()).unwrap_err())
        });
        insta::assert_snapshot!(said.join("\n"));
    }
}
