//! Blocks, and the affinities that all hosts have to them.

use std::collections::BTreeMap;

use super::{Fault, Remedy, Topic, read::read_each};
use crate::{
    error::Result,
    etcd::{Client, Node},
    ipam::{
        Family, Ipam, block,
        block::{Block, Preference},
        cidr::Cidr,
    },
};

const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

/// Calls `each` for every block, or for its key where it is gone by then.
fn each_block(client: &Client, mut each: impl FnMut(Cidr, Option<Node>)) -> Result<()> {
    for family in FAMILIES {
        let blocks = Ipam { client, host: "" }.known_blocks(family)?;
        let keys: Vec<_> = blocks.into_iter().map(|cidr| (cidr, block::key(cidr))).collect();
        read_each(client, &keys, |cidr, node| each(*cidr, node))?;
    }
    Ok(())
}

/// Affinities that their blocks do not agree with, and blocks without the affinity that they name.
pub(super) fn affinities(client: &Client) -> Result<Vec<Fault>> {
    // The affinities first: one that is stale then is stale when its block has been read.
    let mut hosts: BTreeMap<Cidr, Vec<String>> = BTreeMap::new();
    for host in client.names("/calico/ipam/v2/host")? {
        for family in FAMILIES {
            for affinity in (Ipam { client, host: &host }).affinities(family)? {
                hosts.entry(affinity.block).or_default().push(host.clone());
            }
        }
    }
    let mut faults = Vec::new();
    each_block(client, |cidr, node| {
        let Some(node) = node else { return };
        let preference = Preference::of(&node);
        let have = hosts.remove(&cidr).unwrap_or_default();
        faults.extend(disagreements(cidr, &preference, &have));
    })?;
    for (cidr, hosts) in hosts {
        let lone = |host| lone(cidr, host);
        faults.extend(hosts.into_iter().map(lone));
    }
    Ok(faults)
}

/// What is wrong with the affinities of one block.
fn disagreements(cidr: Cidr, preference: &Preference, hosts: &[String]) -> Vec<Fault> {
    let whose = match preference {
        Preference::Host(host) => format!("{host}'s"),
        Preference::NoHost => "no host's".to_owned(),
        // Whose it is cannot be told: the check of blocks names it.
        Preference::Unknown => return Vec::new(),
    };
    let stale = hosts.iter().filter(|host| !preference.is(host)).map(|host| Fault {
        topic: Topic::Affinities,
        is_grave: true,
        text: format!(
            "{host} has an affinity to block {cidr}, which is {whose}: its BIRD cuts the block off"
        ),
        remedy: Remedy::Drop(host.clone(), cidr),
    });
    let mut faults: Vec<Fault> = stale.collect();
    if let Preference::Host(host) = preference
        && !hosts.contains(host)
    {
        faults.push(Fault {
            topic: Topic::Affinities,
            is_grave: false,
            text: format!(
                "block {cidr} is {host}'s, which has no affinity to it: each address has a route"
            ),
            remedy: Remedy::Restore(host.clone(), cidr),
        });
    }
    faults
}

/// An affinity without a block. Its host may be claiming it at this moment.
fn lone(cidr: Cidr, host: String) -> Fault {
    Fault {
        topic: Topic::Affinities,
        is_grave: false,
        text: format!("{host} has an affinity to block {cidr}, which does not exist"),
        remedy: Remedy::Drop(host, cidr),
    }
}

/// Blocks that are not true, or that this program leaves alone.
pub(super) fn faults(client: &Client) -> Result<Vec<Fault>> {
    let mut faults = Vec::new();
    each_block(client, |cidr, node| {
        let Some(node) = node else { return };
        faults.extend(fault(cidr, &node));
    })?;
    Ok(faults)
}

fn fault(cidr: Cidr, node: &Node) -> Option<Fault> {
    let fault =
        |is_grave, text, remedy| Some(Fault { topic: Topic::Blocks, is_grave, text, remedy });
    match Block::read(cidr, node) {
        Ok(block) if block.is_corrected() => {
            let text = format!(
                "'unallocated' of block {cidr} does not say what 'allocations' does: later Calico \
                 clients would give an address twice"
            );
            fault(true, text, Remedy::Correct(cidr))
        }
        Ok(_) => None,
        Err(error) => fault(false, format!("block {cidr} is left alone: {error}"), Remedy::ByHand),
    }
}
