//! Limits for the content of a source. They are checked while it is read, so larger sources are not stored.

use std::{io, path::Path, time::Duration};

/// Limits for one source.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Number of files, folders and links.
    pub(super) entries: usize,
    /// Size in bytes of everything that is unpacked, headers included.
    pub(super) bytes: u64,
}

/// Number of entries that the smallest source may have.
const FEW: u64 = 20_000;
/// Number of entries that the largest source may have. Linux has 90,000.
const MANY: u64 = 1_000_000;
/// Limit in bytes for all paths and link targets together, which are in memory while a tree is checked.
const NAMES: usize = 64 << 20;

impl Limits {
    /// The limits for a source that is stored with `packed` bytes. Text can be compressed to a tenth of its size, but not to a
    /// thousandth; and an entry takes some bytes, even among many similar ones.
    pub(super) fn for_size(packed: u64) -> Self {
        let by_ratio = packed.saturating_mul(200).max(100 << 20);
        let entries = FEW.saturating_add(packed / 8).min(MANY) as usize;
        Self { entries, bytes: by_ratio.min(16 << 30) }
    }

    /// Fails if there are too many entries.
    pub(super) fn check_entries(self, entries: usize) -> Result<(), Refusal> {
        match entries > self.entries {
            true => {
                let most = self.entries;
                Err(Refusal(format!("it has more than {most} entries, far too many for its size")))
            }
            false => Ok(()),
        }
    }
}

/// How long a processor may work on so many bytes that git has fetched. Large repositories with all of their history
/// take half a second for a MB; a few bytes can ask for hours.
pub(super) fn processor_time(fetched: u64) -> Duration {
    Duration::from_secs(10) + Duration::from_millis(fetched.saturating_mul(2) >> 10)
}

/// The bytes that all files in a folder take, as far as they can be seen: another program may be at work in it.
pub(super) fn size_of(dir: &Path) -> u64 {
    let sizes = walkdir::WalkDir::new(dir).into_iter().flatten();
    sizes.filter_map(|entry| Some(entry.metadata().ok()?.len())).sum()
}

/// Counts the entries of a source, and the bytes of their names.
#[derive(Debug)]
pub(super) struct Tally {
    limits: Limits,
    entries: usize,
    names: usize,
}

impl Tally {
    pub(super) fn within(limits: Limits) -> Self {
        Self { limits, entries: 0, names: 0 }
    }

    /// Counts an entry with this path, which needs `more` bytes of memory besides.
    pub(super) fn add(&mut self, path: &Path, more: usize) -> Result<(), Refusal> {
        self.entries += 1;
        self.names += path.as_os_str().len() + more;
        if self.names > NAMES {
            return Err(Refusal(format!("its names take more than {} MB", NAMES >> 20)));
        }
        self.limits.check_entries(self.entries)
    }
}

/// The reason why a source is not unpacked.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal(pub(super) String);

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self(format!("it cannot be read: {}", short(&error.to_string())))
    }
}

/// A text from a source for a message: one line, of limited length, without control characters.
pub(super) fn short(text: &str) -> String {
    const ENOUGH: usize = 100;
    let mut shown = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == ENOUGH {
            shown.push('…');
            break;
        }
        match c.is_control() {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_entries_and_names_are_refused() {
        let mut tally = Tally::within(Limits { entries: 2, bytes: 0 });
        assert!(tally.add(Path::new("a"), 0).is_ok() && tally.add(Path::new("b"), 0).is_ok());
        assert!(tally.add(Path::new("c"), 0).is_err());
        let mut tally = Tally::within(Limits { entries: usize::MAX, bytes: 0 });
        assert!(tally.add(Path::new("a"), NAMES - 1).is_ok());
        assert!(tally.add(Path::new("b"), 0).is_err());
    }

    #[test]
    fn large_sources_may_have_more_entries_than_small_ones() {
        assert_eq!(Limits::for_size(16_000).entries, 22_000);
        assert_eq!(Limits::for_size(u64::MAX).entries, 1_000_000);
    }

    #[test]
    fn control_characters_of_sources_are_not_shown() {
        assert_eq!(short("a\u{1b}[2J\0é"), "a\\u{1b}[2J\\u{0}é");
        assert_eq!(short(&"x".repeat(101)), format!("{}…", "x".repeat(100)));
    }
}
