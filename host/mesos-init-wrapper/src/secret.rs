//! Keeps secrets out of logs and of `--print`.
//!
//! A secret can be known only by the name that it has been given. This is a net
//! with holes, which is why the log shows names of settings and never values.

use std::collections::HashSet;

/// What is shown in the place of a secret.
pub(crate) const HIDDEN: &str = "(hidden)";

/// Parts of names of secrets. Environments of tasks are given as a whole, with whatever is in them.
const WORDS: &[&str] =
    &["credential", "environment_variables", "passphrase", "passwd", "password", "secret", "token"];

/// Settings whose value is an address, which may have a user and a password before an @.
const ADDRESSES: &[&str] = &["zk", "master", "etcd_authority", "etcd_endpoints"];

/// What is shown in the place of a line that may hold a secret.
pub(crate) const LEFT_OUT: &str = "(a line that may hold a secret is left out)";

/// Whether a name is that of a secret, or a text has such a name in it.
fn is_secret(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    WORDS.iter().any(|word| text.contains(word))
}

/// Whether a line looks as if it gave a value to a secret.
pub(crate) fn is_assignment(line: &str) -> bool {
    is_secret(line) && line.contains(['=', '"'])
}

/// The value of a setting as it may be shown.
pub(crate) fn shown(name: &str, value: &str) -> String {
    // JSON brings names of its own.
    let is_json = value.trim_start().starts_with(['{', '[']);
    if is_secret(name) || (is_json && is_secret(value)) {
        HIDDEN.to_owned()
    } else if is_address(name) {
        address(value)
    } else {
        without_userinfo(value)
    }
}

/// Whether a flag or a variable of this name is an address.
fn is_address(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    // The fetcher's, which tasks' files come through.
    name.ends_with("_proxy") || ADDRESSES.contains(&name.strip_prefix("mesos_").unwrap_or(&name))
}

/// Hides user and password in the URLs of a text.
///
/// A password may have any character in it, also those that end a URL's host: all up to the
/// last @ is hidden, were it too much.
pub(crate) fn without_userinfo(text: &str) -> String {
    match (text.find("://"), text.rfind('@')) {
        (Some(start), Some(at)) if start < at => {
            format!("{}://{HIDDEN}{}", &text[..start], &text[at..])
        }
        _ => text.to_owned(),
    }
}

/// An address without user and password, which may be there without `zk://` or after a wrong one.
pub(crate) fn address(value: &str) -> String {
    let Some(at) = value.rfind('@') else { return value.to_owned() };
    let schemes = ["zk://", "http://", "https://"];
    let scheme = schemes.into_iter().find(|scheme| value.starts_with(scheme)).unwrap_or_default();
    format!("{scheme}{HIDDEN}{}", &value[at..])
}

/// The words of the secrets in a file of defaults. A shell that does not understand the file
/// repeats parts of it.
#[derive(Debug, Default)]
pub(crate) struct Words(HashSet<String>);

impl Words {
    /// Collects them from the text of the file.
    pub(crate) fn of(content: &str) -> Self {
        // No shell repeats a comment, and one on passwords has the words of every error.
        let code = content.lines().filter(|line| !line.trim_start().starts_with('#'));
        Self(code.flat_map(secret_parts).flat_map(words).map(str::to_owned).collect())
    }

    /// Whether a line has one of them in it.
    pub(crate) fn are_in(&self, line: &str) -> bool {
        words(line).any(|word| self.0.contains(word))
    }
}

