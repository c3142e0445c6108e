//! Checks a staged root as a whole: names that cannot be installed, folders in which no package may have files, modes
//! that the author has not confirmed.

use super::{Entry, EntryKind, Laid, StagedRoot, places};
use crate::{
    Error, Result,
    limits::{NAME, NAME_SUFFIX, PATH},
    spec::{Package, printable},
};

/// Makes the checks that do not depend on the assets.
pub(super) fn all(package: &Package, root: &StagedRoot) -> Result<()> {
    parents(package, root)?;
    folders(package, root)?;
    names(package, root)?;
    volatile(package, root)?;
    units(package, root)
}

/// Refuses set-user-id and set-group-id bits unless an asset has them in `mode`: a build's install script may have set them
/// by accident.
pub(super) fn modes<'a>(package: &Package, laid: impl Iterator<Item = &'a Laid>) -> Result<()> {
    let lends = |l: &&Laid| l.entry.mode & 0o6000 != 0 && !l.has_mode;
    let Some(Laid { entry, .. }) = laid.into_iter().find(lends) else { return Ok(()) };
    let (path, mode) = (printable(&entry.path), entry.mode);
    let kind = if mode & 0o4000 != 0 { "set-user-id" } else { "set-group-id" };
    let asset = match entry.kind {
        EntryKind::Dir => format!("{{ dest = \"{path}\", dir = true, mode = \"{mode:o}\" }}"),
        _ => format!("an asset of its own with `mode = \"{mode:o}\"`"),
    };
    Err(Error::stage_help(
        &package.name,
        format!("{path} is {kind} (mode {mode:o}), and no asset says so"),
        format!("if this is intended, add {asset}; if not, remove the bit in the build"),
    ))
}

/// Refuses paths below a file or a link, which cannot be installed.
fn parents(package: &Package, root: &StagedRoot) -> Result<()> {
    for entry in
        root.entries.iter().filter(|e| !matches!(e.kind, EntryKind::Dir | EntryKind::Ghost))
    {
        let below = format!("{}/", entry.path);
        let at = root.entries.partition_point(|e| e.path < below);
        if let Some(child) = root.entries.get(at).filter(|e| e.path.starts_with(&below)) {
            return Err(Error::stage(
                &package.name,
                format!("{} lies below {}, which is not a directory", child.path, entry.path),
            ));
        }
    }
    Ok(())
}

/// rpm puts no file or link into the place of a folder that every host has: the slash at the end of `dest` was
/// forgotten.
fn folders(package: &Package, root: &StagedRoot) -> Result<()> {
    let is_in_place = |e: &&Entry| e.kind != EntryKind::Dir && places::is_folder(&e.path);
    let Some(entry) = root.entries.iter().find(is_in_place) else { return Ok(()) };
    let path = &entry.path;
    Err(Error::stage_help(
        &package.name,
        format!(
            "{path} is a folder of CentOS 7's package filesystem, and would be a file of this package"
        ),
        format!("to put files into it, write `dest = \"{path}/\"`"),
    ))
}

/// Refuses names that rpm cannot install. rpm itself would notice in the middle of an installation.
pub(crate) fn names(package: &Package, root: &StagedRoot) -> Result<()> {
    for entry in &root.entries {
        if entry.path.contains(char::is_control) {
            return Err(Error::stage_help(
                &package.name,
                format!("the name {} holds control characters", printable(&entry.path)),
                "rename the file: control characters confuse terminals and scripts",
            ));
        }
        let suffix = if entry.kind == EntryKind::Dir { 0 } else { NAME_SUFFIX };
        let mut lengths = entry.path.split('/').rev().map(str::len);
        let own = lengths.next().unwrap_or(0) + suffix;
        let longest = lengths.max().unwrap_or(0).max(own);
        if entry.is_shipped() && (longest > NAME || entry.path.len() + suffix > PATH) {
            return Err(Error::stage_help(
                &package.name,
                format!("{} is too long a name to be installed", printable(&entry.path)),
                format!(
                    "no part may have more than {} bytes, and the whole no more than {}: rpm adds \
                     {suffix} while it unpacks",
                    NAME - suffix,
                    PATH - suffix
                ),
            ));
        }
        if matches!(&entry.kind, EntryKind::Link { target } if target.len() > PATH) {
            return Err(Error::stage_help(
                &package.name,
                format!("the link {} has too long a target", printable(&entry.path)),
                format!("a path has at most {PATH} bytes"),
            ));
        }
    }
    Ok(())
}

