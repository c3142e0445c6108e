//! What is to be run in the sandbox, as the file that its processes read.

use std::path::{Path, PathBuf};

use el7rpm::input;
use serde::{Deserialize, Serialize};

use super::limits::Limits;
use crate::mount::Mount;
use base::failure::{Class, Classify, Failure, Result};

/// The exit code if the sandbox itself fails. It is that of container engines.
pub const REFUSED: u8 = 125;

/// What is to be run in the sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The folder whose content is the system inside.
    pub root: PathBuf,
    /// An empty folder, in which the processes of the sandbox mount that system. Nobody else sees the mounts.
    pub place: PathBuf,
    /// Folders and files of this machine that are seen inside.
    pub mounts: Vec<Mount>,
    /// The user inside.
    pub user: As,
    /// The working folder, as a path inside.
    pub dir: String,
    /// The home folder; it is made, in /tmp.
    pub home: String,
    /// All variables.
    pub env: Vec<(String, String)>,
    /// The program with its arguments. If it is empty, everything is made ready and nothing is run.
    pub command: Vec<String>,
    /// Its limits.
    pub limits: Limits,
    /// Whether somebody talks to the program on the terminal of this machine. Otherwise it has none.
    pub terminal: bool,
}

/// The user inside of a sandbox. There is only one user id; outside it is that of the user who runs xtask, or, for a
/// build that root runs, 1000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum As {
    /// `builder`, with the id 1000: it may write to the mounts that are writable.
    Builder,
    /// Root, who may write to the root folder, for the last step of making it. It is root over the files of the user who
    /// runs xtask, and over nothing else.
    Owner,
}

impl As {
    /// The user id and the group id inside.
    pub(super) fn id(self) -> u32 {
        match self {
            Self::Builder => 1000,
            Self::Owner => 0,
        }
    }
}

impl Request {
    /// Reads the file.
    pub(super) fn read(file: &Path) -> Result<Self> {
        let text = input::read_text(file, input::MAX_TEXT).class(Class::Tool)?;
        let request: Self =
            serde_json::from_str(&text).map_err(|e| wrong(&format!("{}: {e}", file.display())))?;
        request.check()?;
        Ok(request)
    }

    fn check(&self) -> Result<()> {
        let outside = self.mounts.iter().map(|mount| &mount.outside);
        for path in outside.chain([&self.root, &self.place]) {
            if !path.is_absolute() {
                return Err(wrong(&format!("{} is not an absolute path", path.display())));
            }
        }
        let inside = self.mounts.iter().map(|mount| &mount.inside);
        match inside.chain([&self.dir, &self.home]).find(|path| !is_plain(path)) {
            Some(path) => Err(wrong(&format!("{path} is not a plain path"))),
            None => Ok(()),
        }
    }
}

/// Whether a path inside is absolute and leads nowhere else.
fn is_plain(path: &str) -> bool {
    let parts = || path.split('/').skip(1);
    path == "/" || path.starts_with('/') && parts().all(|p| !matches!(p, "" | "." | ".."))
}

fn wrong(message: &str) -> Failure {
    Failure::new(Class::Usage, format!("the sandbox cannot take this request: {message}"))
        .help("only this program itself writes such files")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request {
        Request {
            root: "/r".into(),
            place: "/p".into(),
            mounts: vec![Mount { inside: "/src/a".into(), outside: "/a".into(), writable: false }],
            user: As::Builder,
            dir: "/".into(),
            home: "/tmp/home".into(),
            env: Vec::new(),
            command: vec!["/bin/true".into()],
            limits: Limits::default(),
            terminal: false,
        }
    }

    #[test]
    fn a_request_is_read_as_it_was_written() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs_err::write(file.path(), serde_json::to_string(&request()).unwrap()).unwrap();
        assert_eq!(Request::read(file.path()).unwrap(), request());
    }

    #[test]
    fn a_request_with_other_paths_is_refused() {
        let refused = |change: fn(&mut Request)| {
            let mut request = request();
            change(&mut request);
            request.check().unwrap_err().message.clone()
        };
        assert!(refused(|r| r.mounts[0].inside = "/src/../etc".into()).contains("/src/../etc"));
        assert!(refused(|r| r.mounts[0].inside = "src".into()).contains("plain"));
        assert!(refused(|r| r.mounts[0].outside = "a".into()).contains("absolute"));
        assert!(refused(|r| r.home = "/tmp//x".into()).contains("plain"));
        assert!(request().check().is_ok());
    }
}
