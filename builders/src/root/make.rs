//! Makes the root of a lock: unpacks its packages into a folder, which is kept for all checkouts of a user. The folder's name is the
//! key of the root, so the same packages are unpacked once.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use el7rpm::{
    abi::AbiTable,
    input,
    read::Rpm,
    unpack::{Tree, TreeSummary, in_order},
};

use super::{
    description::Description,
    lockfile::{LOCK, Lock},
    packages,
    turn::Turn,
};
use crate::modes::{is_for_all, set_for_all};
use base::{
    disk::{remove_folder, sync, sync_all},
    failure::{Class, Classify, Failure, Result, Trouble},
    key::{Key, KeyBuilder},
};
use sources::Fetcher;

/// A root on disk.
#[derive(Clone, Debug)]
pub struct Root {
    /// The folder that is its `/`.
    pub tree: PathBuf,
    /// Whether it existed before.
    pub was_there: bool,
    /// What it holds.
    pub summary: TreeSummary,
    /// The file with the ABI table of its packages' libraries.
    pub abi: PathBuf,
}

const SUMMARY: &str = "summary.json";
const ABI: &str = "abi.toml";
const TREE: &str = "tree";

/// The lock of an image, if it exists.
///
/// # Errors
/// [`Class::Source`] if it was made from another image.toml, or as for [`Lock::load`].
pub fn lock_of(description: &Description) -> Result<Option<Lock>> {
    let lock = Lock::load(&description.dir)?;
    if lock.as_ref().is_none_or(|lock| lock.description == description.sha256) {
        return Ok(lock);
    }
    let name = &description.name;
    let message = format!("containers/{name}/{LOCK} was made from another image.toml");
    let help = format!("`cargo xtask lock {name}` writes it again");
    Err(Failure::new(Class::Source, message).help(help))
}

/// The last step of making a root.
pub struct LastStep<'a> {
    /// The identity of what it does. Roots with other last steps are kept apart.
    pub key: &'a Key,
    /// Does it, in this folder.
    pub run: &'a dyn Fn(&Path) -> Result<()>,
}

/// Makes the root of a lock in the folder `roots`, unless it is there.
///
/// # Errors
/// [`Trouble::Unavailable`] if a package cannot be fetched. [`Trouble::Failed`] if a package is not what the lock says,
/// is not signed by the key of its repository, or cannot be unpacked.
pub fn make(
    description: &Description,
    lock: &Lock,
    fetcher: &Fetcher<'_>,
    roots: &Path,
    step: &str,
    last: Option<&LastStep<'_>>,
) -> Result<Root, Trouble> {
    let mut key = key_of(description, lock)?;
    if let Some(last) = last {
        let both = KeyBuilder::new("root with a last step", 1).step("root", "the root", &key);
        key = both.step("last step", "the last step", last.key).finish();
    }
    let place = roots.join(key.to_string());
    if let Some(summary) = read_summary(&place)? {
        return Ok(root_at(&place, true, summary));
    }
    make_private(roots)?;
    let _turn = Turn::take(roots.join(format!("{key}.lock")), fetcher.reporter)?;
    // Another run may have made it meanwhile.
    if let Some(summary) = read_summary(&place)? {
        return Ok(root_at(&place, true, summary));
    }
    remove_unfinished(roots)?;
    let rpms = packages::fetch(description, lock, fetcher, step)?;
    let unfinished = roots.join(format!("{key}.tmp"));
    // What this very root's last run left, and a root that another version made or that somebody has half removed.
    for folder in [&unfinished, &place] {
        remove_folder(folder)?;
    }
    let made = unpack(&rpms, &unfinished).and_then(|summary| {
        if let Some(last) = last {
            (last.run)(&unfinished.join(TREE))?;
            even_modes(&unfinished.join(TREE))?;
        }
        Ok(summary)
    });
    let summary = made.inspect_err(|_| {
        let _ = remove_folder(&unfinished);
    })?;
    sync_all(&unfinished)?;
    fs_err::rename(&unfinished, &place).class(Class::Output)?;
    sync(roots)?;
    Ok(root_at(&place, false, summary))
}

