//! Where etcd is: `ETCD_AUTHORITY` (host:port), `ETCD_SCHEME`, `ETCD_ENDPOINTS` (facts 1.6).
//!
//! A malformed value killed the original before it could answer (facts 1.4); here it is an ordinary
//! error, in the answer.

use base64::prelude::{BASE64_STANDARD, Engine};
use percent_encoding::percent_decode_str;

/// Used where nothing is set: the address that calicoctl 0.9 and libcalico 0.3.1 use then (facts 1.6), so that all
/// parts of a host talk to the same etcd (decision 63). The etcd of 2015 listens on 2379 and 4001 by itself.
const DEFAULT_AUTHORITY: &str = "127.0.0.1:4001";

/// The word that the package's settings file has where the administrator's address belongs.
pub const PLACEHOLDER: &str = "SET-THE-ETCD-ADDRESS";

/// One address of etcd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    shown: String,
    authorization: Option<String>,
}

impl Address {
    /// The URL to call, without user and password: it may be printed.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// The value of the Authorization header, where there is a user: never to be printed.
    pub fn authorization(&self) -> Option<&str> {
        self.authorization.as_deref()
    }

    /// The host and the port, as they may be printed.
    pub fn host_port(&self) -> &str {
        self.shown.split_once("://").map_or("", |(_, host_port)| host_port)
    }

    /// The host alone: a name, or an address without brackets.
    pub fn host(&self) -> &str {
        let host = self.host_port().rsplit_once(':').map_or("", |(host, _)| host);
        host.trim_start_matches('[').trim_end_matches(']')
    }

    /// Whether calls are encrypted.
    pub fn is_https(&self) -> bool {
        self.shown.starts_with("https:")
    }

    fn new(variable: &str, scheme: &str, authority: &str) -> Result<Self, String> {
        let (userinfo, host_port) = match authority.rsplit_once('@') {
            Some((userinfo, host_port)) => (Some(userinfo), host_port),
            None => (None, authority),
        };
        if host_port.contains(PLACEHOLDER) {
            return Err(format!(
                "{variable} still has its placeholder: put the address of etcd there, in \
                 /etc/default/mesos-slave.d/50-calico or /etc/default/mesos-slave."
            ));
        }
        check_host_port(host_port).map_err(|why| {
            format!("{variable}: '{}' is not HOST:PORT ({why}).", printable(host_port))
        })?;
        if userinfo.is_some_and(|text| !text.bytes().all(is_userinfo)) {
            return Err("the user or password before '@' is not URL-encoded".to_owned());
        }
        Ok(Self { shown: format!("{scheme}://{host_port}"), authorization: userinfo.map(basic) })
    }
}

/// Basic authentication (RFC 7617) of what stands URL-encoded before the `@`.
fn basic(userinfo: &str) -> String {
    let decoded: Vec<u8> = percent_decode_str(userinfo).collect();
    format!("Basic {}", BASE64_STANDARD.encode(decoded))
}

/// The addresses that the settings name, in order, at least one.
pub fn from_settings(
    endpoints: Option<&str>,
    authority: Option<&str>,
    scheme: Option<&str>,
) -> Result<Vec<Address>, String> {
    match endpoints {
        Some(list) => each("ETCD_ENDPOINTS", list, from_url),
        None => {
            let scheme = match scheme.unwrap_or("http") {
                known @ ("http" | "https") => known,
                _ => return Err("ETCD_SCHEME must be http or https.".to_owned()),
            };
            let name = "ETCD_AUTHORITY";
            let list = authority.unwrap_or(DEFAULT_AUTHORITY);
            each(name, list, |authority| Address::new(name, scheme, authority))
        }
    }
}

/// The addresses of a list with commas.
fn each(
    variable: &str,
    list: &str,
    address: impl Fn(&str) -> Result<Address, String>,
) -> Result<Vec<Address>, String> {
    let all: Result<_, _> = list.split(',').map(|part| address(part.trim())).collect();
    all.map_err(|why: String| {
        // A password with a comma would fall apart, and a part of it be shown.
        match list.contains('@') && !list.contains(PLACEHOLDER) {
            true => format!(
                "{variable}: an address is not USER:PASSWORD@HOST:PORT, with what is special in user and \
                 password (and ',') URL-encoded."
            ),
            false => why,
        }
    })
}

