//! Rules that Felix 1.1 does not take. One of them is enough: the whole profile has no rules then (facts 2.3).

use std::net::IpAddr;

use serde_json::{Map, Value};

/// All that a rule may have.
const KEYS: [&str; 11] = [
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

/// Why Felix refuses the rules of a profile; none where it takes them.
pub(super) fn why(rules: &Value) -> Option<String> {
    if !rules.is_object() {
        return Some("they are no JSON object".to_owned());
    }
    ["inbound_rules", "outbound_rules"].into_iter().find_map(|side| match &rules[side] {
        Value::Array(rules) => rules.iter().find_map(of_rule),
        _ => Some(format!("{side} is no list")),
    })
}

fn of_rule(rule: &Value) -> Option<String> {
    let Value::Object(rule) = rule else { return Some(format!("{rule} is no rule")) };
    let unknown = rule.keys().find(|key| !KEYS.contains(&key.as_str()));
    let unknown = unknown.map(|key| format!("a rule has {key:?}, which Felix 1.1 does not know"));
    let wrong = wrong_member(rule).map(|name| format!("a rule has {name} {}", rule[name]));
    unknown.or(wrong).or_else(|| of_other_family(rule))
}

/// A member whose value it cannot have. A missing one and null are the same.
fn wrong_member(rule: &Map<String, Value>) -> Option<&'static str> {
    let is_word =
        |words: &[&str], value: &Value| value.as_str().is_some_and(|w| words.contains(&w));
    let is_byte = |value: &Value| value.as_u64().is_some_and(|number| number <= 255);
    let is_right = |name: &str, value: &Value| match name {
        "action" => is_word(&["allow", "deny"], value),
        "protocol" => is_word(&["tcp", "udp", "icmp", "icmpv6"], value),
        "ip_version" => [4.into(), 6.into()].contains(value),
        "src_ports" | "dst_ports" => {
            value.as_array().is_some_and(|ports| ports.iter().all(is_port))
        }
        "icmp_type" | "icmp_code" => is_byte(value),
        _ => value.is_string(),
    };
    let is_wrong = |name: &&str| {
        let value = rule.get(*name).filter(|value| !value.is_null());
        value.is_some_and(|value| !is_right(name, value))
    };
    KEYS.into_iter().find(is_wrong)
}

/// A number, or a range `N:M`.
fn is_port(value: &Value) -> bool {
    let is_number = |number: u64| (1..=65535).contains(&number);
    let range = || {
        let (from, to) = value.as_str()?.split_once(':')?;
        let (from, to): (u64, u64) = (from.trim().parse().ok()?, to.trim().parse().ok()?);
        Some(from < to && is_number(from) && is_number(to))
    };
    value.as_u64().map_or_else(|| range().unwrap_or(false), is_number)
}

/// A net, or a protocol, that is not of the family that the rule is bound to.
fn of_other_family(rule: &Map<String, Value>) -> Option<String> {
    let version = rule.get("ip_version")?.as_u64()?;
    let other_protocol = if version == 4 { "icmpv6" } else { "icmp" };
    let is_other = |name: &&str| {
        let Some(text) = rule.get(*name).and_then(Value::as_str) else { return false };
        // A short form such as 10/8 is none of std's, and fine.
        let net = text.split('/').next().unwrap_or_default().parse::<IpAddr>();
        text == other_protocol || net.is_ok_and(|ip| ip.is_ipv4() != (version == 4))
    };
    let name = ["src_net", "dst_net", "protocol"].into_iter().find(is_other)?;
    Some(format!("a rule has ip_version {version}, and {name} {}", rule[name]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(rule: Value) -> Option<String> {
        why(&json!({"inbound_rules": [{"action": "allow"}], "outbound_rules": [rule]}))
    }

    #[test]
    fn rules_that_felix_takes() {
        for rule in [
            json!({}),
            json!({"action": "deny", "protocol": null, "src_tag": "ng_a", "ip_version": null}),
            json!({"ip_version": 4, "src_net": "10.0.0.0/8", "dst_net": "10.0.0.1", "protocol": "icmp"}),
            json!({"ip_version": 6, "dst_net": "fd00::/8", "icmp_type": 8, "icmp_code": 0}),
            json!({"ip_version": 4, "src_net": "10/8"}),
            json!({"src_net": "10.0.0.0/8", "protocol": "tcp", "dst_ports": [22, "80:90"]}),
        ] {
            assert_eq!(of(rule.clone()), None, "{rule}");
        }
    }

    #[test]
    fn rules_that_felix_refuses() {
        for (rule, word) in [
            (json!({"ip_version": "4", "src_net": "10.0.0.1/32"}), "ip_version \"4\""),
            (json!({"ip_version": 5}), "ip_version 5"),
            (json!({"ip_version": 6, "src_net": "10.0.0.1/32"}), "ip_version 6, and src_net"),
            (json!({"ip_version": 4, "dst_net": "fd00::/8"}), "ip_version 4, and dst_net"),
            (json!({"ip_version": 4, "protocol": "icmpv6"}), "and protocol"),
            (json!({"action": "accept"}), "action \"accept\""),
            (json!({"protocol": "sctp"}), "sctp"),
            (json!({"dst_ports": 22}), "dst_ports 22"),
            (json!({"dst_ports": [0]}), "dst_ports"),
            (json!({"dst_ports": ["90:80"]}), "dst_ports"),
            (json!({"icmp_type": 256}), "icmp_type 256"),
            (json!({"src_selector": "all()"}), "\"src_selector\", which Felix 1.1"),
            (json!("allow"), "is no rule"),
        ] {
            let why = of(rule.clone()).unwrap_or_default();
            assert!(why.contains(word), "{rule}: {why}");
        }
        for rules in [
            json!(null),
            json!([]),
            json!({"inbound_rules": []}),
            json!({"inbound_rules": {}, "outbound_rules": []}),
        ] {
            assert!(why(&rules).is_some(), "{rules}");
        }
    }
}
