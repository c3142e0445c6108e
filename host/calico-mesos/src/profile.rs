//! Profiles: who may talk to a container. `/calico/v1/policy/profile/<name>/tags`, a JSON list with the
//! name, and `.../rules`, JSON `id`, `inbound_rules`, `outbound_rules` (facts 2.1). Which profiles a
//! container has follows from its netgroups (facts 1.7). Felix reads these keys.
//!
//! A rule with a net names its family as well (`ip_version`). Felix 1.1 makes each rule for IPv4 and for IPv6, leaves a
//! net of the other family out, and keeps the rule: without `ip_version`, "allow 10.1.0.1" is "allow
//! everything" over IPv6 (facts 2.3). calico-mesos 0.2.0 wrote such rules; they are mended where they are found.

use std::net::IpAddr;

use serde_json::{Value, json};

use crate::{
    error::Result,
    etcd::{
        Client,
        cas::{self, Change},
    },
    log,
};

/// Where all profiles are.
pub const FOLDER: &str = "/calico/v1/policy/profile";

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
        format!("{FOLDER}/{}", self.name)
    }

    /// Makes the profile where it, or a half of it, is missing; one that is there is left as it is,
    /// because administrators change them, unless it is the very one of 0.2.0. `host` gives the agent's addresses
    /// when they are needed.
    ///
    /// The rules come before the tags: Felix must not see a tag whose rules are still unknown.
    pub fn ensure(
        &self,
        client: &Client,
        host: impl FnOnce() -> Result<Vec<IpAddr>>,
    ) -> Result<()> {
        let folder = self.key();
        let known = client.list(&folder)?;
        let find = |name: &str| known.iter().find(|node| node.name() == name);
        match find("rules") {
            None => {
                let host = if self.kind == Kind::Host { host()? } else { Vec::new() };
                cas::create(client, &format!("{folder}/rules"), &self.rules(&host).to_string())?;
                log::info(&format!("made profile {}", self.name));
            }
            Some(node) if mended(&self.name, &node.value).is_some() => {
                mend(client, &self.name)?;
            }
            Some(_) => {}
        }
        if find("tags").is_none() {
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
                let rules = |net: &str| host.iter().map(|ip| bound(net, *ip)).collect();
                (rules("src_net"), rules("dst_net"))
            }
        };
        rules(&self.name, inbound, outbound)
    }
}

fn rules(name: &str, inbound: Vec<Value>, outbound: Vec<Value>) -> Value {
    json!({"id": name, "inbound_rules": inbound, "outbound_rules": outbound})
}

/// A rule that allows one address, in the table of its family alone.
fn bound(net: &str, ip: IpAddr) -> Value {
    json!({"action": "allow", "ip_version": if ip.is_ipv4() { 4 } else { 6 }, net: single(ip)})
}

/// The rules to be written in the place of those that 0.2.0 wrote for an agent's own profile; none where `text` is
/// anything else. They are for the addresses that 0.2.0 knew.
pub fn mended(name: &str, text: &str) -> Option<String> {
    let known: Value = serde_json::from_str(text).ok()?;
    let hosts = known["inbound_rules"].as_array()?.iter().map(|rule| {
        let (ip, _) = rule["src_net"].as_str()?.split_once('/')?;
        ip.parse().ok()
    });
    let hosts: Vec<IpAddr> = hosts.collect::<Option<_>>()?;
    let of_all = |rule: fn(&str, IpAddr) -> Value| {
        let side = |net: &str| hosts.iter().map(|ip| rule(net, *ip)).collect();
        rules(name, side("src_net"), side("dst_net"))
    };
    let unbound = |net: &str, ip| json!({"action": "allow", net: single(ip)});
    let is_of_0_2_0 = name.starts_with("default_") && could_be_an_agents(&hosts);
    (is_of_0_2_0 && known == of_all(unbound)).then(|| of_all(bound).to_string())
}

/// Whether 0.2.0 wrote such a list: Calico's IPv4 address, its IPv6 address, the first other one of the host; each
/// may be missing, not all.
fn could_be_an_agents(hosts: &[IpAddr]) -> bool {
    let families: Vec<bool> = hosts.iter().map(IpAddr::is_ipv4).collect();
    matches!(families[..], [_] | [true, false] | [true, true] | [false, true] | [true, false, true])
}

/// Mends the rules that 0.2.0 wrote for a profile, if they still are those; whether they were.
pub fn mend(client: &Client, name: &str) -> Result<bool> {
    cas::update(client, &format!("{FOLDER}/{name}/rules"), |node| {
        Ok(match node.and_then(|node| mended(name, &node.value)) {
            Some(rules) => {
                log::warn(&format!("profile {name} let everything in over one family: mended"));
                Change::Write(rules, true)
            }
            None => Change::Keep(false),
        })
    })
}

/// A family in which a rule says more than its author can have meant, since its net is of the other one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Widened {
    /// 4 or 6.
    pub family: u8,
    /// Whether nothing at all restricts the rule there.
    pub is_open: bool,
}

