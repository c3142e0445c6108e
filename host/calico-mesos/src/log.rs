//! The log: /var/log/calico/isolator.log (facts 1.5), opened for append, one line per event, each
//! line one `write`, so that lines of several processes never mix. Rotation is logrotate's work:
//! unlike the original, no process renames a file that others are writing to.

use std::{
    fmt::Write as _,
    io::Write as _,
    path::{Path, PathBuf},
    sync::OnceLock,
    time::{SystemTime, UNIX_EPOCH},
};

use fs_err::os::unix::fs::OpenOptionsExt;
use std::os::unix::fs::MetadataExt;
use time::UtcDateTime;

/// Where the original wrote, and where Calico's users look.
pub const DEFAULT_FILE: &str = "/var/log/calico/isolator.log";

/// Longer texts are cut: a request may be as long as its sender likes.
const LINE_MAX: usize = 4000;

/// How much an event matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing at all.
    Off,
    /// The request failed.
    Error,
    /// Something is not as it should be, and the request goes on.
    Warn,
    /// What was asked, done and answered.
    Info,
    /// Every step.
    Debug,
}

impl Level {
    /// Reads the value of `CALICO_MESOS_LOG`; an unknown word means the default.
    pub fn from_setting(value: Option<&str>) -> Self {
        match value.map(str::trim).unwrap_or_default().to_ascii_lowercase().as_str() {
            "off" | "none" => Self::Off,
            "error" => Self::Error,
            "warn" | "warning" => Self::Warn,
            "debug" | "trace" => Self::Debug,
            _ => Self::Info,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Off => "OFF",
            Self::Error => "ERROR",
            Self::Warn => "WARN",
            Self::Info => "INFO",
            Self::Debug => "DEBUG",
        }
    }
}

struct Log {
    file: fs_err::File,
    level: Level,
    id: String,
}

static LOG: OnceLock<Log> = OnceLock::new();

/// The log file, from the value of `CALICO_MESOS_LOG_FILE`.
pub fn path_from_setting(value: Option<impl Into<PathBuf>>) -> PathBuf {
    value
        .map(Into::into)
        .filter(|path: &PathBuf| !path.as_os_str().is_empty())
        .unwrap_or_else(|| DEFAULT_FILE.into())
}

/// Opens the log for this process. A log that cannot be opened is no reason to refuse a container:
/// the events are lost and `calico_mesos check` says why.
pub fn open() {
    let level = Level::from_setting(std::env::var("CALICO_MESOS_LOG").ok().as_deref());
    if level == Level::Off {
        return;
    }
    if let Ok(file) = open_file(&path_from_setting(std::env::var_os("CALICO_MESOS_LOG_FILE"))) {
        let id = format!("{:08x}", fastrand::u32(..));
        // Losing the race to a second caller in the same process changes nothing.
        let _ = LOG.set(Log { file, level, id });
    }
}

/// Opens `path` for append and makes its folder where it is missing. A link is not followed, and a file that has other
/// names is not written to: whoever may write in the folder could have root write into any file.
pub fn open_file(path: &Path) -> std::io::Result<fs_err::File> {
    let mut options = fs_err::OpenOptions::new();
    // A pipe that nobody reads is not waited for.
    let flags = nix::libc::O_NONBLOCK | nix::libc::O_NOFOLLOW;
    options.append(true).create(true).mode(0o640).custom_flags(flags);
    let file = match (options.open(path), path.parent()) {
        (Err(error), Some(folder)) if error.kind() == std::io::ErrorKind::NotFound => {
            fs_err::create_dir_all(folder)?;
            options.open(path)
        }
        (result, _) => result,
    }?;
    let metadata = file.metadata()?;
    if metadata.is_file() && metadata.nlink() > 1 {
        let text = format!("{}: the file has other names, too", path.display());
        return Err(std::io::Error::other(text));
    }
    Ok(file)
}

/// Writes an event at level error.
pub fn error(text: &str) {
    event(Level::Error, text);
}

