//! /etc/mesos/zk, and whether a ZooKeeper URL can be one.
//!
//! A daemon that gets a wrong URL says little, or waits for ever. Only the shape is
//! checked: whether the hosts can be reached is found out by the daemon.

use std::path::Path;

use crate::files;
use crate::report::Problem;
use crate::role::Role;
use crate::secret;

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
            secret::address(url)
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

/// Checks what a daemon is told about its masters; `origin` says where it stands.
///
/// All that it takes is a ZooKeeper URL, the name of a file that holds one and, for a slave,
/// HOST:PORT of a master. What is wrong is told without the value's own words: each may be a
/// part of a password.
pub(crate) fn check(role: Role, value: &str, origin: &str) -> Result<(), Problem> {
    let lines = value.lines().count();
    if lines > 1 {
        return Err(Problem::new(format!("{origin} holds {lines} lines, but one URL is expected"))
            .hint(
                "only /etc/mesos/zk may have comments; it is read anyway, so a line \
                 such as MASTER=`cat /etc/mesos/zk` can go",
            ));
    }
    if value.starts_with("file://") {
        return Ok(());
    }
    let shown = shown(value);
    if let Some(rest) = value.strip_prefix("zk://") {
        return check_rest(rest).map_err(|wrong| {
            Problem::new(format!("{origin}: the ZooKeeper URL {shown:?} {wrong}")).hint(SHAPE)
        });
    }
    match role {
        Role::Slave if !value.contains(['@', '/']) && check_host(value).is_ok() => Ok(()),
        Role::Slave => Err(Problem::new(format!(
            "{origin}: {shown:?} is neither a ZooKeeper URL nor HOST:PORT of a master"
        ))
        .hint(SHAPE)),
        Role::Master => {
            Err(Problem::new(format!("{origin}: {shown:?} is not a ZooKeeper URL")).hint(SHAPE))
        }
    }
}

/// The value without a password. One that is neither followed by an @ nor a port cannot be told
/// from a port that is wrong.
fn shown(value: &str) -> String {
    let authority = value.strip_prefix("zk://").and_then(|rest| rest.split('/').next());
    let ports = authority.unwrap_or("").split(',').filter_map(|host| host.split_once(':'));
    let is_port = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if value.contains('@') || ports.into_iter().all(|(_, port)| is_port(port)) {
        secret::address(value)
    } else {
        format!("zk://{}", secret::HIDDEN)
    }
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
    let checked = hosts.split(',').try_for_each(check_host);
    if checked.is_err() && path.contains('@') {
        let why =
            "has a / before the @, where Mesos takes the hosts to end: no password may have one";
        return Err(why.to_owned());
    }
    checked?;
    if path.trim_matches('/').is_empty() {
        return Err("lacks a path after the hosts, such as /mesos".to_owned());
    }
    if path.contains(char::is_whitespace) {
        return Err("has a blank in its path".to_owned());
    }
    Ok(())
}

fn check_host(host: &str) -> Result<(), String> {
    let (name, port) = host.rsplit_once(':').unwrap_or((host, ""));
    if name.is_empty() {
        return Err("lacks a host".to_owned());
    }
    let is_v6 = name.starts_with('[') && name.ends_with(']');
    let is_strange =
        |c: &char| !(c.is_alphanumeric() || "-._%".contains(*c) || is_v6 && "[]:".contains(*c));
    if let Some(strange) = name.chars().find(is_strange) {
        return Err(format!("has a {strange:?} in the host"));
    }
    match port.parse::<u16>() {
        Ok(number) if number > 0 => Ok(()),
        _ if port.is_empty() => Err("lacks a port after a host".to_owned()),
        _ => Err("lacks a number from 1 to 65535 as the port of a host".to_owned()),
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
            "zk://a:2181/me@sos",
            "file:///etc/mesos/zk-secret",
        ] {
            for role in [Role::Master, Role::Slave] {
                assert_eq!(check(role, url, "here"), Ok(()), "{url}");
            }
        }
        for master in ["10.0.0.1:5050", "localhost:5050", "[::1]:5050"] {
            assert_eq!(check(Role::Slave, master, "here"), Ok(()), "{master}");
            assert!(check(Role::Master, master, "here").is_err(), "{master}");
        }
    }

    #[test]
    fn bad_urls_are_told_what_they_lack() {
        for (url, expected) in [
            ("zk://", "lacks a host"),
            ("zk:///mesos", "lacks a host"),
            ("zk://:2181/mesos", "lacks a host"),
            ("zk://a:2181,/mesos", "lacks a host"),
            ("zk://a/mesos", "lacks a port after a host"),
            ("zk://a:/mesos", "lacks a port after a host"),
            ("zk://a:0/mesos", "as the port"),
            ("zk://a:65536/mesos", "as the port"),
            ("zk://a:2181", "lacks a path"),
            ("zk://a:2181/", "lacks a path"),
            ("zk://a:2181/me sos", "blank in its path"),
            ("zk://<IP of ZooKeeper>:2181/mesos", "'<' in the host"),
            ("zk://user@a:2181/mesos", "user without a password"),
            ("zk://u:p/s@a:2181/mesos", "a / before the @"),
            ("# zk://a:2181/mesos", "neither a ZooKeeper URL nor"),
            (" zk://a:2181/mesos", "neither a ZooKeeper URL nor"),
            ("http://a:2181/mesos", "neither a ZooKeeper URL nor"),
            ("10.0.0.1", "neither a ZooKeeper URL nor"),
            ("", "neither a ZooKeeper URL nor"),
            ("# ours\nzk://a:2181/mesos", "holds 2 lines"),
        ] {
            let text = check(Role::Slave, url, "here").expect_err(url).to_string();
            assert!(text.starts_with("here"), "{text}");
            assert!(text.contains(expected), "{url}: {text}");
        }
    }

    #[test]
    fn no_part_of_a_password_is_shown() {
        for url in [
            "zk://u:hunter2@a/m",
            "zk://u:hun/ter2@a:1/m",
            "zk://u:hun/ter2@a:1",
            "zk://u:hun@ter2/x@a:1/m",
            "zk://u:hun,ter2/x@a:1/m",
            "zk://u:hun:ter2/x@a:1/m",
            "zk://u:hun ter2@a/m",
            "zk://u:hun?ter2#@a/m",
            "zk://u:hun://ter2@a/m",
            "zk:/u:hunter2@a:1/m",
            "zookeeper://u:hunter2@a:1/m",
            "u:hunter2@a:1/m",
            "# zk://u:hunter2@a:1/m",
            "zk://u:hunter2@a:1/m\nzk://u:hunter2@b:1/m",
            "zk://u:hunter2/m",
            "zk://u:hunter2",
            "zk://u:hun:ter2/m",
        ] {
            let role = Role::Slave;
            let text = check(role, url, "here").expect_err(url).to_string();
            assert!(!text.contains("hun") && !text.contains("ter2"), "{url}: {text}");
        }
        let text = read_text(b"zk:/u:hunter2@a:1/m").expect_err("a problem");
        assert!(!text.contains("hunter2"), "{text}");
    }
}
