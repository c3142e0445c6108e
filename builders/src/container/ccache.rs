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

/// The command whose output [`Counts::parse`] reads. `--print-stats` came with ccache 3.7; CentOS 7's EPEL has 3.3.4.
pub(super) const COUNTS: [&str; 3] =
    ["/bin/sh", "-c", "ccache --print-stats 2>/dev/null || ccache -s"];

/// ccache's counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    hits: u64,
    misses: u64,
}

impl Counts {
    /// Parses the output of `ccache --print-stats`, or the text of `ccache -s`: that of 3.x, which 4.0 to 4.3 print as
    /// well, or that of 4.4 and later. `None` if it is neither, so that nobody is told a wrong rate.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::of_print_stats(text)
            .or_else(|| Self::of_old_text(text))
            .or_else(|| Self::of_text(text))
    }

    /// `cache_miss<tab>10`
    fn of_print_stats(text: &str) -> Option<Self> {
        let count = |name: &str| {
            let value = text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix('\t'));
            value?.trim().parse::<u64>().ok()
        };
        let hits = count("direct_cache_hit")?.checked_add(count("preprocessed_cache_hit")?)?;
        Some(Self { hits, misses: count("cache_miss")? })
    }

    /// `cache miss                            10`
    fn of_old_text(text: &str) -> Option<Self> {
        let count = |name: &str| {
            let value = text.lines().find_map(|l| l.trim_start().strip_prefix(name));
            value?.trim().parse::<u64>().ok()
        };
        let hits = count("cache hit (direct)")?.checked_add(count("cache hit (preprocessed)")?)?;
        Some(Self { hits, misses: count("cache miss")? })
    }

    /// `  Hits:    2 /   5 (40.00 %)`, below `Cacheable calls:`. Other parts, with counts of their own, may follow. What is
    /// zero may be missing.
    fn of_text(text: &str) -> Option<Self> {
        let count = |line: &str, name: &str| {
            let value = line.trim_start().strip_prefix(name)?;
            value.split('/').next()?.trim().parse::<u64>().ok()
        };
        let mut lines = text.lines().skip_while(|l| !l.starts_with("Cacheable calls:"));
        let all = count(lines.next()?, "Cacheable calls:")?;
        let below: Vec<_> = lines.take_while(|l| l.starts_with(' ')).collect();
        let of = |name: &str| below.iter().find_map(|line| count(line, name)).unwrap_or(0);
        let own = Self { hits: of("Hits:"), misses: of("Misses:") };
        (own.hits.checked_add(own.misses) == Some(all)).then_some(own)
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
        let before = Counts::parse(text).unwrap();
        assert_eq!(before, Counts { hits: 5, misses: 10 });
        let after = Counts { hits: 44, misses: 11 };
        assert_eq!(after.since(before).unwrap(), "ccache had 39 of 40 objects (97 %)");
        assert_eq!(before.since(before), None);
    }

    const OF_3: &str = "\
cache directory                     /ccache
primary config                      /ccache/ccache.conf
secondary config      (readonly)    /etc/ccache.conf
cache hit (direct)                     4
cache hit (preprocessed)               1
cache miss                            10
called for link                        3
cleanups performed                     0
files in cache                        30
cache size                         120.0 kB
max cache size                      10.0 GB
";

    const OF_4: &str = "\
Cacheable calls:    15 /  18 (83.33%)
  Hits:              5 /  15 (33.33%)
    Direct:          4 /   5 (80.00%)
    Preprocessed:    1 /   5 (20.00%)
  Misses:           10 /  15 (66.67%)
Uncacheable calls:   3 /  18 (16.67%)
Local storage:
  Cache size (GB): 0.0 / 10.0 ( 0.00%)
  Hits:             20 /  40 (50.00%)
  Misses:           20 /  40 (50.00%)
";

    #[test]
    fn the_texts_of_old_and_new_ccaches_are_read() {
        let counts = Counts { hits: 5, misses: 10 };
        assert_eq!(Counts::parse(OF_3), Some(counts));
        assert_eq!(Counts::parse(OF_4), Some(counts));
        let some = "Cacheable calls:   3 / 3 (100.0%)\n  Hits:            0 / 3 ( 0.00%)\n  Misses:          3 / 3 (100.0%)\n";
        assert_eq!(Counts::parse(some), Some(Counts { hits: 0, misses: 3 }));
        let none = "Cacheable calls:   0\nLocal storage:\n  Cache size (GB): 0.0 / 10.0 ( 0.00%)\n";
        assert_eq!(Counts::parse(none), Some(Counts::default()));
    }

    #[test]
    fn a_text_without_all_counts_gives_no_rate() {
        for text in [
            "",
            "sh: ccache: not found\n",
            "cache_miss\t10\ndirect_cache_hit\t4\n",
            "cache hit (direct)   4\ncache miss   x\n",
            "Summary:\n  Hits:   5 / 15\n",
            // Of a version that counts in another way.
            "Cacheable calls:  15 / 18\n  Hits:  5 / 15\n",
        ] {
            assert_eq!(Counts::parse(text), None, "{text}");
        }
    }
}
