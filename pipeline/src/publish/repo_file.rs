//! The file for /etc/yum.repos.d: it makes yum check the signatures of packages and metadata.

use std::collections::BTreeMap;

use super::names::PUBLIC_KEY;
use base::failure::{Class, Failure, Result};

const SECTION: &str = "[mesos-calico]";

/// The file for a repository at this address.
pub(super) fn write(base_url: &str) -> String {
    let base = base_url.trim_end_matches('/');
    format!(
        "{SECTION}\nname=Mesos with Calico networking for CentOS 7\nbaseurl={base}\n\
         enabled=1\ngpgcheck=1\nrepo_gpgcheck=1\ngpgkey={base}/{PUBLIC_KEY}\n"
    )
}

/// Checks the address, which must not break the file's lines, and which everybody may read.
pub(super) fn check_url(url: &str) -> Result<()> {
    let refused = |message: &str| Err(Failure::new(Class::Usage, message));
    let rest =
        ["file://", "http://", "https://", "ftp://"].iter().find_map(|s| url.strip_prefix(s));
    let place = rest.filter(|rest| !rest.trim_matches('/').is_empty());
    let (Some(place), true) = (place, url.chars().all(|c| c.is_ascii_graphic())) else {
        return refused("--base-url must be a file, http, https or ftp address");
    };
    if url.starts_with("file://") != place.starts_with('/') {
        return refused("--base-url must be like file:///folder or https://host/folder");
    }
    if place.split('/').next().is_some_and(|host| host.contains('@')) {
        return refused("--base-url has a user in it, and would be published with the repository").map_err(
            |failure| failure.help("hosts that need a password have `username=` and `password=` in a file of their own"),
        );
    }
    Ok(())
}

/// Checks that the file makes yum check all signatures, by the key of this repository.
pub(super) fn check(text: &str) -> Result<(), String> {
    let mut lines = text.lines().filter(|line| !line.is_empty());
    if lines.next() != Some(SECTION) {
        return Err(format!("does not begin with {SECTION}"));
    }
    let mut values = BTreeMap::new();
    for line in lines {
        // yum accepts more ways to write a value; this program writes one.
        let plain = line.split_once('=').filter(|(key, _)| is_key(key));
        let Some((key, value)) = plain else {
            return Err(format!("holds `{line}`, which does not belong there"));
        };
        if values.insert(key, value).is_some() {
            return Err(format!("says {key} twice"));
        }
    }
    for key in ["gpgcheck", "repo_gpgcheck"] {
        if values.get(key) != Some(&"1") {
            return Err(format!("does not say {key}=1"));
        }
    }
    let key = values.get("baseurl").map(|base| format!("{base}/{PUBLIC_KEY}"));
    match key.is_some() && values.get("gpgkey").copied() == key.as_deref() {
        true => Ok(()),
        false => Err("does not take the key from its own baseurl".into()),
    }
}

fn is_key(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_hosts_can_use_and_everybody_may_read() {
        for good in
            ["file:///srv/el7", "http://h", "https://h:8080/el7/", "https://h/$releasever/@x"]
        {
            assert!(check_url(good).is_ok(), "{good}");
        }
        for bad in [
            "http://",
            "https:///",
            "file://",
            "file://srv/el7",
            "https:///el7",
            "http://u:p@h/el7",
            "http://u@h/el7",
            "http://h/a b",
            "http://h/\n[other]",
            "javascript:x",
            "",
        ] {
            assert!(check_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_file_that_checks_less_than_ours_is_refused() {
        let ours = write("https://repo.example.org/el7/");
        assert_eq!(check(&ours), Ok(()));
        for (from, to) in [
            ("\ngpgcheck=1", "\ngpgcheck=0"),
            ("\nrepo_gpgcheck=1", ""),
            ("\ngpgcheck=1", "\ngpgcheck=1\ngpgcheck=0"),
            ("\ngpgcheck=1", "\ngpgcheck=1\n GPGCHECK : 0"),
            ("\ngpgcheck=1", "\ngpgcheck=1\n0"),
            ("gpgkey=https://repo", "gpgkey=https://other"),
            ("baseurl=https://repo", "baseurl=https://other"),
            ("baseurl=", "mirrorlist="),
            ("[mesos-calico]", "[other]"),
            ("[mesos-calico]", "[mesos-calico]\n[other]"),
        ] {
            assert!(ours.contains(from), "{from}");
            check(&ours.replacen(from, to, 1)).unwrap_err();
        }
    }
}
