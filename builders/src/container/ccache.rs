//! ccache: an object is compiled once for all checkouts of a user.

use std::path::PathBuf;

use base::{
    failure::{Class, Classify, Result},
    key::Key,
    workspace::Workspace,
};

/// The cache's folder in the container.
pub(super) const INSIDE: &str = "/ccache";

/// Its settings. The compiler is identified by its content, since a rebuilt image changes its time. Paths are the
/// same in every build, so they need no rewriting.
pub(super) const SETTINGS: [(&str, &str); 3] =
    [("CCACHE_DIR", INSIDE), ("CCACHE_COMPILERCHECK", "content"), ("CCACHE_MAXSIZE", "10G")];

/// Which builds may share a ccache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// All builds from pinned sources that are compiled on this machine alone.
    Pinned,
    /// All builds from local sources, or with other machines.
    Unpinned,
    /// No other build.
    Own,
}

impl Trust {
    /// The name of the folder or volume for an image.
    pub(super) fn name(self, image: &Key) -> String {
        let suffix = if self == Self::Unpinned { "-unpinned" } else { "" };
        format!("{}{suffix}", image.short())
    }
}

/// The folder for one image: another compiler cannot use its objects.
///
/// Only the user can enter its parent folder. If the builder's ids differ from the user's, another user of this
/// machine may have the builder's ids and could otherwise write into the cache.
pub(super) fn folder(workspace: &Workspace, image: &Key, trust: Trust) -> Result<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let above = match trust {
        Trust::Own => workspace.state.clone(),
        Trust::Pinned | Trust::Unpinned => workspace.shared(),
    };
    let parent = above.join("ccache");
    let dir = parent.join(trust.name(image));
    fs_err::create_dir_all(&dir).class(Class::Output)?;
    fs_err::set_permissions(&parent, PermissionsExt::from_mode(0o700)).class(Class::Output)?;
    Ok(dir)
}

/// ccache's counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    hits: u64,
    misses: u64,
}

impl Counts {
    /// Parses the output of `ccache --print-stats`.
    pub(super) fn parse(text: &str) -> Self {
        let count = |name: &str| {
            let value = text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix('\t'));
            value.and_then(|v| v.trim().parse::<u64>().ok()).unwrap_or(0)
        };
        Self {
            hits: count("direct_cache_hit") + count("preprocessed_cache_hit"),
            misses: count("cache_miss"),
        }
    }

    /// A sentence about the hits and misses of a build; `None` if it compiled nothing.
    pub(super) fn since(self, before: Self) -> Option<String> {
        let hits = self.hits.saturating_sub(before.hits);
        let all = hits + self.misses.saturating_sub(before.misses);
        let percent = (hits * 100).checked_div(all)?;
        Some(format!("ccache had {hits} of {all} objects ({percent} %)"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_one_build() {
        let text = "cache_miss\t10\ndirect_cache_hit\t4\npreprocessed_cache_hit\t1\nx\t7\n";
        let before = Counts::parse(text);
        assert_eq!(before, Counts { hits: 5, misses: 10 });
        let after = Counts { hits: 44, misses: 11 };
        assert_eq!(after.since(before).unwrap(), "ccache had 39 of 40 objects (97 %)");
        assert_eq!(before.since(before), None);
    }
}
