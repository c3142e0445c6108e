//! Scriptlets that let a running firewalld read its definitions again: once in a transaction, and
//! on upgrade only if a definition has changed, because a reload takes the rules of Docker and
//! Felix away for a while.
//!
//! What has changed is known only to the old and the new package together. Each has the digest
//! of its definitions in its scriptlets. On upgrade, in rpm's order: %post of the new package
//! leaves its digest in /var/lib/rpm-state, which CentOS 7's `filesystem` has for this; %postun of
//! the old one takes it away if it is the same; %posttrans of the new one reloads if it is
//! still there, when files that the new package lacks are gone. Where the digest cannot be left,
//! or is not found, the reload comes at once.

use sha2::{Digest, Sha256};

use crate::{
    Error, Result,
    payload::hex,
    spec::Package,
    stage::{Entry, Kind, StagedRoot},
};

/// Where firewalld reads definitions from.
const FOLDERS: [&str; 2] = ["/usr/lib/firewalld/", "/etc/firewalld/"];

/// What `%firewalld_reload` of firewalld 0.6 expands to.
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
        let state = format!("/var/lib/rpm-state/{}.firewalld", package.name);
        let post = format!(
            "if [ $1 -eq 1 ] ; then\n\
             \x20       {RELOAD}\n\
             else\n\
             \x20       # Upgrade: after the transaction, if definitions have changed\n\
             \x20       {{ mkdir -p /var/lib/rpm-state && echo {digest} > {state} ; }} 2>/dev/null || {{\n\
             \x20               {RELOAD}\n\
             \x20       }}\n\
             fi"
        );
        let postun = format!(
            "if [ $1 -ge 1 ] && [ -f {state} ] ; then\n\
             \x20       read -r definitions < {state} || :\n\
             \x20       [ \"$definitions\" != {digest} ] || rm -f {state}\n\
             else\n\
             \x20       rm -f {state} 2>/dev/null || :\n\
             \x20       {RELOAD}\n\
             fi"
        );
        let posttrans = format!(
            "if [ -f {state} ] ; then\n\
             \x20       rm -f {state}\n\
             \x20       {RELOAD}\n\
             fi"
        );
        Ok(Self { post, postun, posttrans })
    }
}

/// The digest of all definitions: their paths and contents.
fn digest(package: &Package, root: &StagedRoot) -> Result<String> {
    let is_definition =
        |e: &&Entry| e.kind != Kind::Dir && FOLDERS.iter().any(|f| e.path.starts_with(f));
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
            Kind::File { source, .. } => one.update(fs_err::read(source)?),
            Kind::Link { target } => one.update(target),
            Kind::Dir | Kind::Ghost => {}
        }
        // Of fixed width and without a path's bytes: no two lists give the same text.
        all.update(one.finalize());
        all.update(&entry.path);
        all.update([0]);
    }
    Ok(hex(&all.finalize()))
}
