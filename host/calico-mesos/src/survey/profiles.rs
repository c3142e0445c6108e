//! Profiles that let in more than their author can have meant, or nothing at all, by what Felix makes of them (facts 2.3).

mod refused;

use serde_json::Value;

use super::{Fault, Remedy, Topic, read::read_each};
use crate::{
    error::Result,
    etcd::Client,
    profile::{self, Widened, widened},
};

/// Every profile with a rule whose net is left out in one of the families.
pub(super) fn faults(client: &Client) -> Result<Vec<Fault>> {
    let names = client.names(profile::FOLDER)?;
    let rules = |name: String| {
        let key = format!("{}/{name}/rules", profile::FOLDER);
        (name, key)
    };
    let keys: Vec<_> = names.into_iter().map(rules).collect();
    let mut faults = Vec::new();
    read_each(client, &keys, |name, node| {
        faults.extend(node.and_then(|node| fault(name, &node.value)));
    })?;
    Ok(faults)
}

fn fault(name: &str, text: &str) -> Option<Fault> {
    let rules: Value = serde_json::from_str(text).unwrap_or_default();
    if let Some(why) = refused::why(&rules) {
        return Some(Fault {
            topic: Topic::Profiles,
            is_grave: name.starts_with("default_"),
            text: format!("Felix refuses all rules of {name}, and lets nothing through: {why}"),
            remedy: Remedy::ByHand,
        });
    }
    let sides = ["inbound_rules", "outbound_rules"].map(|side| rules[side].as_array());
    let wide: Vec<Widened> = sides.into_iter().flatten().flatten().filter_map(widened).collect();
    let worst = wide.iter().find(|wide| wide.is_open).or(wide.first())?;
    let family = worst.family;
    let lets = if worst.is_open { "everything" } else { "more than it says" };
    let remedy = match profile::mended(name, text) {
        Some(_) => Remedy::Profile(name.to_owned()),
        None => Remedy::ByHand,
    };
    Some(Fault {
        topic: Topic::Profiles,
        // Every container of its agent has such a profile; others may be meant for one family.
        is_grave: worst.is_open && name.starts_with("default_"),
        text: format!("{name} allows {lets} over IPv{family}: a rule has a net and no ip_version"),
        remedy,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_profiles() {
        let old = r#"{"id":"default_a","inbound_rules":[{"action":"allow","src_net":"10.0.0.1/32"}],
            "outbound_rules":[{"action":"allow","dst_net":"10.0.0.1/32"}]}"#;
        let found = fault("default_a", old).unwrap();
        assert!(found.is_grave && found.is_mendable());
        let text = "default_a allows everything over IPv6: a rule has a net and no ip_version";
        assert_eq!(found.to_string(), text);
        let changed = old.replace(r#"{"id""#, r#"{"note":"mine","id""#);
        let found = fault("default_a", &changed).unwrap();
        assert!(found.is_grave && !found.is_mendable());
        let of_a_group = fault("ng_a", old).unwrap();
        assert!(!of_a_group.is_grave && !of_a_group.is_mendable());
        assert!(fault("default_a", &profile::mended("default_a", old).unwrap()).is_none());
        let found = fault("default_a", "no rules").unwrap();
        assert!(found.is_grave && !found.is_mendable());
        assert!(found.to_string().contains("Felix refuses all rules of default_a"), "{found}");
    }
}
