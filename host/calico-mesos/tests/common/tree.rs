//! etcd's whole key tree as something that can be compared, and the full count of addresses.

use std::collections::BTreeMap;

use serde_json::Value;

use super::etcd::Etcd;

/// Every key with its value: JSON where it is JSON, text where not, null for a folder with nothing in it.
pub fn tree(etcd: &Etcd) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    collect(&etcd.node("/").unwrap(), &mut found);
    found
}

fn collect(node: &Value, found: &mut BTreeMap<String, Value>) {
    let key = node["key"].as_str().unwrap_or("/").to_owned();
    match node["nodes"].as_array() {
        Some(nodes) => nodes.iter().for_each(|node| collect(node, found)),
        None if node["dir"] == true => {
            found.insert(key, Value::Null);
        }
        None => {
            let text = node["value"].as_str().unwrap();
            found.insert(key, serde_json::from_str(text).unwrap_or_else(|_| text.into()));
        }
    }
}

/// All addresses that are assigned, with their handles. Asserts that the handles count exactly them.
pub fn count(etcd: &Etcd) -> BTreeMap<(String, usize), String> {
    let assigned = assigned(etcd);
    let mut counted: BTreeMap<(String, String), u64> = BTreeMap::new();
    for ((block, _), handle) in &assigned {
        *counted.entry((handle.clone(), block.clone())).or_default() += 1;
    }
    assert_eq!(handles(etcd), counted, "handles and blocks disagree");
    assigned
}

/// All addresses that are assigned, as block and number, with their handles.
pub fn assigned(etcd: &Etcd) -> BTreeMap<(String, usize), String> {
    let mut assigned = BTreeMap::new();
    for (key, block) in tree(etcd) {
        if !key.starts_with("/calico/ipam/v2/assignment/") || block.is_null() {
            continue;
        }
        for (ordinal, index) in block["allocations"].as_array().unwrap().iter().enumerate() {
            let Some(index) = index.as_u64() else { continue };
            let handle = block["attributes"][index as usize]["handle_id"].as_str().unwrap();
            let cidr = block["cidr"].as_str().unwrap().to_owned();
            assigned.insert((cidr, ordinal), handle.to_owned());
        }
    }
    assigned
}

/// What the handles count: handle and block, with the number.
pub fn handles(etcd: &Etcd) -> BTreeMap<(String, String), u64> {
    let mut counts = BTreeMap::new();
    for (key, handle) in tree(etcd) {
        let Some(uid) = key.strip_prefix("/calico/ipam/v2/handle/") else { continue };
        assert_eq!(handle["id"], uid);
        for (block, count) in handle["block"].as_object().unwrap() {
            counts.insert((uid.to_owned(), block.clone()), count.as_u64().unwrap());
        }
    }
    counts
}
