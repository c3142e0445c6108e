//! Refuses paths of our folders with characters that cargo, zig or a container engine cannot handle.
//!
//! Our own code handles any path. Those programs would fail late, and with a message that does not name the cause.

use std::path::{Path, PathBuf};

use base::{
    failure::{Class, Failure, Result},
    workspace::Workspace,
};

/// cargo reads the paths of workspace members (the checkout's path and `host/*`) as glob patterns.
const PATTERNS: &[char] = &['*', '?', '['];
/// cargo joins folders of the target folder to a search path (`:`), and zig interprets `%` in names of files that it
/// links.
const IN_TARGET: &[char] = &[':', '%'];
/// cargo separates flags with this character, and the flags contain paths.
const BETWEEN_FLAGS: &[char] = &['\x1f'];
/// An engine's option for a folder is OUTSIDE:INSIDE:ACCESS.
const IN_VOLUMES: &[char] = &[':'];

/// A folder, the program that reads its path, and how to choose another folder.
struct CheckedFolder {
    path: PathBuf,
    who: &'static str,
    refused: &'static [char],
    remedy: &'static str,
}

/// Refuses paths with which crates, or what is in containers, cannot be compiled. `shares_folders` says whether the
/// engine lets containers see folders of this machine; it is asked only if that matters.
pub fn check(
    workspace: &Workspace,
    crates: bool,
    containers: bool,
    shares_folders: impl FnOnce() -> bool,
) -> Result<()> {
    let Workspace { root, state } = workspace;
    let state = real(state);
    let target = remedy(&state, workspace, "CARGO_TARGET_DIR names another target folder");
    let mut folders = Vec::new();
    let mut add = |path: &Path, who, refused, remedy| {
        folders.push(CheckedFolder { path: path.to_owned(), who, refused, remedy });
    };
    if crates {
        add(root, "cargo", PATTERNS, MOVE);
        add(root, "cargo", BETWEEN_FLAGS, MOVE);
        add(&state, "cargo", IN_TARGET, target);
        if let Some(home) = std::env::var_os("CARGO_HOME") {
            add(Path::new(&home), "cargo", BETWEEN_FLAGS, "CARGO_HOME names another folder");
        }
    }
    if containers {
        let shared = real(&workspace.shared());
        let cache = remedy(&shared, workspace, "MESOS_CALICO_CACHE names another folder");
        let is_odd = |path: &Path| path.to_string_lossy().contains(IN_VOLUMES);
        // Folders are copied to an engine elsewhere, by commands that take any path which begins with a slash.
        let matters = (is_odd(&state) || is_odd(&shared)) && shares_folders();
        let refused = if matters { IN_VOLUMES } else { &[] };
        add(&state, "a container engine", refused, target);
        add(&shared, "a container engine", refused, cache);
    }
    folders.iter().try_for_each(CheckedFolder::check)
}

const MOVE: &str = "move the checkout to a path without it";

fn remedy(path: &Path, workspace: &Workspace, variable: &'static str) -> &'static str {
    if path.starts_with(&workspace.root) { MOVE } else { variable }
}

/// The path with all links resolved, as programs see it.
fn real(path: &Path) -> PathBuf {
    let there = path.ancestors().find_map(|dir| Some((dir, fs_err::canonicalize(dir).ok()?)));
    let Some((dir, real)) = there else { return path.to_owned() };
    path.strip_prefix(dir).map_or_else(|_| path.to_owned(), |rest| real.join(rest))
}

impl CheckedFolder {
    fn check(&self) -> Result<()> {
        let Self { path, who, refused, remedy } = self;
        let what = match path.to_str() {
            None => "is not UTF-8".to_owned(),
            Some(text) => match text.chars().find(|c| refused.contains(c)) {
                None => return Ok(()),
                Some(c) if c.is_control() => format!("has the control character {c:?} in it"),
                Some(c) => format!("has a `{c}` in it"),
            },
        };
        // As a Rust literal, so that the character cannot control the terminal.
        let message = format!("{who} cannot work with the path {path:?}, which {what}");
        Err(Failure::new(Class::Usage, message).help(*remedy))
    }
}
