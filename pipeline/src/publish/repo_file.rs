//! The description for /etc/yum.repos.d: both packages and metadata must be signed.

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

/// The address stands in a file that yum reads line by line.
pub(super) fn check_url(url: &str) -> Result<()> {
    let known =
        ["file://", "http://", "https://", "ftp://"].iter().any(|scheme| url.starts_with(scheme));
    let plain = url.chars().all(|c| c.is_ascii_graphic());
    match known && plain {
        true => Ok(()),
        false => {
            Err(Failure::new(Class::Usage, "--base-url must be a file, http, https or ftp address"))
        }
    }
}

/// Checks that a host which takes the file checks all signatures, by the key of this repository.
pub(super) fn check(text: &str) -> Result<(), String> {
    let mut lines = text.lines().filter(|line| !line.is_empty());
    if lines.next() != Some(SECTION) {
        return Err(format!("does not begin with {SECTION}"));
    }
    let mut values = BTreeMap::new();
    for line in lines {
        // yum knows more ways to write a value; ours is written in one.
        let plain = line.split_once('=').filter(|(key, _)| is_key(key));
        let Some((key, value)) = plain else {
            return Err(format!("holds `{line}`, which is none of its lines"));
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
