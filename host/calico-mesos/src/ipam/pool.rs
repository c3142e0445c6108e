//! IP pools: `/calico/v1/ipam/v4/pool/<cidr>` and v6, JSON with `cidr` and maybe `ipam` (facts 2.1).
//! Only pools that are for IPAM count, which is the default.

use serde::Deserialize;

use super::{Family, Ipam, cidr::Cidr};
use crate::{
    error::Result,
    etcd::{Client, Error},
};

#[derive(Deserialize)]
struct Pool {
    cidr: String,
    #[serde(default = "yes")]
    ipam: bool,
}

fn yes() -> bool {
    true
}

/// Where the pools of a family are.
pub fn folder(family: Family) -> String {
    format!("/calico/v1/ipam/v{}/pool", family.number())
}

/// The pools of one family from which addresses may be taken, in the order of their keys.
pub fn read(client: &Client, family: Family) -> Result<Vec<Cidr>> {
    let mut pools = Vec::new();
    for node in client.get(&folder(family))?.map(|folder| folder.nodes).unwrap_or_default() {
        let corrupt = |cause: String| Error::Corrupt { key: node.key.clone(), cause };
        let pool: Pool = serde_json::from_str(&node.value).map_err(|e| corrupt(e.to_string()))?;
        let cidr = Cidr::parse(&pool.cidr)
            .filter(|cidr| cidr.family() == family)
            .ok_or_else(|| corrupt(format!("cidr '{}'", pool.cidr)))?;
        if pool.ipam {
            pools.push(cidr);
        }
    }
    pools.sort_unstable();
    Ok(pools)
}

impl Ipam<'_> {
    /// The pools of one family.
    pub(super) fn pools(&self, family: Family) -> Result<Vec<Cidr>> {
        read(self.client, family)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipam_is_on_where_nothing_is_said() {
        let pool: Pool = serde_json::from_str(r#"{"cidr":"10.0.0.0/8","ipip":"tunl0"}"#).unwrap();
        assert!(pool.ipam);
        let pool: Pool = serde_json::from_str(r#"{"cidr":"10.0.0.0/8","ipam":false}"#).unwrap();
        assert!(!pool.ipam);
    }
}
