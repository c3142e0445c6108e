//! IP pools: `/calico/v1/ipam/v4/pool/<cidr>` and v6, JSON with `cidr` and maybe `ipam` (facts 2.1)
//! and `disabled` (facts 2.3). Only pools that are for IPAM and not disabled count, which is the default.

use serde::Deserialize;

use super::{Family, Ipam, cidr::Cidr};
use crate::{
    error::{Result, forgive},
    etcd::{Client, Error, Node},
};

#[derive(Deserialize)]
struct Pool {
    cidr: String,
    #[serde(default = "yes")]
    ipam: bool,
    #[serde(default)]
    disabled: bool,
}

fn yes() -> bool {
    true
}

/// Where the pools of a family are.
pub fn folder(family: Family) -> String {
    format!("/calico/v1/ipam/v{}/pool", family.number())
}

/// The pools of one family from which addresses may be taken, in order; each is an error where it cannot be read.
pub fn read(client: &Client, family: Family) -> Result<Vec<std::result::Result<Cidr, Error>>> {
    let nodes = client.list(&folder(family))?;
    let mut pools: Vec<_> =
        nodes.iter().filter_map(|node| cidr(node, family).transpose()).collect();
    pools.sort_unstable_by_key(|pool| pool.as_ref().ok().copied());
    Ok(pools)
}

/// What a pool covers; none where no addresses are to be taken from it.
fn cidr(node: &Node, family: Family) -> std::result::Result<Option<Cidr>, Error> {
    let corrupt = |cause: String| Error::Corrupt { key: node.key.clone(), cause };
    let pool: Pool = serde_json::from_str(&node.value).map_err(|e| corrupt(e.to_string()))?;
    let cidr = Cidr::parse(&pool.cidr)
        .filter(|cidr| cidr.family() == family)
        .ok_or_else(|| corrupt(format!("cidr '{}'", pool.cidr)))?;
    Ok((pool.ipam && !pool.disabled).then_some(cidr))
}

impl Ipam<'_> {
    /// The pools of one family. One that cannot be read gives no addresses; it is an error where there is no
    /// other.
    pub(super) fn pools(&self, family: Family) -> Result<Vec<Cidr>> {
        let (readable, others): (Vec<_>, Vec<_>) =
            read(self.client, family)?.into_iter().partition(std::result::Result::is_ok);
        let mut others = others.into_iter();
        if readable.is_empty()
            && let Some(Err(error)) = others.next()
        {
            return Err(error.into());
        }
        for other in others {
            forgive(other)?;
        }
        Ok(readable.into_iter().flatten().collect())
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
        assert!(!pool.ipam && !pool.disabled);
        let disabled = r#"{"key": "/x", "value": "{\"cidr\":\"10.0.0.0/8\",\"disabled\":true}"}"#;
        let disabled: Node = serde_json::from_str(disabled).unwrap();
        assert_eq!(cidr(&disabled, Family::V4).unwrap(), None);
    }
}
