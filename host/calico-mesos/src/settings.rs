//! The settings, read from the environment once (facts 1.6). Names that begin with `CALICO_MESOS_`
//! are this program's own; the others are those of Calico's tools of 2015.

use std::time::Duration;

use crate::{
    error::{Error, Result},
    etcd::{
        Config, TlsFiles,
        address::{self, Address},
    },
};

/// Every variable that the program reads.
pub const NAMES: [&str; 12] = [
    "ETCD_AUTHORITY",
    "ETCD_SCHEME",
    "ETCD_ENDPOINTS",
    "ETCD_CA_CERT_FILE",
    "ETCD_CERT_FILE",
    "ETCD_KEY_FILE",
    "CALICO_MESOS_GATEWAY",
    "CALICO_MESOS_STRICT_CLEANUP",
    "CALICO_MESOS_CALL_TIMEOUT",
    "CALICO_MESOS_TOTAL_TIMEOUT",
    "CALICO_MESOS_LOG",
    "CALICO_MESOS_LOG_FILE",
];

/// After the time for the request is over, a rollback gets this much more.
pub const ROLLBACK: Duration = Duration::from_secs(5);
/// After that the stand-in waits this long for the plugin's own answer.
pub const GRACE: Duration = Duration::from_secs(2);

/// Mesos gives an executor one minute by default, and the guide five, to register. Request, rollback
/// and grace together stay below the minute for every value that is accepted.
const TOTAL_MAX: u64 = 50;

/// How containers reach the rest of the world: the address that their default route names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gateway {
    /// The host's own Calico address, the rule of 2015 (facts 2.2).
    Host,
    /// 169.254.1.1, for which Felix' `proxy_arp` answers; the rule of later versions.
    LinkLocal,
}

/// The two time limits of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// One etcd call, from connecting to the last byte.
    pub call: Duration,
    /// The whole request, without a rollback.
    pub total: Duration,
}

/// All settings that a request needs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where etcd is, in the order in which addresses are tried.
    pub addresses: Vec<Address>,
    /// True where no variable names etcd and the default address is used.
    pub defaulted: bool,
    /// For https.
    pub tls: TlsFiles,
    /// The rule for default routes.
    pub gateway: Gateway,
    /// Whether `cleanup` of an unknown container is an error, as it was in 2015.
    pub strict_cleanup: bool,
    /// The time limits.
    pub limits: Limits,
}

impl Settings {
    /// Reads the process's environment.
    pub fn from_environment() -> Result<Self> {
        Self::from(|name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
    }

    /// Reads settings from `get`; an empty value counts as unset.
    pub fn from(get: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let get = |name: &str| {
            get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
        };
        let addresses = address::from_settings(
            get("ETCD_ENDPOINTS").as_deref(),
            get("ETCD_AUTHORITY").as_deref(),
            get("ETCD_SCHEME").as_deref(),
        )
        .map_err(Error::Request)?;
        let encrypts = addresses.iter().any(Address::is_https);
        let tls = if encrypts { tls_files(&get)? } else { TlsFiles::default() };
        Ok(Self {
            defaulted: get("ETCD_ENDPOINTS").is_none() && get("ETCD_AUTHORITY").is_none(),
            addresses,
            tls,
            gateway: gateway(get("CALICO_MESOS_GATEWAY").as_deref())?,
            strict_cleanup: switch(
                "CALICO_MESOS_STRICT_CLEANUP",
                get("CALICO_MESOS_STRICT_CLEANUP").as_deref(),
            )?,
            limits: limits(&get)?,
        })
    }

    /// The part of them that a client of etcd needs.
    pub fn etcd(&self) -> Config {
        Config {
            addresses: self.addresses.clone(),
            defaulted: self.defaulted,
            tls: self.tls.clone(),
            call: self.limits.call,
        }
    }
}

/// The limits alone: the stand-in needs them even where the rest is malformed; what is wrong with
/// them, the plugin reports.
pub fn limits_or_default() -> Limits {
    limits(&|name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty()))
        .unwrap_or(Limits { call: Duration::from_secs(5), total: Duration::from_secs(20) })
}

