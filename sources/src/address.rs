//! Addresses of files and repositories: their host, their form without secrets, and the target of
//! a redirect.

/// Splits an address into scheme, authority, and the rest with its slash.
fn parts(url: &str) -> Option<(&str, &str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    Some((scheme, &rest[..end], &rest[end..]))
}

fn split_user(authority: &str) -> (Option<&str>, &str) {
    match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, authority),
    }
}

/// The host of an address, with its port if it has one; `None` for a file.
pub(super) fn host(url: &str) -> Option<String> {
    let (scheme, authority, _) = parts(url)?;
    let (_, host) = split_user(authority);
    (scheme != "file" && !host.is_empty()).then(|| host.to_ascii_lowercase())
}

/// The path in a `file://` address.
pub(super) fn file(url: &str) -> Option<&str> {
    url.strip_prefix("file://").map(|path| path.strip_prefix("localhost").unwrap_or(path))
}

/// The address without its secrets: user name and password, and the query, which may have a
/// token.
pub(super) fn shown(url: &str) -> String {
    let Some((scheme, authority, rest)) = parts(url) else { return "an address".into() };
    let (_, host) = split_user(authority);
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    let hidden = if path.len() < rest.len() { "?…" } else { "" };
    format!("{scheme}://{host}{path}{hidden}")
}

/// The address without user name and password, and these two as they were.
pub(super) fn without_password(url: &str) -> (String, Option<String>) {
    let Some((scheme, authority, rest)) = parts(url) else { return (url.into(), None) };
    let (user, host) = split_user(authority);
    match user {
        // ssh takes the user name from the address, but never a password.
        Some(user) if scheme == "ssh" => {
            let account = user.split(':').next().unwrap_or_default();
            (format!("{scheme}://{account}@{host}{rest}"), None)
        }
        user => (format!("{scheme}://{host}{rest}"), user.map(str::to_owned)),
    }
}

/// The target of a redirect from `base` to `location`. It gets user name and password only if it has the same scheme,
/// host and port.
pub(super) fn join(base: &str, location: &str) -> Option<String> {
    let location = location.split('#').next()?;
    if location.is_empty() || location.contains(|c: char| c.is_control() || c == ' ') {
        return None;
    }
    if location.contains("://") && parts(location).is_some_and(|(s, ..)| is_scheme(s)) {
        return Some(with_user_of(base, location));
    }
    let (scheme, authority, rest) = parts(base)?;
    if location.starts_with("//") {
        return Some(with_user_of(base, &format!("{scheme}:{location}")));
    }
    if location.starts_with('/') {
        return Some(format!("{scheme}://{authority}{location}"));
    }
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    let dir = path.rfind('/').map_or("/", |slash| &path[..=slash]);
    Some(format!("{scheme}://{authority}{dir}{location}"))
}

/// The address `to` with user name and password of `base`, if both have the same scheme, host and port, and
/// `to` has no user name itself.
fn with_user_of(base: &str, to: &str) -> String {
    let (Some((_, from, _)), Some((scheme, authority, rest))) = (parts(base), parts(to)) else {
        return to.to_owned();
    };
    match (split_user(from).0, split_user(authority)) {
        (Some(user), (None, host)) if server(base) == server(to) => {
            format!("{scheme}://{user}@{host}{rest}")
        }
        _ => to.to_owned(),
    }
}

/// Scheme, host and port.
fn server(url: &str) -> Option<(String, String, String)> {
    let (scheme, authority, _) = parts(url)?;
    let (scheme, host) =
        (scheme.to_ascii_lowercase(), split_user(authority).1.to_ascii_lowercase());
    let usual = if scheme == "https" { "443" } else { "80" };
    let port = host.rsplit_once(':').filter(|(_, port)| port.chars().all(|c| c.is_ascii_digit()));
    let (name, port) = match port {
        Some((name, "")) => (name.to_owned(), usual.to_owned()),
        Some((name, port)) => (name.to_owned(), port.to_owned()),
        None => (host.clone(), usual.to_owned()),
    };
    Some((scheme, name, port))
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "+.-".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_and_queries_of_addresses_are_hidden() {
        assert_eq!(shown("https://me:s3cret@h:8/a/b?token=s3cret"), "https://h:8/a/b?…");
        assert_eq!(shown("https://a@b:s3cret@h"), "https://h");
        assert_eq!(shown("nothing s3cret"), "an address");
        let (url, user) = without_password("https://me:s3cret@h/x");
        assert_eq!((url.as_str(), user.as_deref()), ("https://h/x", Some("me:s3cret")));
        assert_eq!(without_password("ssh://git:pw@h/x"), ("ssh://git@h/x".into(), None));
    }

    #[test]
    fn hosts_of_addresses_are_found() {
        assert_eq!(host("https://u@Example.org:80/x").as_deref(), Some("example.org:80"));
        assert_eq!(host("file:///srv/x"), None);
        assert_eq!(file("file:///srv/x"), Some("/srv/x"));
    }

    #[test]
    fn redirects_are_joined_to_addresses() {
        let from = |location| join("https://u:p@h:1/a/b.tgz?q=/x", location);
        assert_eq!(from("http://o/c").as_deref(), Some("http://o/c"));
        assert_eq!(from("//o/c").as_deref(), Some("https://o/c"));
        assert_eq!(from("/c#f").as_deref(), Some("https://u:p@h:1/c"));
        let here = Some("https://u:p@h:1/a/c?u=http://x");
        assert_eq!(from("c?u=http://x").as_deref(), here);
        assert_eq!(from("c d"), None);
        assert_eq!(join("https://h", "c").as_deref(), Some("https://h/c"));
    }

    #[test]
    fn redirects_keep_passwords_on_the_same_server_only() {
        let follows = |base: &str, to: &str| join(base, to).unwrap().contains("u:p@");
        for to in ["/c", "c", "//h/c", "https://h/c", "https://H:443/c", "HTTPS://h:/c"] {
            assert!(follows("https://u:p@h/a", to), "{to}");
        }
        for to in [
            "https://o/c",
            "//o/c",
            "http://h/c",
            "https://h:444/c",
            "https://h.o/c",
            "https://x.h/c",
            "https://o@h/c",
            "https://h:443@o/c",
            "https://[h]/c",
        ] {
            assert!(!follows("https://u:p@h/a", to), "{to}");
        }
        assert!(follows("http://u:p@[::1]:80/a", "http://[::1]/c"));
        assert!(!follows("http://u:p@[::1]/a", "http://[::2]/c"));
    }
}
