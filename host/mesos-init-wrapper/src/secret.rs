//! Keeps secrets out of logs and of `--print`.
//!
//! A secret can be known only by the name that it has been given. This is a net
//! with holes, which is why the log shows names of settings and never values.

/// What is shown in the place of a secret.
pub(crate) const HIDDEN: &str = "(hidden)";

const WORDS: &[&str] = &["credential", "passwd", "password", "secret"];

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
    } else {
        without_userinfo(value)
    }
}

/// Hides user and password in every URL of a text.
pub(crate) fn without_userinfo(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("://") {
        let (before, after) = rest.split_at(start + "://".len());
        shown.push_str(before);
        let end = after.find(|c: char| c == '/' || c.is_whitespace()).unwrap_or(after.len());
        // The last @ counts: a password may have one too.
        match after[..end].rfind('@') {
            Some(at) => {
                shown.push_str(HIDDEN);
                rest = &after[at..];
            }
            None => rest = after,
        }
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_name() {
        for name in ["credentials", "MESOS_CREDENTIAL", "db_password", "MESOS_SECRET"] {
            assert_eq!(shown(name, "x"), HIDDEN, "{name}");
        }
        assert_eq!(shown("quorum", "2"), "2");
    }

    #[test]
    fn json_is_searched_too() {
        let json = r#"{"DB_PASSWORD": "x"}"#;
        assert_eq!(shown("executor_environment_variables", json), HIDDEN);
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
            ("x zk://u:p@a:1/m http://v:q@b/", "x zk://(hidden)@a:1/m http://(hidden)@b/"),
            ("zk://a:1/m@n", "zk://a:1/m@n"),
        ] {
            assert_eq!(without_userinfo(url), expected);
        }
    }
}
