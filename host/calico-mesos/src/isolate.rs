//! `isolate`: connect a container (facts 1.7 and 2.2). Interface first, profiles next, the endpoint last: by
//! then everything that Felix will read is in place. If a step fails, the interface is
//! removed again. Profiles stay: they belong to netgroups, and another container may use them already.

use std::net::{IpAddr, Ipv4Addr};

use crate::{
    deadline::Deadline,
    endpoint::{Endpoint, Place, nets},
    error::{Error, Result},
    etcd::{
        Client, Node,
        cas::{self, Change},
    },
    host::{self, CalicoAddresses},
    log,
    netns::provision::{Gateway6, Pair},
    profile::{self, Profile},
    protocol::{Addresses, Isolate},
    settings::{self, Gateway, Settings},
};

/// The address that stands for the gateway in the link-local rule.
const LINK_LOCAL: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 1);

/// Carries out `isolate`.
///
/// The interface takes the kernel about as long as etcd takes for what has to be known, so both go on at
/// once. What etcd says is judged first, and with a refusal the interface goes again.
pub fn isolate(client: &Client, settings: &Settings, host: &str, request: &Isolate) -> Result<()> {
    let place = Place::new(host, &request.container_id);
    let profiles = profile::of_container(&request.hostname, &request.netgroups);
    let known = [place.endpoints(), CalicoAddresses::key(host)];
    client.read_ahead(known.into_iter().chain(profiles.iter().map(Profile::key)));
    let addresses = usable(&request.addresses);
    let pair = Pair::make(request.pid, place.interface(), &addresses);
    if !place.existing(client)?.is_empty() {
        return Err(already_configured());
    }
    let calico = CalicoAddresses::read(client, host)?;
    let mut pair = pair?;
    let (gateway4, gateway6) = gateways(settings.gateway, &calico, &addresses)?;
    let gateway6 = pair.add_routes(gateway4, gateway6)?;
    let endpoint = Endpoint {
        state: "active".to_owned(),
        name: place.interface(),
        mac: pair.mac(),
        profile_ids: profiles.iter().map(|profile| profile.name.clone()).collect(),
        ipv4_nets: nets(addresses.v4.iter().copied().map(IpAddr::V4)),
        ipv6_nets: nets(addresses.v6.iter().copied().map(IpAddr::V6)),
        ipv4_gateway: gateway4,
        ipv6_gateway: gateway6,
    };
    if let Err(error) = publish(client, &place, &calico, &profiles, &endpoint) {
        drop(pair);
        roll_back(client, &place, &endpoint);
        return Err(error);
    }
    pair.keep();
    log::info(&format!("container {} has {}", request.container_id, endpoint.name));
    Ok(())
}

fn already_configured() -> Error {
    Error::request("This container has already been configured with Calico Networking.")
}

/// The addresses that this host can use.
fn usable(addresses: &Addresses) -> Addresses {
    let mut usable = addresses.clone();
    if !usable.v6.is_empty() && !host::has_ipv6() {
        log::warn("this host has no IPv6: the container's IPv6 addresses are not used");
        usable.v6.clear();
    }
    usable
}

/// The next hops of the container's default routes.
fn gateways(
    rule: Gateway,
    calico: &CalicoAddresses,
    addresses: &Addresses,
) -> Result<(Option<Ipv4Addr>, Option<Gateway6>)> {
    if addresses.v4.is_empty() && addresses.v6.is_empty() {
        return Err(Error::request("This host has no IPv6, and no IPv4 address was given."));
    }
    let gateway4 = match (rule, addresses.v4.is_empty(), calico.v4) {
        (_, true, _) => None,
        (Gateway::LinkLocal, ..) => Some(LINK_LOCAL),
        (Gateway::Host, _, Some(own)) => Some(own),
        (Gateway::Host, _, None) => {
            return Err(Error::request(
                "etcd has no Calico IPv4 address of this host: is calico-node running here, and \
                 under this host name?",
            ));
        }
    };
    // A host without an IPv6 address for Calico still has one on the container's own link.
    let gateway6 = (!addresses.v6.is_empty()).then_some(match (rule, calico.v6) {
        (Gateway::Host, Some(own)) => Gateway6::Address(own),
        _ => Gateway6::HostSide,
    });
    Ok((gateway4, gateway6))
}

fn publish(
    client: &Client,
    place: &Place,
    calico: &CalicoAddresses,
    profiles: &[Profile],
    endpoint: &Endpoint,
) -> Result<()> {
    for profile in profiles {
        profile.ensure(client, || agent_addresses(calico))?;
    }
    if !place.create(client, endpoint)? {
        return Err(already_configured());
    }
    Ok(())
}

/// The addresses that the agent may be talked to at: Calico's, and the one that the original
/// would have picked, where that is another.
fn agent_addresses(calico: &CalicoAddresses) -> Result<Vec<IpAddr>> {
    let mut addresses: Vec<IpAddr> = calico.iter().collect();
    if let Some(first) = host::first_ipv4()?.map(IpAddr::V4)
        && !addresses.contains(&first)
    {
        addresses.push(first);
    }
    if addresses.is_empty() {
        return Err(Error::request("Couldn't determine host's IP Address."));
    }
    Ok(addresses)
}

fn roll_back(client: &Client, place: &Place, endpoint: &Endpoint) {
    client.begin_rollback(Deadline::after(settings::ROLLBACK));
    // The endpoint may have been written although the answer was lost; the id is this container's alone.
    // Only the value that was written here is removed.
    let removed = cas::update(client, &place.key(), |node| {
        let ours =
            |node: &Node| serde_json::from_str(&node.value).is_ok_and(|e: Endpoint| e == *endpoint);
        let change = if node.is_some_and(ours) { Change::Delete(()) } else { Change::Keep(()) };
        Ok::<_, Error>(change)
    });
    if let Err(error) = removed {
        log::error(&format!("cannot roll back the endpoint: {error}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gateway_rules() {
        let own: Ipv4Addr = "10.1.0.1".parse().unwrap();
        let calico = CalicoAddresses { v4: Some(own), v6: None };
        let v4 = Addresses { v4: vec!["192.168.0.1".parse().unwrap()], v6: vec![] };
        assert_eq!(gateways(Gateway::Host, &calico, &v4).unwrap(), (Some(own), None));
        assert_eq!(gateways(Gateway::LinkLocal, &calico, &v4).unwrap(), (Some(LINK_LOCAL), None));
        let unknown = CalicoAddresses::default();
        assert!(gateways(Gateway::Host, &unknown, &v4).is_err());
        assert!(gateways(Gateway::LinkLocal, &unknown, &v4).is_ok());
        let v6 = Addresses { v4: vec![], v6: vec!["fd80::1".parse().unwrap()] };
        let got = gateways(Gateway::Host, &unknown, &v6).unwrap();
        assert_eq!(got, (None, Some(Gateway6::HostSide)));
        let none = Addresses { v4: vec![], v6: vec![] };
        assert!(gateways(Gateway::Host, &calico, &none).is_err());
    }

    #[test]
    fn the_message_of_facts_1_4() {
        let text = already_configured().to_string();
        assert_eq!(text, "This container has already been configured with Calico Networking.");
    }
}
