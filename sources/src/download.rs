//! Downloads one file from one location. A broken download is continued where it
//! stopped. A location that gives no bytes several times in a row is given up.

use std::{
    io::{Read, Seek, SeekFrom, Write},
    path::Path,
    time::{Duration, Instant},
};

use fs_err::File;
use ureq::http::{StatusCode, header};

use super::{
    address,
    hosts::{Hosts, LocationProblem, Patience, TRIES},
    http::{Client, FileRequest, Response},
};
use base::{
    events::{Event, Reporter},
    failure::{Class, Classify, Result, Trouble},
};

/// The limit for the size of a download.
#[derive(Clone, Copy, Debug)]
pub(super) enum SizeLimit {
    /// The exact size in bytes, from package.toml.
    Exactly(u64),
    /// The exact size in bytes, from the metadata of a repository or the lock of an image.
    Listed(u64),
    /// The most bytes, if the size is not known. package.toml may give it.
    AtMost(u64),
    /// The most bytes of a key, or of the metadata of a repository.
    Fixed(u64),
}

impl SizeLimit {
    /// The limit for an archive. Few sources have nearly 1 GB.
    pub(super) fn of_archive(size: Option<u64>) -> Self {
        size.map_or(Self::AtMost(1 << 30), Self::Exactly)
    }

    fn most(self) -> u64 {
        let (Self::Exactly(size) | Self::Listed(size) | Self::AtMost(size) | Self::Fixed(size)) =
            self;
        size
    }

    /// Fails if a file of at least so many bytes is too large.
    fn check(self, bytes: u64) -> Result<(), LocationProblem> {
        match self {
            _ if bytes <= self.most() => Ok(()),
            Self::Exactly(size) => Err(LocationProblem::Wrong(format!(
                "it is larger than the {size} bytes that package.toml gives"
            ))),
            Self::Listed(size) => Err(LocationProblem::Wrong(format!(
                "it is larger than the {size} bytes that its repository or lock gives"
            ))),
            Self::Fixed(size) => Err(LocationProblem::Wrong(format!(
                "it is larger than {} MB, far too large for such a file",
                size >> 20
            ))),
            Self::AtMost(size) => Err(LocationProblem::Refused(format!(
                "it is larger than {} MB; if that is right, give its `size` in package.toml",
                size >> 20
            ))),
        }
    }

    /// Fails if a complete file must not have this size.
    fn check_whole(self, bytes: u64) -> Result<(), LocationProblem> {
        match self {
            Self::Exactly(size) if bytes < size => Err(LocationProblem::Wrong(format!(
                "it has {bytes} bytes, package.toml gives {size}"
            ))),
            Self::Listed(size) if bytes < size => Err(LocationProblem::Wrong(format!(
                "it has {bytes} bytes, its repository or lock gives {size}"
            ))),
            _ => self.check(bytes),
        }
    }
}

/// Of one location, broken or not.
const ALL_TRIES: u32 = 50;

/// Settings that all downloads share.
pub(super) struct Downloads<'a> {
    pub(super) client: &'a Client,
    pub(super) hosts: &'a Hosts,
    pub(super) patience: Patience,
    pub(super) reporter: &'a dyn Reporter,
    pub(super) step: &'a str,
    /// Larger files are refused before they are written.
    pub(super) limit: SizeLimit,
}

/// A file that is being downloaded.
struct Growing {
    file: File,
    length: u64,
    /// Whether the download can be continued: the result will be compared with a pin, or the server's tag for
    /// the file is known.
    tag: Option<String>,
    pinned: bool,
}

/// How a download ended. The outer error is one of this machine's disk; the inner one is a problem of the location.
type Downloaded = Result<Result<(), LocationProblem>, Trouble>;