/// What Felix makes of an allowing rule in the family that its net is not of.
pub fn widened(rule: &Value) -> Option<Widened> {
    let has = |key: &str| !rule[key].is_null();
    let nets = ["src_net", "dst_net"].map(|key| rule[key].as_str());
    let of_family =
        |six: bool| nets.iter().flatten().filter(|net| net.contains(':') == six).count();
    let allows = rule["action"].as_str().is_none_or(|action| action == "allow");
    let family = match (of_family(false), of_family(true)) {
        (1.., 0) => 6,
        (0, 1..) => 4,
        // With one of each, each table has one.
        _ => return None,
    };
    let icmp = rule["protocol"].as_str().is_some_and(|protocol| protocol.starts_with("icmp"));
    if !allows || has("ip_version") || icmp {
        return None;
    }
    let others = ["protocol", "src_tag", "dst_tag", "src_ports", "dst_ports"];
    Some(Widened { family, is_open: !others.iter().any(|key| has(key)) })
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
                "inbound_rules": [{"action": "allow", "ip_version": 4, "src_net": "10.1.0.1/32"},
                    {"action": "allow", "ip_version": 6, "src_net": "fd00::1/128"}],
                "outbound_rules": [{"action": "allow", "ip_version": 4, "dst_net": "10.1.0.1/32"},
                    {"action": "allow", "ip_version": 6, "dst_net": "fd00::1/128"}],
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

    /// As 0.2.0 wrote them.
    fn unbound(hosts: &[&str]) -> Value {
        let side = |net: &str| -> Vec<Value> {
            let single = |ip: &&str| single(ip.parse().unwrap());
            hosts.iter().map(|ip| json!({"action": "allow", net: single(ip)})).collect()
        };
        rules("default_a", side("src_net"), side("dst_net"))
    }

    #[test]
    fn rules_of_0_2_0_are_bound_to_their_families() {
        for hosts in [
            &["10.1.0.1"][..],
            &["fd00::1"],
            &["10.1.0.1", "fd00::1"],
            &["10.1.0.1", "10.2.0.1"],
            &["fd00::1", "10.2.0.1"],
            &["10.1.0.1", "fd00::1", "10.2.0.1"],
        ] {
            let ips: Vec<IpAddr> = hosts.iter().map(|ip| ip.parse().unwrap()).collect();
            let profile = Profile { name: "default_a".to_owned(), kind: Kind::Host };
            let text = mended("default_a", &unbound(hosts).to_string()).unwrap();
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), profile.rules(&ips));
            assert_eq!(mended("default_a", &text), None, "mended once");
        }
        // What calicoctl has read and written again has other blanks and another order.
        let text = r#"{ "outbound_rules": [{"dst_net": "10.1.0.1/32", "action": "allow"}], "id":
            "default_a", "inbound_rules": [{"src_net": "10.1.0.1/32", "action": "allow"}] }"#;
        assert!(mended("default_a", text).is_some());
    }

    #[test]
    fn rules_of_administrators_are_not_mended() {
        let old = || unbound(&["10.1.0.1", "fd00::1"]);
        let mut more = vec![old(); 10];
        more[0]["inbound_rules"][0]["src_net"] = "10.1.0.0/24".into();
        more[1]["inbound_rules"][0]["protocol"] = "tcp".into();
        more[2]["outbound_rules"] = json!([]);
        more[3]["outbound_rules"][0]["dst_net"] = "10.1.0.2/32".into();
        more[4]["inbound_rules"] = json!([{"action": "allow"}]);
        more[5]["id"] = "default_b".into();
        more[6]["comment"] = "mine".into();
        more[7]["inbound_rules"][1]["action"] = "deny".into();
        more[8]["inbound_rules"] = json!([]);
        more[9]["inbound_rules"][0]["ip_version"] = 4.into();
        for rules in more {
            assert_eq!(mended("default_a", &rules.to_string()), None, "{rules}");
        }
        let many = unbound(&["10.1.0.1", "10.1.0.2", "10.1.0.3"]);
        let none = unbound(&[]);
        for rules in [many, none, unbound(&["fd00::1", "fd00::2"]), json!("no rules")] {
            assert_eq!(mended("default_a", &rules.to_string()), None, "{rules}");
        }
        assert_eq!(mended("ng_a", &old().to_string().replace("default_a", "ng_a")), None);
    }

    #[test]
    fn rules_that_say_more_in_the_other_family() {
        let open = |family| Some(Widened { family, is_open: true });
        let narrower = |family| Some(Widened { family, is_open: false });
        for (rule, wanted) in [
            (json!({"action": "allow", "src_net": "10.0.0.1/32"}), open(6)),
            (json!({"src_net": "10.0.0.0/8", "ip_version": null}), open(6)),
            (json!({"action": "allow", "dst_net": "fd00::1/128"}), open(4)),
            (json!({"action": "allow", "src_net": "10.0.0.1", "src_tag": "ng_a"}), narrower(6)),
            (json!({"src_net": "fd00::/8", "protocol": "tcp", "dst_ports": [22]}), narrower(4)),
            (json!({"action": "allow", "src_net": "10.0.0.1/32", "ip_version": 4}), None),
            (json!({"action": "allow", "src_net": "10.0.0.1/32", "dst_net": "::1/128"}), None),
            (json!({"action": "allow", "src_net": "10.0.0.1/32", "protocol": "icmp"}), None),
            (json!({"action": "deny", "src_net": "10.0.0.1/32"}), None),
            (json!({"action": "allow", "src_tag": "ng_a"}), None),
            (json!({"action": "allow"}), None),
        ] {
            assert_eq!(widened(&rule), wanted, "{rule}");
        }
    }
}