/// Refuses files in folders that are in memory or are emptied from time to time: they would be gone after the next
/// start of the host.
fn volatile(package: &Package, root: &StagedRoot) -> Result<()> {
    for entry in root.entries.iter().filter(|e| e.is_shipped()) {
        let Some(place) = places::volatile(&entry.path) else { continue };
        let path = printable(&entry.path);
        let below_run = places::run(&entry.path);
        let help = match (below_run, &entry.kind) {
            (Some(run), EntryKind::Dir) => format!(
                "ship /usr/lib/tmpfiles.d/{}.conf with the line `d {} {:04o} {} {} -`: systemd makes \
                 it at each start; `ghost = true` beside `dir` lets the package own it",
                package.name,
                printable(&run),
                entry.mode,
                entry.user,
                entry.group
            ),
            (Some(_), _) => "let the daemon make it, or tmpfiles.d (/usr/lib/tmpfiles.d); with \
                             `ghost = true` the package owns it without shipping it"
                .into(),
            (None, _) => "put it below /usr, /etc, /opt, /srv or /var/lib".into(),
        };
        return Err(Error::stage_help(
            &package.name,
            format!("{path} lies in {place}, which no package can put files into for good"),
            help,
        ));
    }
    Ok(())
}

/// The folders in which CentOS 7's systemd looks for units of packages.
const UNIT_DIRS: [&str; 3] =
    ["/usr/lib/systemd/system", "/lib/systemd/system", "/etc/systemd/system"];

/// Refuses units that the package does not ship: the scriptlets' calls of systemctl would fail without a message.
fn units(package: &Package, root: &StagedRoot) -> Result<()> {
    let is_there = |name: &str| {
        UNIT_DIRS.iter().any(|dir| {
            let path = format!("{dir}/{name}");
            root.entries.binary_search_by(|e| e.path.as_str().cmp(&path)).is_ok()
        })
    };
    let missing = package.units.iter().find(|unit| !is_there(&places::template_of(unit)));
    let Some(unit) = missing else { return Ok(()) };
    let file = places::template_of(unit);
    Err(Error::stage_help(
        &package.name,
        format!("units: {unit} is named, but no asset ships {}/{file}", UNIT_DIRS[0]),
        format!(
            "add {{ source = \"{file}\", dest = \"{}/\" }} to `assets`, or take it out of `units`",
            UNIT_DIRS[0]
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        spec::Spec,
        stage::{Entry, StagedRoot},
    };

    /// Checks a root with these entries, of a package with these lines more.
    fn check(lines: &str, entries: &[(&str, EntryKind)]) -> Result<(), String> {
        let text = format!(
            "[package.p]\nversion = \"1\"\narch = \"noarch\"\nsummary = \"s\"\nlicense = \"l\"\n{lines}\n\
             [[changelog]]\ndate = 2015-10-21\nauthor = \"a\"\ntext = [\"t\"]\n"
        );
        let spec = Spec::parse(&text, "/none/package.toml".as_ref(), "/none".as_ref()).unwrap();
        let entries = entries.iter().map(|(path, kind)| Entry::new(*path, kind.clone(), 0o644));
        let root = StagedRoot::of(&spec.packages[0], entries.collect());
        root.map(|_| ()).map_err(|e| e.to_string().replace("package p: ", ""))
    }

    fn file() -> EntryKind {
        EntryKind::File { source: "/none".into(), size: 0, inode: None }
    }

    fn link() -> EntryKind {
        EntryKind::Link { target: "x".into() }
    }

    #[test]
    fn paths_below_files_or_links_are_refused() {
        assert_eq!(check("", &[("/opt/a", EntryKind::Dir), ("/opt/a/b", file())]), Ok(()));
        // Between the two in the order of bytes, and below neither.
        let apart = [("/opt/a", link()), ("/opt/a-b", file()), ("/opt/a.b", file())];
        assert_eq!(check("", &apart), Ok(()));
        for kind in [file(), link()] {
            let error = check("", &[("/opt/a", kind), ("/opt/a.b", file()), ("/opt/a/b", file())]);
            assert_eq!(error.unwrap_err(), "/opt/a/b lies below /opt/a, which is not a directory");
        }
        let twice = check("", &[("/opt/a", file()), ("/opt/a", link())]);
        assert_eq!(twice.unwrap_err(), "/opt/a is listed twice");
    }

    #[test]
    fn files_in_run_and_tmp_must_be_ghosts() {
        for path in ["/run/x", "/tmp/x", "/var/run/x"] {
            assert!(check("", &[(path, file())]).unwrap_err().contains("lies in"), "{path}");
            assert_eq!(check("", &[(path, EntryKind::Ghost)]), Ok(()), "{path}");
        }
    }

    #[test]
    fn units_that_are_not_shipped_are_refused() {
        let unit = |path: &'static str| check("units = [\"x@a.service\"]", &[(path, file())]);
        assert_eq!(unit("/usr/lib/systemd/system/x@.service"), Ok(()));
        assert_eq!(unit("/etc/systemd/system/x@.service"), Ok(()));
        assert!(unit("/usr/lib/systemd/user/x@.service").unwrap_err().contains("no asset ships"));
    }

    #[test]
    fn names_with_control_characters_are_refused() {
        let error = check("", &[("/opt/a\u{1b}", file())]).unwrap_err();
        assert!(error.contains("holds control characters") && !error.contains('\u{1b}'), "{error}");
    }
}