impl Downloads<'_> {
    /// Downloads `url` to `path`. If the result is `pinned`, an existing file is continued: its digest
    /// will show whether both parts are of the same file.
    pub(super) fn load(&self, url: &str, path: &Path, pinned: bool) -> Downloaded {
        let mut options = fs_err::OpenOptions::new();
        let file = options.create(true).read(true).write(true).truncate(false).open(path);
        let file = file.class(Class::Output)?;
        let length = file.metadata().class(Class::Output)?.len();
        let mut growing = Growing { file, length, tag: None, pinned };
        if !pinned {
            growing.empty()?;
        }
        if length > self.limit.most() {
            growing.empty()?;
        }
        if let Some(local) = address::file(url) {
            growing.empty()?;
            return self.copy(Path::new(local), &mut growing);
        }
        let mut idle = 0;
        for _ in 0..ALL_TRIES {
            let before = growing.length;
            let (why, silent) = match self.attempt(url, &mut growing)? {
                Err(LocationProblem::Broken { why, silent }) => (why, silent),
                ended => return Ok(ended),
            };
            idle = if growing.length > before { 0 } else { idle + 1 };
            if idle >= TRIES {
                return Ok(Err(self.give_up(url, why, silent)));
            }
            self.report_line(&format!("{}: {why}; trying again", address::shown(url)));
            self.patience.pause(idle.max(1));
        }
        Ok(Err(LocationProblem::Refused(format!("the transfer was interrupted {ALL_TRIES} times"))))
    }

    fn give_up(&self, url: &str, why: String, silent: bool) -> LocationProblem {
        match address::host(url) {
            Some(host) if silent => {
                self.hosts.add_unreachable(&host, &why);
                LocationProblem::Unreachable { host, why }
            }
            _ => LocationProblem::Refused(why),
        }
    }

    fn attempt(&self, url: &str, growing: &mut Growing) -> Downloaded {
        if growing.tag.is_none() && !growing.pinned {
            growing.empty()?;
        }
        let wanted = FileRequest { from: growing.length, same: growing.tag.as_deref() };
        let answer = match self.client.get(url, wanted, self.hosts) {
            Ok(answer) => answer,
            Err(problem) => return Ok(Err(problem)),
        };
        match answer.status {
            StatusCode::OK => growing.empty()?,
            StatusCode::PARTIAL_CONTENT if starts_at(&answer) == Some(growing.length) => {}
            // Our file is longer than the server's, so it is another one.
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
                growing.empty()?;
                return Ok(Err(LocationProblem::broken(
                    "the server continues at another position",
                )));
            }
            status => return Ok(Err(problem_of(status))),
        }
        if let Some(tag) = answer.header(header::ETAG).filter(|t| t.starts_with('"')) {
            growing.tag = Some(tag.to_owned());
        }
        self.receive(url, answer, growing)
    }

    fn receive(&self, url: &str, answer: Response, growing: &mut Growing) -> Downloaded {
        let length = answer.header(header::CONTENT_LENGTH).and_then(|l| l.parse::<u64>().ok());
        let total = length.map(|l| l.saturating_add(growing.length));
        if let Some(Err(problem)) = total.map(|total| self.limit.check_whole(total)) {
            return Ok(Err(problem));
        }
        let mut progress =
            DownloadProgress::new(self, address::host(url).unwrap_or_default(), total);
        let mut body = answer.body;
        let mut buffer = vec![0; 1 << 16];
        loop {
            let n = match body.read(&mut buffer) {
                Ok(0) if total.is_some_and(|t| growing.length < t) => {
                    return Ok(Err(LocationProblem::broken("the connection broke")));
                }
                Ok(0) => return Ok(self.limit.check_whole(growing.length)),
                Ok(n) => n,
                Err(e) => return Ok(Err(self.client.read_problem(e))),
            };
            if let Err(problem) = self.limit.check(growing.length + n as u64) {
                growing.empty()?;
                return Ok(Err(problem));
            }
            growing.add(&buffer[..n])?;
            progress.at(growing.length);
        }
    }

    fn copy(&self, from: &Path, growing: &mut Growing) -> Downloaded {
        let refused = |e: std::io::Error| Ok(Err(LocationProblem::Refused(e.to_string())));
        // Opening a FIFO would wait for a writer.
        let size = match fs_err::metadata(from) {
            Ok(metadata) if metadata.is_file() => metadata.len(),
            Ok(_) => return Ok(Err(LocationProblem::Refused("it is no file".into()))),
            Err(e) => return refused(e),
        };
        if let Err(problem) = self.limit.check_whole(size) {
            return Ok(Err(problem));
        }
        let mut from = match File::open(from) {
            Ok(file) => file.take(size),
            Err(e) => return refused(e),
        };
        std::io::copy(&mut from, &mut growing.file).class(Class::Output)?;
        Ok(Ok(()))
    }

    fn report_line(&self, line: &str) {
        self.reporter.event(&Event::StepOutput { step: self.step, line });
    }
}

impl Growing {
    fn empty(&mut self) -> Result<()> {
        self.length = 0;
        self.tag = None;
        self.file.set_len(0).class(Class::Output)
    }

    fn add(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.seek(SeekFrom::Start(self.length)).class(Class::Output)?;
        self.file.write_all(bytes).class(Class::Output)?;
        self.length += bytes.len() as u64;
        Ok(())
    }
}

/// The offset of the first byte of a partial response.
fn starts_at(answer: &Response) -> Option<u64> {
    let range = answer.header(header::CONTENT_RANGE)?.strip_prefix("bytes ")?;
    range.split('-').next()?.trim().parse().ok()
}

fn problem_of(status: StatusCode) -> LocationProblem {
    let why = format!("it answers {status}");
    let passing = matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
    match status.is_server_error() || passing {
        true => LocationProblem::broken(why),
        false => LocationProblem::Refused(why),
    }
}

/// Reports the progress of a download from time to time.
struct DownloadProgress<'a> {
    downloads: &'a Downloads<'a>,
    host: String,
    total: Option<u64>,
    last: Instant,
}

/// Time between two lines of progress.
const OFTEN: Duration = Duration::from_millis(500);

impl<'a> DownloadProgress<'a> {
    fn new(downloads: &'a Downloads<'a>, host: String, total: Option<u64>) -> Self {
        Self { downloads, host, total, last: Instant::now() }
    }

    fn at(&mut self, bytes: u64) {
        if self.last.elapsed() < OFTEN {
            return;
        }
        self.last = Instant::now();
        let mega = |bytes: u64| bytes as f64 / 1e6;
        let of = self.total.map(|t| format!(" of {:.1}", mega(t))).unwrap_or_default();
        self.downloads.report_line(&format!("{:.1}{of} MB from {}", mega(bytes), self.host));
    }
}
