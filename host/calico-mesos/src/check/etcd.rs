//! Is etcd there, does it serve v2, are Calico's keys in it, is there a pool?

use super::{agent::Environment, report::Finding, skipped, survey};
use crate::{
    deadline::Deadline,
    error::Result,
    etcd::Client,
    host::{self, CalicoAddresses},
    ipam::{Family, pool},
    netns::rtnl::Rtnl,
    settings::Settings,
};

const START_NODE: &str =
    "start calico-node on this host (systemctl start calico-node), under this host name";

/// ETCD_AUTHORITY is read by calicoctl and calico-node of 0.9 as well, which take exactly one address: do they talk to
/// the etcd of this program?
pub fn authority(environment: &Environment) -> Finding {
    let name = "authority";
    let Ok(settings) = Settings::from(|name| environment.get(name)) else {
        return skipped(name, "the settings have to be correct first");
    };
    let get = |name| environment.get(name).filter(|value| !value.trim().is_empty());
    let help = "set ETCD_AUTHORITY to one HOST:PORT, and several, for this program, as URLs in ETCD_ENDPOINTS";
    let authority = match get("ETCD_AUTHORITY") {
        Some(several) if several.contains(',') => {
            let text = "ETCD_AUTHORITY names several addresses; calicoctl and calico-node take one";
            return Finding::warn(name, text, help);
        }
        Some(one) => one,
        None => "127.0.0.1:4001".to_owned(),
    };
    let address = authority.rsplit('@').next().unwrap_or_default().trim();
    let is_known = settings.addresses.iter().any(|known| known.host_port() == address);
    if is_known {
        return Finding::ok(name, format!("calicoctl and calico-node use {address}, too"));
    }
    let text = format!("calicoctl and calico-node use {address}, which is not in ETCD_ENDPOINTS");
    Finding::warn(name, text, help)
}

/// Everything about etcd.
pub fn findings(environment: &Environment) -> Vec<Finding> {
    let mut rest = vec!["etcd-v2", "calico-keys", "calico-host", "pools"];
    rest.extend(survey::names());
    let skip = |why: &str| rest.iter().map(|name| skipped(name, why)).collect::<Vec<_>>();
    let failed = |text: String, help: &str| {
        let mut findings = vec![Finding::fail("etcd", text, help)];
        findings.extend(skip("etcd has to be reached first"));
        findings
    };
    let settings = match Settings::from(|name| environment.get(name)) {
        Ok(settings) => settings,
        Err(error) => return failed(error.to_string(), "correct it; see calico_mesos(8)"),
    };
    let deadline = Deadline::after(settings.limits.total);
    let client = match Client::new(&settings, deadline) {
        Ok(client) => client,
        Err(error) => return failed(error.to_string(), "see calico_mesos(8) about TLS"),
    };
    let version = match client.version() {
        Ok(version) => version,
        Err(error) => {
            return failed(
                error.to_string(),
                "is the address right, and does every firewall in between let its port through?",
            );
        }
    };
    let shown: String = version.chars().filter(|c| !c.is_control()).take(120).collect();
    let mut findings =
        vec![Finding::ok("etcd", format!("{} answers: {shown}", client.here().shown()))];
    match client.get("/") {
        Ok(_) => findings.push(Finding::ok("etcd-v2", "the v2 API answers")),
        Err(error) => {
            let help = "use etcd 2.x, or start etcd 3.x (before 3.6) with --enable-v2";
            findings.push(Finding::fail("etcd-v2", error.to_string(), help));
            findings.extend(skip("the v2 API has to answer first").split_off(1));
            return findings;
        }
    }
    findings.extend([calico_keys(&client), calico_host(&client), pools(&client)]);
    findings.extend(survey::findings(&settings));
    findings
}

fn calico_keys(client: &Client) -> Finding {
    let name = "calico-keys";
    match client.get("/calico/v1/Ready") {
        Ok(Some(node)) if node.value == "true" => Finding::ok(name, "/calico/v1/Ready is true"),
        Ok(Some(node)) => {
            let text = format!("/calico/v1/Ready is '{}'", node.value.escape_debug());
            Finding::fail(name, text, "Calico's data is being changed, or was left half done")
        }
        Ok(None) => Finding::fail(name, "/calico/v1/Ready does not exist", START_NODE),
        Err(error) => Finding::fail(name, error.to_string(), START_NODE),
    }
}

/// Is this host in Calico's data, with an address that is really its own? Where it is not, another
/// host may have the same name.
fn calico_host(client: &Client) -> Finding {
    let name = "calico-host";
    let found = host::name().and_then(|host| Ok((CalicoAddresses::read(client, &host)?, host)));
    let (addresses, host) = match found {
        Ok(found) => found,
        Err(error) => return Finding::fail(name, error.to_string(), START_NODE),
    };
    let Some(v4) = addresses.v4 else {
        return Finding::fail(
            name,
            format!("etcd has no Calico IPv4 address of {host}"),
            START_NODE,
        );
    };
    let own = Rtnl::open().and_then(|mut rtnl| rtnl.ipv4_addresses()).unwrap_or_default();
    if own.iter().any(|(_, ip)| *ip == v4) {
        let v6 = addresses.v6.map_or("no IPv6".to_owned(), |ip| ip.to_string());
        return Finding::ok(name, format!("{host} has {v4} and {v6}"));
    }
    Finding::fail(
        name,
        format!("Calico has {v4} for {host}, which is no address of this host"),
        "two hosts with one name? each host needs its own; else start calico-node again with --ip",
    )
}

fn pools(client: &Client) -> Finding {
    let list = |family| -> Result<Vec<_>> {
        Ok(pool::read(client, family)?.into_iter().collect::<std::result::Result<_, _>>()?)
    };
    match (list(Family::V4), list(Family::V6)) {
        (Ok(v4), Ok(v6)) if !v4.is_empty() => {
            let names: Vec<_> = v4.iter().chain(&v6).map(ToString::to_string).collect();
            Finding::ok("pools", names.join(", "))
        }
        (Ok(_), Ok(_)) => Finding::fail(
            "pools",
            "no IPv4 pool is configured",
            "calicoctl pool add CIDR, with a network that nothing else uses",
        ),
        (Err(error), _) | (_, Err(error)) => {
            Finding::fail("pools", error.to_string(), "correct the pool with calicoctl pool")
        }
    }
}
