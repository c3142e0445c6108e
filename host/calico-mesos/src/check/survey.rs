//! What the readers of the data in etcd make of it: the findings of a survey.

use super::report::Finding;
use crate::{
    etcd::Client,
    settings::Settings,
    survey::{self, Fault, Topic},
};

/// More faults than these of a topic are counted only.
const NAMED: usize = 5;

/// The names of the checks.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    Topic::ALL.into_iter().map(Topic::name)
}

/// One finding for each topic.
pub(super) fn findings(settings: &Settings) -> Vec<Finding> {
    match survey::client(settings) {
        Ok(client) => Topic::ALL.map(|topic| finding(&client, topic)).into(),
        Err(error) => Topic::ALL.map(|topic| unread(topic, &error.to_string())).into(),
    }
}

fn unread(topic: Topic, why: &str) -> Finding {
    Finding::fail(topic.name(), why, "nothing is known of this before etcd answers it")
}

fn finding(client: &Client, topic: Topic) -> Finding {
    match survey::faults(client, topic) {
        Ok(faults) => of_faults(topic, &faults),
        Err(error) => unread(topic, &error.to_string()),
    }
}

fn of_faults(topic: Topic, faults: &[Fault]) -> Finding {
    if faults.is_empty() {
        return Finding::ok(topic.name(), all_is_well(topic));
    }
    let mut named: Vec<String> = faults.iter().take(NAMED).map(Fault::to_string).collect();
    if faults.len() > NAMED {
        named.push(format!("and {} more", faults.len() - NAMED));
    }
    let help = match (faults.iter().any(Fault::is_mendable), faults.iter().all(Fault::is_mendable))
    {
        (true, true) => "calico_mesos repair mends it".to_owned(),
        (true, false) => {
            format!("calico_mesos repair mends a part; for the rest: {}", by_hand(topic))
        }
        _ => by_hand(topic).to_owned(),
    };
    let is_grave = faults.iter().any(|fault| fault.is_grave);
    let finding = if is_grave { Finding::fail } else { Finding::warn };
    finding(topic.name(), named.join("; "), &help)
}

fn all_is_well(topic: Topic) -> &'static str {
    match topic {
        Topic::Profiles => "Felix takes all rules, and none allows more in one family than it says",
        Topic::Affinities => "all agree with their blocks",
        Topic::Blocks => "all can be read, and are true",
    }
}

/// What an administrator does about a fault that is somebody's to judge.
pub(super) fn by_hand(topic: Topic) -> &'static str {
    match topic {
        Topic::Profiles => {
            "correct /calico/v1/policy/profile/NAME/rules with etcdctl set: \"ip_version\": 4 or 6 (a number) \
             beside each src_net and dst_net, and nothing that Felix refuses; calicoctl 0.9 does not know ip_version"
        }
        Topic::Affinities => "compare /calico/ipam/v2/host/HOST/ipv4/block with the blocks",
        Topic::Blocks => "use the Calico client that made the block to change it or to remove it",
    }
}
