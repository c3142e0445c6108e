//! What Felix 1.1 does with what is in etcd: its part on a host, and its verdict on a packet. It is written down here
//! by facts 2.2 and 2.3, so that the plugin's own idea of a rule is not its judge.

use std::{collections::BTreeMap, net::IpAddr};

use serde_json::Value;

use super::{etcd::Etcd, ip, sysctl, tree};

/// What Felix does for an endpoint on its host (facts 2.2): forwarding settings of the interface, a route to
/// each address, and a proxy neighbour for the IPv6 gateway.
pub fn program(endpoint: &Value) {
    let name = endpoint["name"].as_str().unwrap();
    sysctl(&format!("net/ipv4/conf/{name}/proxy_arp"), "1");
    sysctl(&format!("net/ipv4/neigh/{name}/proxy_delay"), "0");
    sysctl(&format!("net/ipv6/conf/{name}/proxy_ndp"), "1");
    if let Some(gateway) = endpoint["ipv6_gateway"].as_str() {
        ip(&["-6", "neigh", "add", "proxy", gateway, "dev", name]);
    }
    for (family, nets) in [("-4", &endpoint["ipv4_nets"]), ("-6", &endpoint["ipv6_nets"])] {
        for net in nets.as_array().unwrap() {
            ip(&[family, "route", "replace", net.as_str().unwrap(), "dev", name]);
        }
    }
}

/// The keys that a rule may have. Any other one makes Felix drop everything.
const KNOWN: [&str; 11] = [
    "action",
    "protocol",
    "src_net",
    "src_tag",
    "src_ports",
    "dst_net",
    "dst_tag",
    "dst_ports",
    "icmp_type",
    "icmp_code",
    "ip_version",
];

/// A rule as it stands in the table of one family: what is not in it restricts nothing.
#[derive(Debug)]
struct Rendered {
    allows: bool,
    nets: Vec<(End, String)>,
    tags: Vec<(End, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Source,
    Destination,
}

/// Renders the rules of one direction for one family.
fn render(rules: &Value, family: u64) -> Vec<Rendered> {
    let mut rendered = Vec::new();
    for rule in rules.as_array().unwrap() {
        let keys = rule.as_object().unwrap().keys();
        keys.for_each(|key| assert!(KNOWN.contains(&key.as_str()), "Felix does not know {key}"));
        // Only this key binds a rule to a family.
        if rule["ip_version"].as_u64().is_some_and(|version| version != family) {
            continue;
        }
        let ends = [(End::Source, "src"), (End::Destination, "dst")];
        let part = |what: &'static str| {
            ends.into_iter().filter_map(move |(end, name)| {
                Some((end, rule[format!("{name}_{what}")].as_str()?.to_owned()))
            })
        };
        rendered.push(Rendered {
            allows: rule["action"].as_str().unwrap_or("allow") == "allow",
            // A net of the other family is left out, and the rule stays.
            nets: part("net").filter(|(_, net)| net.contains(':') == (family == 6)).collect(),
            tags: part("tag").collect(),
        });
    }
    rendered
}

/// What is in etcd, as Felix sees it.
pub struct Policy {
    tree: BTreeMap<String, Value>,
}

impl Policy {
    pub fn read(etcd: &Etcd) -> Self {
        Self { tree: tree::tree(etcd) }
    }

    /// Whether a packet gets from one address to another: what the sender's profiles let out, and the receiver's
    /// let in. An address that is no endpoint's is of a host, which has no profiles.
    pub fn lets(&self, from: &str, to: &str) -> bool {
        let (from, to): (IpAddr, IpAddr) = (from.parse().unwrap(), to.parse().unwrap());
        self.passes(from, "outbound_rules", from, to) && self.passes(to, "inbound_rules", from, to)
    }

    /// Each profile in turn: the first rule that matches decides, and where none does the packet is dropped.
    fn passes(&self, of: IpAddr, direction: &str, from: IpAddr, to: IpAddr) -> bool {
        let Some(endpoint) = self.endpoint(of) else { return true };
        let family = if of.is_ipv4() { 4 } else { 6 };
        let profiles = endpoint["profile_ids"].as_array().unwrap();
        let rules = profiles.iter().filter_map(|name| {
            let key = format!("/calico/v1/policy/profile/{}/rules", name.as_str().unwrap());
            Some(render(&self.tree.get(&key)?[direction], family))
        });
        let matching = rules.flatten().find(|rule| self.matches(rule, from, to));
        matching.is_some_and(|rule| rule.allows)
    }

    fn matches(&self, rule: &Rendered, from: IpAddr, to: IpAddr) -> bool {
        let address = |end: End| if end == End::Source { from } else { to };
        rule.nets.iter().all(|(end, net)| has(net, address(*end)))
            && rule.tags.iter().all(|(end, tag)| self.has_tag(address(*end), tag))
    }

    fn endpoint(&self, ip: IpAddr) -> Option<&Value> {
        self.tree.iter().filter(|(key, _)| key.contains("/endpoint/")).map(|(_, value)| value).find(
            |endpoint| {
                let nets = ["ipv4_nets", "ipv6_nets"].map(|nets| endpoint[nets].as_array());
                nets.into_iter().flatten().flatten().any(|net| has(net.as_str().unwrap(), ip))
            },
        )
    }

    fn has_tag(&self, ip: IpAddr, tag: &str) -> bool {
        let Some(endpoint) = self.endpoint(ip) else { return false };
        endpoint["profile_ids"].as_array().unwrap().iter().any(|name| {
            let key = format!("/calico/v1/policy/profile/{}/tags", name.as_str().unwrap());
            self.tree.get(&key).is_some_and(|tags| tags.as_array().unwrap().contains(&tag.into()))
        })
    }
}

/// Whether a net has an address.
fn has(net: &str, ip: IpAddr) -> bool {
    let (base, prefix) = net.split_once('/').unwrap();
    let (base, prefix): (IpAddr, u32) = (base.parse().unwrap(), prefix.parse().unwrap());
    let bits = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => u128::from(ip.to_bits()) << 96,
        IpAddr::V6(ip) => ip.to_bits(),
    };
    let mask = u128::MAX.checked_shl(128 - prefix).unwrap_or(0);
    base.is_ipv4() == ip.is_ipv4() && (bits(base) ^ bits(ip)) & mask == 0
}