fn limits(get: &impl Fn(&str) -> Option<String>) -> Result<Limits> {
    let total = seconds("CALICO_MESOS_TOTAL_TIMEOUT", get, 20)?;
    let call = seconds("CALICO_MESOS_CALL_TIMEOUT", get, 5)?;
    Ok(Limits { call: call.min(total), total })
}

fn seconds(name: &str, get: &impl Fn(&str) -> Option<String>, default: u64) -> Result<Duration> {
    let Some(value) = get(name) else { return Ok(Duration::from_secs(default)) };
    match value.trim().parse() {
        Ok(number @ 1..=TOTAL_MAX) => Ok(Duration::from_secs(number)),
        _ => wrong(format!("{name} must be a whole number of seconds from 1 to {TOTAL_MAX}.")),
    }
}

fn gateway(value: Option<&str>) -> Result<Gateway> {
    match value {
        None | Some("host") => Ok(Gateway::Host),
        Some("link-local") => Ok(Gateway::LinkLocal),
        Some(_) => wrong("CALICO_MESOS_GATEWAY must be host or link-local."),
    }
}

fn switch(name: &str, value: Option<&str>) -> Result<bool> {
    match value {
        None | Some("0" | "false" | "no") => Ok(false),
        Some("1" | "true" | "yes") => Ok(true),
        Some(_) => wrong(format!("{name} must be 0 or 1.")),
    }
}

fn tls_files(get: &impl Fn(&str) -> Option<String>) -> Result<TlsFiles> {
    let ca = get("ETCD_CA_CERT_FILE");
    if ca.is_none() {
        return wrong("https needs ETCD_CA_CERT_FILE.");
    }
    let client = match (get("ETCD_CERT_FILE"), get("ETCD_KEY_FILE")) {
        (Some(cert), Some(key)) => Some((cert, key)),
        (None, None) => None,
        _ => return wrong("ETCD_CERT_FILE and ETCD_KEY_FILE: give both or neither."),
    };
    Ok(TlsFiles { ca, client })
}

fn wrong<T>(text: impl Into<String>) -> Result<T> {
    Err(Error::Request(text.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Result<Settings> {
        Settings::from(|name| {
            pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn defaults() {
        let got = settings(&[("ETCD_AUTHORITY", "")]).unwrap();
        assert!(got.defaulted);
        assert_eq!(got.addresses[0].shown(), "http://127.0.0.1:4001");
        assert_eq!(got.gateway, Gateway::Host);
        assert!(!got.strict_cleanup);
    }

    #[test]
    fn https_wants_an_authority_and_both_client_files() {
        let https = ("ETCD_SCHEME", "https");
        let error = settings(&[https]).unwrap_err().to_string();
        assert!(error.contains("ETCD_CA_CERT_FILE"), "{error}");
        let error = settings(&[https, ("ETCD_CA_CERT_FILE", "a"), ("ETCD_KEY_FILE", "b")]);
        assert!(error.unwrap_err().to_string().contains("both or neither"));
        // Without https they are not looked at.
        assert_eq!(settings(&[("ETCD_KEY_FILE", "b")]).unwrap().tls, TlsFiles::default());
    }

    #[test]
    fn every_limit_ends_before_mesos_gives_up() {
        let most = Duration::from_secs(TOTAL_MAX) + ROLLBACK + GRACE;
        assert!(most < Duration::from_secs(60));
        for bad in ["0", "51", "-1", "2.5", "soon"] {
            assert!(settings(&[("CALICO_MESOS_TOTAL_TIMEOUT", bad)]).is_err(), "{bad}");
        }
        let got = settings(&[("CALICO_MESOS_TOTAL_TIMEOUT", "3")]).unwrap();
        assert_eq!(got.limits.call, Duration::from_secs(3));
    }

    #[test]
    fn words_that_are_no_setting_are_refused() {
        assert!(settings(&[("CALICO_MESOS_GATEWAY", "router")]).is_err());
        assert!(settings(&[("CALICO_MESOS_STRICT_CLEANUP", "maybe")]).is_err());
    }
}
