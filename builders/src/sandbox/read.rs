//! Reads the file with a request, and checks it.

use std::path::Path;

use el7rpm::input;

use super::request::Request;
use base::failure::{Class, Classify, Failure, Result};

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
    use super::{
        super::{As, Limits},
        Request,
    };
    use crate::mount::Mount;

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