/// The parts of a line that nobody may see.
fn secret_parts(line: &str) -> impl Iterator<Item = &str> {
    let in_url = || {
        let (start, at) = (line.find("://")?, line.rfind('@')?);
        line.get(start..at)
    };
    // Without `zk://` or `http://` too: ETCD_AUTHORITY has none.
    let in_address = || {
        let (name, value) = line.split_once('=')?;
        let name = name.split_whitespace().last()?;
        is_address(name).then(|| value.rsplit_once('@'))?.map(|(userinfo, _)| userinfo)
    };
    let of_secret = || {
        let value = line.split_once('=').map_or(line, |(_, value)| value);
        // A command or a path that leads to the secret may be seen.
        let is_elsewhere = value.trim_start_matches(['"', '\'']).starts_with(['$', '`', '/'])
            || value.contains("file:///");
        (is_secret(line) && !is_elsewhere).then_some(value)
    };
    [in_url(), in_address(), of_secret()].into_iter().flatten()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_name() {
        for name in [
            "credentials",
            "MESOS_CREDENTIAL",
            "db_password",
            "MESOS_SECRET",
            "executor_environment_variables",
        ] {
            assert_eq!(shown(name, "x"), HIDDEN, "{name}");
        }
        assert_eq!(shown("quorum", "2"), "2");
    }

    #[test]
    fn json_is_searched_too() {
        let json = r#"{"DB_PASSWORD": "x"}"#;
        assert_eq!(shown("default_container_info", json), HIDDEN);
        assert_eq!(shown("acls", "{}"), "{}");
        assert_eq!(shown("zk", "file:///etc/mesos/secret-zk"), "file:///etc/mesos/secret-zk");
    }

    #[test]
    fn userinfo_is_hidden_and_the_rest_is_not() {
        for (url, expected) in [
            ("zk://a:1/m", "zk://a:1/m"),
            ("zk://u:p@a:1,b:2/m", "zk://(hidden)@a:1,b:2/m"),
            ("zk://u:p@ss@a:1/m", "zk://(hidden)@a:1/m"),
            ("zk://u:p@a:1", "zk://(hidden)@a:1"),
            ("zk://u:p/ss@a:1/m", "zk://(hidden)@a:1/m"),
            ("zk://u:p s?s#@a:1/m", "zk://(hidden)@a:1/m"),
            ("zk://u:p://q@a:1/m", "zk://(hidden)@a:1/m"),
            ("x zk://u:p@a:1/m http://v:q@b/", "x zk://(hidden)@b/"),
            ("me@a is at http://b/", "me@a is at http://b/"),
        ] {
            assert_eq!(without_userinfo(url), expected);
        }
    }

    #[test]
    fn userinfo_of_an_address_is_hidden_whatever_stands_before_it() {
        for (name, value, expected) in [
            ("zk", "zk:/u:p@a:1/m", "(hidden)@a:1/m"),
            ("MESOS_MASTER", "u:p/ss@a:1/m", "(hidden)@a:1/m"),
            ("master", "zk://u:p@s/s@a:1/m", "zk://(hidden)@a:1/m"),
            ("ETCD_AUTHORITY", "u:p@a:4001", "(hidden)@a:4001"),
            ("ETCD_ENDPOINTS", "u:p@a:4001", "(hidden)@a:4001"),
            ("attributes", "mail:u@a", "mail:u@a"),
        ] {
            assert_eq!(shown(name, value), expected);
        }
    }

    #[test]
    fn words_of_secrets_are_found_again() {
        let content = "A=zk://u:pass;word@h/m\nMESOS_CREDENTIAL= hunter2\n\"secret\": \"x99\"\n\
                       export ETCD_AUTHORITY=root:sec;ret9@h:1 # see http://h/\n\
                       MESOS_SECRET=word7 # of http://me@h/\n\
                       HTTP_PROXY=me:word8@proxy:3128\n\
                       MESOS_SECRET=$(cat /etc/key)\nLOGS=/var/log\n # No such password is near here\n";
        let secrets = Words::of(content);
        for line in [
            "word@h: not found",
            "line 2: hunter2: not found",
            "x99\": x",
            "ret9@h:1",
            "word7",
            "+ A=word8",
        ] {
            assert!(secrets.are_in(line), "{line}");
        }
        for line in ["cat: /etc/key: No such file", "/var/log", "syntax error near `fi'"] {
            assert!(!secrets.are_in(line), "{line}");
        }
    }
}
