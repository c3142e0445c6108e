//! Copies what a benchmark works on, so that the checkout is not changed.

use std::path::Path;

use base::{
    failure::{Class, Classify, Result},
    workspace::Workspace,
};
use pipeline::keys;

/// Copies a folder with all files.
pub(super) fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    for entry in walkdir::WalkDir::new(from) {
        let entry = entry.map_err(std::io::Error::from).class(Class::Source)?;
        let to = to.join(entry.path().strip_prefix(from).unwrap_or(entry.path()));
        match entry.file_type().is_dir() {
            true => fs_err::create_dir_all(to).class(Class::Output)?,
            false => drop(fs_err::copy(entry.path(), to).class(Class::Output)?),
        }
    }
    Ok(())
}

/// Copies the development key, if there is one, into another checkout: making one takes longer than what is measured.
pub(super) fn copy_development_key(workspace: &Workspace, checkout: &Path) -> Result<()> {
    let key = keys::development_path(workspace);
    if key.exists() {
        let to = checkout.join("target/xtask/keys");
        fs_err::create_dir_all(&to).class(Class::Output)?;
        fs_err::copy(key, to.join("development.asc")).class(Class::Output)?;
    }
    Ok(())
}
