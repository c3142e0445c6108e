//! What is refused of a staged root as a whole: names that cannot be installed, places that are not a
//! package's, attributes that nobody asked for.

use super::{Kind, Laid, StagedRoot, places};
use crate::{
    Error, Result,
    limits::{NAME, NAME_SUFFIX, PATH},
    spec::{Package, printable},
};

/// Checks all that does not depend on which asset an entry comes from.
pub(super) fn all(package: &Package, root: &StagedRoot) -> Result<()> {
    parents(package, root)?;
    names(package, root)?;
    volatile(package, root)?;
    units(package, root)
}

/// A build sets the bits that lend a file's owner to whoever runs it by an accident of its install
/// script, or on purpose; in the package they are on purpose only.
pub(super) fn modes<'a>(package: &Package, laid: impl Iterator<Item = &'a Laid>) -> Result<()> {
    let lends = |l: &&Laid| l.entry.mode & 0o6000 != 0 && !l.has_mode;
    let Some(Laid { entry, .. }) = laid.into_iter().find(lends) else { return Ok(()) };
    let (path, mode) = (printable(&entry.path), entry.mode);
    let kind = if mode & 0o4000 != 0 { "set-user-id" } else { "set-group-id" };
    let asset = match entry.kind {
        Kind::Dir => format!("{{ dest = \"{path}\", dir = true, mode = \"{mode:o}\" }}"),
        _ => format!("an asset of its own with `mode = \"{mode:o}\"`"),
    };
    Err(Error::stage_help(
        &package.name,
        format!("{path} is {kind} (mode {mode:o}), and no asset says so"),
        format!("if that is meant, say it: {asset}; if not, take the bit away in the build"),
    ))
}

/// What stands below a file or a link cannot be installed.
fn parents(package: &Package, root: &StagedRoot) -> Result<()> {
    for entry in root.entries.iter().filter(|e| !matches!(e.kind, Kind::Dir | Kind::Ghost)) {
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

/// What rpm cannot lay down, it does not say before the middle of an installation.
pub(crate) fn names(package: &Package, root: &StagedRoot) -> Result<()> {
    for entry in &root.entries {
        if entry.path.contains(char::is_control) {
            return Err(Error::stage_help(
                &package.name,
                format!("the name {} holds control characters", printable(&entry.path)),
                "rename the file: terminals and scripts would take them for something else",
            ));
        }
        let suffix = if entry.kind == Kind::Dir { 0 } else { NAME_SUFFIX };
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
        if matches!(&entry.kind, Kind::Link { target } if target.len() > PATH) {
            return Err(Error::stage_help(
                &package.name,
                format!("the link {} has too long a target", printable(&entry.path)),
                format!("a path has at most {PATH} bytes"),
            ));
        }
    }
    Ok(())
}

/// What is laid down where memory is mounted, or where everything is removed from time to time, is
/// gone after the next start of the host.
fn volatile(package: &Package, root: &StagedRoot) -> Result<()> {
    for entry in root.entries.iter().filter(|e| e.is_shipped()) {
        let Some(place) = places::volatile(&entry.path) else { continue };
        let path = printable(&entry.path);
        let below_run = places::run(&entry.path);
        let help = match (below_run, &entry.kind) {
            (Some(run), Kind::Dir) => format!(
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

/// Where CentOS 7's systemd looks for the units of packages.
const UNIT_DIRS: [&str; 3] =
    ["/usr/lib/systemd/system", "/lib/systemd/system", "/etc/systemd/system"];

/// A unit that is named and not shipped: each systemctl of the scriptlets would fail unseen.
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
