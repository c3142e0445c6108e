//! ccache: what has been compiled once is not compiled again, also by the next checkout.

use std::path::PathBuf;

use base::{
    failure::{Class, Classify, Result},
    key::Key,
    workspace::Workspace,
};

/// Where its folder is inside.
pub(super) const INSIDE: &str = "/ccache";

/// How it is set up. The compiler is known by its content: images are rebuilt, and times say
/// nothing. Paths are the same in every build, so they need no rewriting.
pub(super) const SETTINGS: [(&str, &str); 3] =
    [("CCACHE_DIR", INSIDE), ("CCACHE_COMPILERCHECK", "content"), ("CCACHE_MAXSIZE", "10G")];

/// Who else uses the objects that a build leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// Builds from pinned sources, on this machine alone.
    Pinned,
    /// Builds from local sources, or with other machines.
    Unpinned,
    /// Nobody.
    Own,
}

impl Trust {
    /// What the folder or volume for an image is called.
    pub(super) fn name(self, image: &Key) -> String {
        let suffix = if self == Self::Unpinned { "-unpinned" } else { "" };
        format!("{}{suffix}", image.short())
    }
}

/// The folder for one image: objects of one compiler are of no use to another.
///
/// Its parent is closed to others. Where the builder has other ids than the invoker, some user of
/// this machine may have the same, and would write into what the next build trusts.
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

/// Its counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    hits: u64,
    misses: u64,
}

impl Counts {
    /// From `ccache --print-stats`.
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

    /// What a build added, for people; nothing if it compiled nothing.
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