/// Writes an event at level warn.
pub fn warn(text: &str) {
    event(Level::Warn, text);
}

/// Writes an event at level info.
pub fn info(text: &str) {
    event(Level::Info, text);
}

/// Writes an event at level debug; the text is made only where it is wanted.
pub fn debug(text: impl FnOnce() -> String) {
    if LOG.get().is_some_and(|log| log.level >= Level::Debug) {
        event(Level::Debug, &text());
    }
}

fn event(level: Level, text: &str) {
    let Some(log) = LOG.get().filter(|log| log.level >= level) else { return };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let line = line(now.as_secs(), now.subsec_millis(), level, std::process::id(), &log.id, text);
    // A full disk must not end a request.
    let _ = log.file.file().write_all(line.as_bytes());
}

fn line(secs: u64, millis: u32, level: Level, pid: u32, id: &str, text: &str) -> String {
    let mut line = timestamp(secs, millis);
    // Writing to a String cannot fail.
    let _ = write!(line, " [{}] CALICOMESOS[{pid}] {id}: ", level.name());
    for c in text.chars() {
        if line.len() >= LINE_MAX {
            line.push_str(" ...");
            break;
        }
        match c {
            '\n' => line.push_str("\\n"),
            c if c.is_control() => {
                let _ = write!(line, "\\x{:02x}", u32::from(c));
            }
            c => line.push(c),
        }
    }
    line.push('\n');
    line
}

/// Seconds since 1970 as UTC; a clock beyond the year 9999 is taken for one that stands at its end.
fn timestamp(secs: u64, millis: u32) -> String {
    let secs = i64::try_from(secs).unwrap_or(i64::MAX);
    let at = UtcDateTime::from_unix_timestamp(secs).unwrap_or(UtcDateTime::MAX);
    let (year, month, day) = at.to_calendar_date();
    let (hour, minute, second) = at.as_hms();
    let month = u8::from(month);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_of_known_days() {
        assert_eq!(timestamp(0, 0), "1970-01-01T00:00:00.000Z");
        assert_eq!(timestamp(951_782_400, 7), "2000-02-29T00:00:00.007Z");
        assert_eq!(timestamp(1_446_076_799, 999), "2015-10-28T23:59:59.999Z");
        assert_eq!(timestamp(4_107_542_400, 0), "2100-03-01T00:00:00.000Z");
    }

    #[test]
    fn an_event_stays_on_one_line_and_has_an_end() {
        let got = line(0, 0, Level::Info, 7, "0000002a", "one\ntwo\u{1b}[31m");
        assert_eq!(
            got,
            "1970-01-01T00:00:00.000Z [INFO] CALICOMESOS[7] 0000002a: one\\ntwo\\x1b[31m\n"
        );
        assert!(line(0, 0, Level::Info, 7, "", &"ä".repeat(10_000)).len() < LINE_MAX + 16);
    }

    #[test]
    fn links_are_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs_err::write(at("victim"), "").unwrap();
        fs_err::os::unix::fs::symlink(at("victim"), at("link")).unwrap();
        fs_err::os::unix::fs::symlink(at("nothing"), at("dangling")).unwrap();
        fs_err::hard_link(at("victim"), at("other-name")).unwrap();
        for name in ["link", "dangling", "other-name"] {
            assert!(open_file(&at(name)).is_err(), "{name}");
        }
        assert!(!at("nothing").exists());
        open_file(&at("log")).unwrap();
        open_file(&at("log")).unwrap();
        open_file(&at("new/log")).unwrap();
        open_file(Path::new("/dev/null")).unwrap();
    }

    #[test]
    fn levels() {
        assert_eq!(Level::from_setting(Some(" Debug ")), Level::Debug);
        assert_eq!(Level::from_setting(Some("nonsense")), Level::Info);
        assert_eq!(Level::from_setting(None), Level::Info);
        assert!(Level::Off < Level::Error);
    }
}
