//! `cleanup`: remove what `isolate` made (facts 1.7): addresses, interface, endpoint. It can be said any number
//! of times, and after an `isolate` that failed or was killed anywhere.

use crate::{
    endpoint::{Place, Remains},
    error::{Error, Result},
    etcd::{Client, Cond, Error as EtcdError},
    ipam::Ipam,
    log,
    netns::provision,
    protocol::Cleanup,
};

/// Of the kernel: IFNAMSIZ, less the zero byte.
const INTERFACE_NAME_MAX: usize = 15;

/// Carries out `cleanup`.
///
/// The original failed where there was no endpoint, which left an agent with a container that it
/// could not finish; here that is fine, unless `strict` asks for the old answer.
pub fn cleanup(client: &Client, strict: bool, host: &str, request: &Cleanup) -> Result<()> {
    let place = Place::new(host, &request.container_id);
    let endpoints = place.existing(client)?;
    // The interface is named after the container, so it is found without an endpoint too.
    remove_interface(&place.interface())?;
    for node in &endpoints {
        // An endpoint that cannot be read must go all the same.
        let remains: Remains = serde_json::from_str(&node.value).unwrap_or_else(|error| {
            log::warn(&format!("endpoint {}: {error}", node.key));
            Remains::default()
        });
        // A longer name is no interface's.
        if remains.name.starts_with("cali") && remains.name.len() <= INTERFACE_NAME_MAX {
            remove_interface(&remains.name)?;
        }
        Ipam { client, host }.release_endpoint(&remains.addresses(), node.created)?;
    }
    client.delete(place.folder(), Cond::Recursive).map_err(EtcdError::from)?;
    if endpoints.is_empty() {
        let text = format!("No endpoint found with container-id: {}", request.container_id);
        if strict {
            return Err(Error::Request(text));
        }
        log::warn(&text);
    }
    Ok(())
}

fn remove_interface(name: &str) -> Result<()> {
    if provision::remove(name)? {
        log::info(&format!("removed {name}"));
    }
    Ok(())
}