fn from_url(url: &str) -> Result<Address, String> {
    let name = "ETCD_ENDPOINTS";
    match url.trim_end_matches('/').split_once("://") {
        Some((scheme @ ("http" | "https"), authority)) => Address::new(name, scheme, authority),
        _ => Err(format!("{name}: each address must begin with http:// or https://.")),
    }
}

fn check_host_port(text: &str) -> Result<(), &'static str> {
    let (host, port) = text.rsplit_once(':').ok_or("the port is missing")?;
    if host.is_empty() {
        return Err("the host is missing");
    }
    if !matches!(port.parse::<u16>(), Ok(1..)) {
        return Err("the port is no number from 1 to 65535");
    }
    let named = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(ip) if ip.parse::<std::net::Ipv6Addr>().is_ok() => Ok(()),
        None if host.bytes().all(named) => Ok(()),
        _ => Err("the host is neither a name nor an address; IPv6 goes in brackets"),
    }
}

fn is_userinfo(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:%".contains(&b)
}

/// Part of a setting, short and without control characters.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(endpoints: Option<&str>, authority: Option<&str>) -> Result<Vec<String>, String> {
        let found = from_settings(endpoints, authority, None)?;
        Ok(found.iter().map(|address| address.shown().to_owned()).collect())
    }

    #[test]
    fn one_and_several() {
        assert_eq!(shown(None, Some("etcd.example:4001")).unwrap(), ["http://etcd.example:4001"]);
        assert_eq!(shown(None, Some("[fd80::1]:2379")).unwrap(), ["http://[fd80::1]:2379"]);
        let two = shown(Some("http://a:1, https://b:2/"), Some("ignored")).unwrap();
        assert_eq!(two, ["http://a:1", "https://b:2"]);
        assert_eq!(shown(None, Some("a:1,b:2")).unwrap(), ["http://a:1", "http://b:2"]);
        let ip6 = from_settings(None, Some("[fd80::1]:2379"), None).unwrap();
        assert_eq!((ip6[0].host_port(), ip6[0].host()), ("[fd80::1]:2379", "fd80::1"));
    }

    #[test]
    fn malformed_values_say_what_is_wrong() {
        for (value, part) in [
            ("etcd", "the port is missing"),
            (":4001", "the host is missing"),
            ("etcd:port", "no number"),
            ("etcd:0", "no number"),
            ("etcd:99999", "no number"),
            ("http://etcd:4001", "neither a name"),
            ("a:1,", "the port is missing"),
            ("<IP of host with etcd running>:4001", "neither a name"),
            ("fd80::1:2379", "brackets"),
            ("etcd:4001/v2", "no number"),
            ("SET-THE-ETCD-ADDRESS:4001", "placeholder"),
        ] {
            let text = shown(None, Some(value)).unwrap_err();
            assert!(text.contains(part) && text.contains("ETCD_AUTHORITY"), "{value}: {text}");
        }
        assert!(shown(Some("etcd:4001"), None).is_err());
        assert!(from_settings(None, None, Some("ftp")).is_err());
    }

    #[test]
    fn a_password_is_used_and_never_shown() {
        let found = from_settings(Some("https://me:s3%40cret@etcd:2379"), None, None).unwrap();
        assert_eq!(found[0].authorization(), Some("Basic bWU6czNAY3JldA=="));
        assert_eq!(found[0].shown(), "https://etcd:2379");
        assert_eq!((found[0].host_port(), found[0].host()), ("etcd:2379", "etcd"));
        for bad in
            ["me:s3cret@etcd", "me:s3 cret@etcd:1", "me:s3,cret@etcd:1", "me:s3,s3:1@etcd:1,b"]
        {
            for text in [
                shown(None, Some(bad)).unwrap_err(),
                shown(Some(&format!("http://{bad}")), None).unwrap_err(),
                shown(Some(&format!("http:/{bad}")), None).unwrap_err(),
            ] {
                assert!(!text.contains("s3") && text.contains("URL-encoded"), "{text}");
            }
        }
    }
}
