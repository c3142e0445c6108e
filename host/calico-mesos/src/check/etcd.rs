//! Is etcd there, does it serve v2, are Calico's keys in it?

use super::{
    agent::Environment,
    hosts, pools,
    report::{Finding, skipped},
    survey,
};
use crate::{deadline::Deadline, etcd::Client, host, settings::Settings};

const START_NODE: &str =
    "start calico-node on this host (systemctl start calico-node), under this host name";

const UNKNOWN: &str = "the settings have to be known first";

/// ETCD_AUTHORITY is read by calicoctl and calico-node of 0.9 as well, which take exactly one address: do they talk to
/// the etcd of this program?
pub fn authority(environment: &Environment) -> Finding {
    let name = "authority";
    if !environment.is_known() {
        return skipped(name, UNKNOWN);
    }
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
    let mut rest = vec!["etcd-v2", "calico-keys", "to-host", "calico-host", "addresses", "pools"];
    rest.extend(survey::names());
    let skip = |why: &str| rest.iter().map(|name| skipped(name, why)).collect::<Vec<_>>();
    if !environment.is_known() {
        return [skipped("etcd", UNKNOWN)].into_iter().chain(skip(UNKNOWN)).collect();
    }
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
    let client = match Client::new(&settings.etcd(), deadline) {
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
    findings.push(calico_keys(&client));
    findings.push(to_host(&client));
    findings.extend(of_data(&settings, environment));
    findings.extend(survey::findings(&settings));
    findings
}

/// What the data say of hosts and pools, which may be many.
fn of_data(settings: &Settings, environment: &Environment) -> Vec<Finding> {
    let client = match crate::survey::client(settings) {
        Ok(client) => client,
        Err(error) => {
            let failed = |name| Finding::fail(name, error.to_string(), START_NODE);
            return ["calico-host", "addresses", "own-profile", "pools"].map(failed).into();
        }
    };
    let hosts = hosts::read(&client);
    let mut findings = hosts::findings(&hosts);
    findings.push(hosts::own_profile(&client, &hosts));
    findings.push(pools::finding(&client, settings, environment.agent(), &hosts));
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

/// What Felix does with packets of containers to their own host, where the agent is: it drops them, unless it is told
/// otherwise, for this host or for all.
fn to_host(client: &Client) -> Finding {
    let (name, setting) = ("to-host", "DefaultEndpointToHostAction");
    let all = format!("/calico/v1/config/{setting}");
    let help =
        format!("etcdctl set {all} RETURN, as calicoctl node does, and look at this host's own");
    let value = host::name().and_then(|host| {
        let own = client.get(&format!("/calico/v1/host/{host}/config/{setting}"))?;
        Ok(if own.is_some() { own } else { client.get(&all)? })
    });
    match value {
        Ok(Some(node)) if ["RETURN", "ACCEPT"].contains(&node.value.trim()) => {
            Finding::ok(name, format!("containers reach the agent ({})", node.value.trim()))
        }
        Ok(Some(node)) => {
            let value = node.value.escape_debug();
            let text = format!("{} is '{value}': no executor reaches its agent", node.key);
            Finding::fail(name, text, &help)
        }
        Ok(None) => {
            let text = format!("{all} is not set: Felix lets no executor reach its agent then");
            Finding::warn(name, text, &help)
        }
        Err(error) => Finding::fail(name, error.to_string(), &help),
    }
}
