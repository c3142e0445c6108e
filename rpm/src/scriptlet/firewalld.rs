//! Scriptlets that make a running firewalld reload its definitions: once in a transaction, and
//! in an upgrade only if a definition has changed, because a reload removes the rules of Docker and
//! Felix for some time.
//!
//! A change can be seen only by comparing the old package with the new one. Each has the digest
//! of its definitions in its scriptlets. In an upgrade, rpm runs them in this order: %post of the new package
//! writes its digest to /var/lib/rpm-state, a folder that CentOS 7's `filesystem` has for such files, or to /run if
//! that folder cannot be written to; %postun of the old package removes the file if its own digest is the same;
//! %posttrans of the new package reloads if the file is still there. By then, files that the new package lacks have
//! been removed. If the digest cannot be written or is not found, the reload happens at once.

use sha2::{Digest, Sha256};

use crate::{
    Error, Result,
    payload::hex,
    spec::Package,
    stage::{Entry, EntryKind, StagedRoot},
};

/// The folders from which firewalld reads definitions.
const FOLDERS: [&str; 2] = ["/usr/lib/firewalld/", "/etc/firewalld/"];

/// Folders for the digest: the first that can be written to is taken.
const FOLDERS_OF_STATE: [&str; 2] = ["/var/lib/rpm-state", "/run"];

/// The expansion of `%firewalld_reload` of firewalld 0.6.
const RELOAD: &str = "test -f /usr/bin/firewall-cmd && firewall-cmd --reload --quiet || :";

/// The parts of the scriptlets.
pub(super) struct Reload {
    pub post: String,
    pub postun: String,
    pub posttrans: String,
}

impl Reload {
    /// # Errors
    /// [`Error::Stage`] if the package has no definitions, or an I/O error that names the file.
    pub(super) fn of(package: &Package, root: &StagedRoot) -> Result<Self> {
        let digest = digest(package, root)?;
        let states = FOLDERS_OF_STATE.map(|folder| format!("{folder}/{}.firewalld", package.name));
        let states = states.join(" ");
        let post = format!(
            "if [ $1 -eq 1 ] ; then\n\
             \x20       {RELOAD}\n\
             else\n\
             \x20       # Upgrade: after the transaction, if definitions have changed\n\
             \x20       for state in {states} ; do\n\
             \x20               {{ mkdir -p ${{state%/*}} && echo {digest} > $state ; }} 2>/dev/null && break\n\
             \x20       done || {{\n\
             \x20               {RELOAD}\n\
             \x20       }}\n\
             fi"
        );
        let postun = format!(
            "definitions=\n\
             for state in {states} ; do\n\
             \x20       [ ! -f $state ] || {{ read -r definitions < $state || : ; break ; }}\n\
             done\n\
             if [ $1 -ge 1 ] && [ -f $state ] ; then\n\
             \x20       [ \"$definitions\" != {digest} ] || rm -f {states} 2>/dev/null || :\n\
             else\n\
             \x20       rm -f {states} 2>/dev/null || :\n\
             \x20       {RELOAD}\n\
             fi"
        );
        let posttrans = format!(
            "for state in {states} ; do\n\
             \x20       if [ -f $state ] ; then\n\
             \x20               rm -f {states} 2>/dev/null || :\n\
             \x20               {RELOAD}\n\
             \x20               break\n\
             \x20       fi\n\
             done"
        );
        Ok(Self { post, postun, posttrans })
    }
}

/// The digest of all definitions: their paths and contents.
fn digest(package: &Package, root: &StagedRoot) -> Result<String> {
    let is_definition =
        |e: &&Entry| e.kind != EntryKind::Dir && FOLDERS.iter().any(|f| e.path.starts_with(f));
    let mut definitions = root.entries.iter().filter(is_definition).peekable();
    if definitions.peek().is_none() {
        return Err(Error::stage_help(
            &package.name,
            "`firewalld = true`, but the package has no file in /usr/lib/firewalld or /etc/firewalld",
            "take `firewalld` out, or ship the definitions",
        ));
    }
    let mut all = Sha256::new();
    for entry in definitions {
        let mut one = Sha256::new();
        match &entry.kind {
            EntryKind::File { source, .. } => one.update(fs_err::read(source)?),
            EntryKind::Link { target } => one.update(target),
            EntryKind::Dir | EntryKind::Ghost => {}
        }
        // Each digest has a fixed length and each path ends with NUL, so two different lists never give the same bytes.
        all.update(one.finalize());
        all.update(&entry.path);
        all.update([0]);
    }
    Ok(hex(&all.finalize()))
}
