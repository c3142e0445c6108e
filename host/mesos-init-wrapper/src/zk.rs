//! /etc/mesos/zk, and whether a ZooKeeper URL can be one.
//!
//! A daemon that gets a wrong URL says little, or waits for ever. Only the shape is
//! checked: whether the hosts can be reached is found out by the daemon.

use std::path::Path;

use crate::files;
use crate::report::Problem;
use crate::secret::without_userinfo;

const SHAPE: &str = "it has the form zk://HOST:PORT,HOST:PORT,.../PATH, \
                     for example zk://10.0.0.1:2181/mesos";

/// Reads the URL; nothing if the file is missing or holds only comments.
pub(crate) fn read(path: &Path) -> Result<Option<String>, Problem> {
    let Some(content) = files::read_if_there(path)? else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(&content);
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    match lines[..] {
        [] => Ok(None),
        [url] if url.starts_with("zk://") || url.starts_with("file://") => Ok(Some(url.to_owned())),
        [url] => Err(Problem::new(format!(
            "{}: {:?} is not a ZooKeeper URL",
            path.display(),
            without_userinfo(url)
        ))
        .hint(SHAPE)),
        _ => Err(Problem::new(format!(
            "{} holds {} lines, but one URL is expected",
            path.display(),
            lines.len()
        ))
        .hint("name several ZooKeeper hosts in one URL: zk://HOST:PORT,HOST:PORT/PATH")),
    }
}

/// Checks a value that claims to be a ZooKeeper URL; `origin` says where it stands.
///
/// Other ways to name a master (`HOST:PORT`, `file://PATH`) are left to the daemon.
pub(crate) fn check(value: &str, origin: &str) -> Result<(), Problem> {
    let Some(rest) = value.trim().strip_prefix("zk://") else {
        return Ok(());
    };
    check_rest(rest).map_err(|wrong| {
        Problem::new(format!("{origin}: the ZooKeeper URL {:?} {wrong}", without_userinfo(value)))
            .hint(SHAPE)
    })
}

fn check_rest(rest: &str) -> Result<(), String> {
    // The same cuts as Mesos makes: the first slash, and before it the last @.
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let hosts = match authority.rsplit_once('@') {
        Some((userinfo, _)) if !userinfo.contains(':') => {
            return Err("has a user without a password before the @".to_owned());
        }
        Some((_, hosts)) => hosts,
        None => authority,
    };
    for host in hosts.split(',') {
        check_host(host)?;
    }
    if path.trim_matches('/').is_empty() {
        return Err("lacks a path after the hosts, such as /mesos".to_owned());
    }
    if path.contains(char::is_whitespace) {
        return Err("has a blank in its path".to_owned());
    }
    Ok(())
}

fn check_host(host: &str) -> Result<(), String> {
    if host.is_empty() {
        return Err("lacks a host".to_owned());
    }
    let Some((name, port)) = host.rsplit_once(':') else {
        return Err(format!("lacks a port after the host {host:?}"));
    };
    if name.is_empty() {
        return Err("lacks a host".to_owned());
    }
    let is_strange = |c: char| !(c.is_alphanumeric() || "-._[]:%".contains(c));
    if let Some(strange) = name.chars().find(|&c| is_strange(c)) {
        return Err(format!("has a {strange:?} in the host {name:?}"));
    }
    match port.parse::<u16>() {
        Ok(number) if number > 0 => Ok(()),
        _ => Err(format!("has {port:?} where the port of {name:?} should be")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &[u8]) -> Result<Option<String>, String> {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("zk");
        fs_err::write(&path, text).expect("file");
        read(&path).map_err(|problem| problem.to_string())
    }

    #[test]
    fn comments_and_blank_lines_do_not_count() {
        let text = b"# the cluster's ZooKeeper\n\n  zk://a:2181/mesos \t\r\n# end\n";
        assert_eq!(read_text(text), Ok(Some("zk://a:2181/mesos".to_owned())));
        assert_eq!(read_text(b"# nothing\n\n"), Ok(None));
        assert_eq!(read_text(b""), Ok(None));
    }

    #[test]
    fn two_urls_are_one_too_many() {
        let text = read_text(b"zk://a:1/m\nzk://b:1/m\n").expect_err("a problem");
        assert!(text.contains("2 lines"), "{text}");
    }

    #[test]
    fn something_else_is_not_a_url() {
        for content in [&b"10.0.0.1:2181\n"[..], b"http://a:2181/mesos", b"\xff\xfe"] {
            let text = read_text(content).expect_err("a problem");
            assert!(text.contains("is not a ZooKeeper URL"), "{text}");
        }
    }

    #[test]
    fn good_urls_pass() {
        for url in [
            "zk://localhost:2181/mesos",
            "zk://a:2181,b.example:2182,10.0.0.1:1/mesos/east",
            "zk://user:p@ss,w@a:2181/mesos",
            "zk://[::1]:2181/mesos",
            "file:///etc/mesos/zk-secret",
            "10.0.0.1:5050",
        ] {
            assert_eq!(check(url, "here"), Ok(()), "{url}");
        }
    }

    #[test]
    fn bad_urls_are_told_what_they_lack() {
        for (url, expected) in [
            ("zk://", "lacks a host"),
            ("zk:///mesos", "lacks a host"),
            ("zk://:2181/mesos", "lacks a host"),
            ("zk://a:2181,/mesos", "lacks a host"),
            ("zk://a/mesos", "lacks a port after the host \"a\""),
            ("zk://a:/mesos", "where the port of \"a\""),
            ("zk://a:0/mesos", "where the port of \"a\""),
            ("zk://a:65536/mesos", "where the port of \"a\""),
            ("zk://a:2181", "lacks a path"),
            ("zk://a:2181/", "lacks a path"),
            ("zk://a:2181/me sos", "blank in its path"),
            ("zk://<IP of ZooKeeper>:2181/mesos", "'<' in the host"),
            ("zk://user@a:2181/mesos", "user without a password"),
        ] {
            let text = check(url, "here").expect_err(url).to_string();
            assert!(text.starts_with("here: "), "{text}");
            assert!(text.contains(expected), "{url}: {text}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        let text = check("zk://u:hunter2@a/m", "here").expect_err("a problem");
        assert!(!text.to_string().contains("hunter2"), "{text}");
    }
}
