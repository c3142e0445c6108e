//! Profiles: who may talk to a container. `/calico/v1/policy/profile/<name>/tags`, a JSON list with the
//! name, and `.../rules`, JSON `id`, `inbound_rules`, `outbound_rules` (facts 2.1). Which profiles a
//! container has follows from its netgroups (facts 1.7). Felix reads these keys.

use std::net::IpAddr;

use serde_json::{Value, json};

use crate::{
    error::Result,
    etcd::{Client, cas},
    log,
};

/// What a profile allows.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// Traffic from and to the agent, so that executors reach it.
    Host,
    /// Everything.
    Public,
    /// Inbound from the same netgroup, outbound everything.
    Netgroup,
}

/// A profile that a container has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Its name, which is its tag too.
    pub name: String,
    kind: Kind,
}

/// The profiles of a container, in the order in which its endpoint names them: the agent's own
/// first, then `public`, then the netgroups.
pub fn of_container(hostname: &str, netgroups: &[String]) -> Vec<Profile> {
    let mut profiles = vec![Profile { name: format!("default_{hostname}"), kind: Kind::Host }];
    if netgroups.iter().any(|name| name == "public") {
        profiles.push(Profile { name: "public".to_owned(), kind: Kind::Public });
    }
    let groups = netgroups.iter().filter(|name| *name != "public");
    profiles
        .extend(groups.map(|name| Profile { name: format!("ng_{name}"), kind: Kind::Netgroup }));
    profiles
}

impl Profile {
    /// Where it is.
    pub fn key(&self) -> String {
        format!("/calico/v1/policy/profile/{}", self.name)
    }

    /// Makes the profile where it, or a half of it, is missing; one that is there is left as it is,
    /// because administrators change them. `host` gives the agent's addresses when they are needed.
    ///
    /// The rules come before the tags: Felix must not see a tag whose rules are still unknown.
    pub fn ensure(
        &self,
        client: &Client,
        host: impl FnOnce() -> Result<Vec<IpAddr>>,
    ) -> Result<()> {
        let folder = self.key();
        let known = client.get(&folder)?.map(|folder| folder.nodes).unwrap_or_default();
        let has = |name: &str| known.iter().any(|node| node.name() == name);
        if !has("rules") {
            let host = if self.kind == Kind::Host { host()? } else { Vec::new() };
            cas::create(client, &format!("{folder}/rules"), &self.rules(&host).to_string())?;
            log::info(&format!("made profile {}", self.name));
        }
        if !has("tags") {
            cas::create(client, &format!("{folder}/tags"), &json!([self.name]).to_string())?;
        }
        Ok(())
    }

    fn rules(&self, host: &[IpAddr]) -> Value {
        let all = || vec![json!({"action": "allow"})];
        let (inbound, outbound) = match self.kind {
            Kind::Public => (all(), all()),
            Kind::Netgroup => (vec![json!({"action": "allow", "src_tag": self.name})], all()),
            Kind::Host => {
                let rule = |net: &str| -> Vec<Value> {
                    host.iter().map(|ip| json!({"action": "allow", net: single(*ip)})).collect()
                };
                (rule("src_net"), rule("dst_net"))
            }
        };
        json!({"id": self.name, "inbound_rules": inbound, "outbound_rules": outbound})
    }
}

/// An address as a network of its own.
pub fn single(ip: IpAddr) -> String {
    format!("{ip}/{}", if ip.is_ipv4() { 32 } else { 128 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(netgroups: &[&str]) -> Vec<String> {
        let netgroups: Vec<String> = netgroups.iter().map(|name| (*name).to_owned()).collect();
        of_container("agent-1", &netgroups).into_iter().map(|profile| profile.name).collect()
    }

    #[test]
    fn the_order_of_facts_1_7() {
        assert_eq!(names(&[]), ["default_agent-1"]);
        assert_eq!(names(&["b", "public", "a"]), ["default_agent-1", "public", "ng_b", "ng_a"]);
    }

    #[test]
    fn the_rules_of_facts_1_7() {
        let profiles = of_container("agent-1", &["public".to_owned(), "prod".to_owned()]);
        let host = ["10.1.0.1".parse().unwrap(), "fd00::1".parse().unwrap()];
        assert_eq!(
            profiles[0].rules(&host),
            json!({
                "id": "default_agent-1",
                "inbound_rules": [{"action": "allow", "src_net": "10.1.0.1/32"},
                    {"action": "allow", "src_net": "fd00::1/128"}],
                "outbound_rules": [{"action": "allow", "dst_net": "10.1.0.1/32"},
                    {"action": "allow", "dst_net": "fd00::1/128"}],
            })
        );
        assert_eq!(
            profiles[1].rules(&[]),
            json!({"id": "public", "inbound_rules": [{"action": "allow"}],
                "outbound_rules": [{"action": "allow"}]})
        );
        assert_eq!(
            profiles[2].rules(&[]),
            json!({"id": "ng_prod", "inbound_rules": [{"action": "allow", "src_tag": "ng_prod"}],
                "outbound_rules": [{"action": "allow"}]})
        );
    }
}