fn root_at(place: &Path, was_there: bool, summary: TreeSummary) -> Root {
    Root { tree: place.join(TREE), was_there, summary, abi: place.join(ABI) }
}

/// Removes what runs have left that were killed, unless another one is at work there.
fn remove_unfinished(roots: &Path) -> Result<()> {
    for entry in fs_err::read_dir(roots).class(Class::Output)? {
        let path = entry.class(Class::Output)?.path();
        if path.extension().is_some_and(|end| end == "tmp") {
            let _turn = match Turn::now(&path.with_extension("lock"))? {
                Some(turn) => turn,
                None => continue,
            };
            remove_folder(&path)?;
        }
    }
    Ok(())
}

/// The key of the root: its packages, and by which key each must be signed. The addresses make no difference.
///
/// # Errors
/// [`Class::Source`] if the lock does not fit the description.
pub fn key_of(description: &Description, lock: &Lock) -> Result<Key> {
    let mut text = String::new();
    for package in &lock.packages {
        let fingerprint = &description.key_of(package)?.fingerprint;
        text += &format!("{} {} {fingerprint}\n", package.nevra(), package.sha256);
    }
    Ok(KeyBuilder::new("root", 1).text("packages", &text).finish())
}

/// What a finished root holds. A summary that cannot be read, or has no tree beside it, counts as none: the root is made again.
fn read_summary(place: &Path) -> Result<Option<TreeSummary>> {
    let path = place.join(SUMMARY);
    let is_there = |path: &Path| input::is_there(path).class(Class::Output);
    if !is_there(&path)? || !is_there(&place.join(ABI))? || !place.join(TREE).is_dir() {
        return Ok(None);
    }
    let text = input::read_text(&path, input::MAX_TEXT).ok();
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

/// Makes a folder that no other user enters: files of the last step may be anything.
fn make_private(folder: &Path) -> Result<()> {
    fs_err::create_dir_all(folder).class(Class::Output)?;
    fs_err::set_permissions(folder, PermissionsExt::from_mode(0o700)).class(Class::Output)
}

/// Gives all files and folders modes with which all builders see the same. The owner could not remove some folders otherwise.
fn even_modes(tree: &Path) -> Result<()> {
    let even = |path: &Path| {
        let meta = fs_err::symlink_metadata(path).class(Class::Output)?;
        match meta.is_symlink() || is_for_all(&meta) {
            true => Ok(meta.is_dir()),
            false => set_for_all(path, &meta).map(|()| meta.is_dir()),
        }
    };
    even(tree)?;
    // A folder can be read once its mode is set.
    let mut folders = vec![tree.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs_err::read_dir(&folder).class(Class::Output)? {
            let path = entry.class(Class::Output)?.path();
            if even(&path)? {
                folders.push(path);
            }
        }
    }
    Ok(())
}

fn unpack(rpms: &[PathBuf], folder: &Path) -> Result<TreeSummary> {
    let mut tree = Tree::create(&folder.join(TREE)).class(Class::Output)?;
    for path in in_order(rpms).class(Class::Source)? {
        tree.add(&Rpm::open(path).class(Class::Source)?).class(Class::Output)?;
    }
    let summary = tree.finish().class(Class::Output)?;
    let text = serde_json::to_string_pretty(&summary).map_err(std::io::Error::from);
    fs_err::write(folder.join(SUMMARY), text.class(Class::Output)?).class(Class::Output)?;
    // Of the packages alone: what the last step adds is not what hosts have.
    let table = AbiTable::of_root(&folder.join(TREE)).class(Class::Output)?;
    fs_err::write(folder.join(ABI), table.text()).class(Class::Output)?;
    even_modes(&folder.join(TREE))?;
    Ok(summary)
}
