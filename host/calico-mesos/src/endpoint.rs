//! A workload endpoint: what Felix programs routes and rules from (facts 2.1).
//! `/calico/v1/host/<host>/workload/mesos/<container>/endpoint/<id>`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    error::Result,
    etcd::{Client, Error, Node, cas},
    profile::single,
};

/// The value of an endpoint's key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Always "active".
    pub state: String,
    /// The interface on the host.
    pub name: String,
    /// The container's address on its link.
    pub mac: String,
    /// The container's profiles.
    pub profile_ids: Vec<String>,
    /// `a.b.c.d/32`, sorted.
    pub ipv4_nets: Vec<String>,
    /// `.../128`, sorted.
    pub ipv6_nets: Vec<String>,
    /// The container's default route.
    pub ipv4_gateway: Option<Ipv4Addr>,
    /// The container's default route. Felix makes a proxy neighbour for it (facts 2.2).
    pub ipv6_gateway: Option<Ipv6Addr>,
}

/// The key of an endpoint, in its parts.
#[derive(Clone, Debug)]
pub struct Place {
    folder: String,
    /// 32 hexadecimal digits.
    pub id: String,
}

impl Place {
    /// The place of a container's endpoint.
    ///
    /// The original drew a random id (uuid1). Readers only need it to be unique, and deriving it from
    /// host and container (uuid5) lets `cleanup` find the interface of an `isolate` that was killed
    /// before it could write the endpoint.
    pub fn new(host: &str, container_id: &str) -> Self {
        let name = format!("calico-mesos/{host}/{container_id}");
        Self {
            folder: format!("/calico/v1/host/{host}/workload/mesos/{container_id}"),
            id: Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()).simple().to_string(),
        }
    }

    /// The interface on the host: `cali` and the first 11 digits of the id (facts 2.2), which are the 15
    /// characters that the kernel allows.
    pub fn interface(&self) -> String {
        format!("cali{}", &self.id[..11])
    }

    /// The folder of everything about the container.
    pub fn folder(&self) -> &str {
        &self.folder
    }

    /// The folder of the container's endpoints.
    pub fn endpoints(&self) -> String {
        format!("{}/endpoint", self.folder)
    }

    /// The key of the endpoint.
    pub fn key(&self) -> String {
        format!("{}/endpoint/{}", self.folder, self.id)
    }

    /// The endpoints that the container has in etcd.
    pub fn existing(&self, client: &Client) -> Result<Vec<Node>> {
        Ok(client.list(&self.endpoints())?)
    }

    /// Writes the endpoint; false where one is there already.
    pub fn create(&self, client: &Client, endpoint: &Endpoint) -> std::result::Result<bool, Error> {
        // Strings, lists and addresses: there is nothing that could fail.
        let value = serde_json::to_string(endpoint).unwrap_or_default();
        cas::create(client, &self.key(), &value)
    }
}

/// Addresses as sorted networks, by their text, as the original sorted them.
pub fn nets(ips: impl Iterator<Item = IpAddr>) -> Vec<String> {
    let mut nets: Vec<String> = ips.map(single).collect();
    nets.sort_unstable();
    nets.dedup();
    nets
}

/// What `cleanup` needs of an endpoint, whoever wrote it.
#[derive(Debug, Default, Deserialize)]
pub struct Remains {
    /// The interface on the host.
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    ipv4_nets: Vec<String>,
    #[serde(default)]
    ipv6_nets: Vec<String>,
}

impl Remains {
    /// The endpoint's addresses; anything that is none is left out.
    pub fn addresses(&self) -> Vec<IpAddr> {
        let nets = self.ipv4_nets.iter().chain(&self.ipv6_nets);
        nets.filter_map(|net| net.split('/').next()?.parse().ok()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let place = Place::new("agent-1", "ba11f1de");
        assert_eq!(place.id.len(), 32);
        assert!(place.id.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase()));
        assert_eq!(place.interface().len(), 15);
        assert!(
            place.key().starts_with("/calico/v1/host/agent-1/workload/mesos/ba11f1de/endpoint/")
        );
        assert_ne!(place.id, Place::new("agent-2", "ba11f1de").id);
        assert_eq!(place.id, Place::new("agent-1", "ba11f1de").id);
    }

    #[test]
    fn nets_are_sorted_text() {
        let ips = ["10.0.0.9", "10.0.0.10", "10.0.0.9"].map(|ip| ip.parse().unwrap());
        assert_eq!(nets(ips.into_iter()), ["10.0.0.10/32", "10.0.0.9/32"]);
    }

    #[test]
    fn remains_of_others_are_understood() {
        let text = r#"{"state":"active","name":"cali1","mac":"x","profile_id":"p",
            "ipv4_nets":["10.0.0.1/32","junk"],"ipv6_nets":["fd80::1/128"]}"#;
        let remains: Remains = serde_json::from_str(text).unwrap();
        assert_eq!(remains.addresses().len(), 2);
    }
}
