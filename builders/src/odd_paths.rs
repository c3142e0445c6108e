//! Characters in the paths of our folders with which programs that we run cannot work.
//!
//! Our own code takes any path. Programs fail far from the cause, after some work, and in words that send the
//! reader elsewhere; so it is said before.

use std::path::{Path, PathBuf};

use base::{
    failure::{Class, Failure, Result},
    workspace::Workspace,
};

/// cargo takes the paths of a workspace's members, `host/*` with the checkout's before it, as patterns.
const PATTERNS: &[char] = &['*', '?', '['];
/// It joins folders of the target folder to a search path, and zig reads `%` in names that it links.
const IN_TARGET: &[char] = &[':', '%'];
/// It separates flags with it, in which paths stand.
const BETWEEN_FLAGS: &[char] = &['\x1f'];
/// An engine's option for a folder is OUTSIDE:INSIDE:ACCESS.
const IN_VOLUMES: &[char] = &[':'];

/// A folder, whose it is to read its path, and how to have another one.
struct Folder {
    path: PathBuf,
    who: &'static str,
    refused: &'static [char],
    remedy: &'static str,
}

/// Refuses paths with which crates, or what is in containers, cannot be compiled.
pub fn check(workspace: &Workspace, crates: bool, containers: bool) -> Result<()> {
    let Workspace { root, state } = workspace;
    let state = real(state);
    let target = remedy(&state, workspace, "CARGO_TARGET_DIR names another target folder");
    let mut folders = Vec::new();
    let mut add = |path: &Path, who, refused, remedy| {
        folders.push(Folder { path: path.to_owned(), who, refused, remedy });
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
        add(&state, "a container engine", IN_VOLUMES, target);
        add(&shared, "a container engine", IN_VOLUMES, cache);
    }
    folders.iter().try_for_each(Folder::check)
}

const MOVE: &str = "move the checkout to a path without it";

fn remedy(path: &Path, workspace: &Workspace, variable: &'static str) -> &'static str {
    if path.starts_with(&workspace.root) { MOVE } else { variable }
}

/// With all links resolved, as programs see it.
fn real(path: &Path) -> PathBuf {
    let there = path.ancestors().find_map(|dir| Some((dir, fs_err::canonicalize(dir).ok()?)));
    let Some((dir, real)) = there else { return path.to_owned() };
    path.strip_prefix(dir).map_or_else(|_| path.to_owned(), |rest| real.join(rest))
}

impl Folder {
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
        // As a literal: the terminal does not get what the message is about.
        let message = format!("{who} cannot work with the path {path:?}, which {what}");
        Err(Failure::new(Class::Usage, message).help(*remedy))
    }
}
