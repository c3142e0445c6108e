//! From the bytes on stdin to a [`Request`] that has passed every check. The order of the checks is
//! the original's (facts 1.4), so that a request with several faults gets the same answer.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::Value;

use super::fields::{self, Args};
use crate::error::{Error, Result};

/// One checked request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Pick addresses.
    Allocate(Allocate),
    /// Take the addresses that are named.
    Reserve(Reserve),
    /// Give addresses back.
    Release(Release),
    /// Connect a container.
    Isolate(Isolate),
    /// Remove all that `isolate` made.
    Cleanup(Cleanup),
}

/// How many addresses, for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allocate {
    /// The IPAM handle.
    pub uid: String,
    /// IPv4 addresses wanted.
    pub num_ipv4: usize,
    /// IPv6 addresses wanted.
    pub num_ipv6: usize,
}

/// Addresses of both families, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// In the request's order.
    pub v4: Vec<Ipv4Addr>,
    /// In the request's order.
    pub v6: Vec<Ipv6Addr>,
}

/// Which addresses, for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserve {
    /// The IPAM handle.
    pub uid: String,
    /// The addresses wanted.
    pub addresses: Addresses,
}

/// What to give back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Release {
    /// Everything that has this handle.
    Uid(String),
    /// These addresses, whoever has them.
    Ips(Vec<IpAddr>),
}

/// A container to connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Isolate {
    /// The agent's name as Mesos knows it: only the default profile's name uses it (facts 1.7).
    pub hostname: String,
    /// The container.
    pub container_id: String,
    /// A process in the container's network namespace.
    pub pid: u32,
    /// The container's addresses.
    pub addresses: Addresses,
    /// The groups that may talk to it.
    pub netgroups: Vec<String>,
}

/// A container that is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cleanup {
    /// The container.
    pub container_id: String,
}

impl Addresses {
    fn from_args(args: &Args) -> Result<Self> {
        let addresses = Self { v4: fields::ipv4_addrs(args)?, v6: fields::ipv6_addrs(args)? };
        if addresses.v4.is_empty() && addresses.v6.is_empty() {
            return Err(Error::request("Must provide at least one IPv4 or IPv6 address."));
        }
        Ok(addresses)
    }

    /// All addresses, IPv4 first.
    pub fn iter(&self) -> impl Iterator<Item = IpAddr> + '_ {
        let v6 = self.v6.iter().copied().map(IpAddr::V6);
        self.v4.iter().copied().map(IpAddr::V4).chain(v6)
    }
}

/// Reads a request.
pub fn parse(input: &[u8]) -> Result<Request> {
    // Invalid JSON gives the parser's own text (facts 1.4).
    let value: Value = serde_json::from_slice(input).map_err(|e| Error::request(e.to_string()))?;
    let Value::Object(request) = value else {
        return Err(Error::request("The request must be a JSON object"));
    };
    let command = request.get("command").ok_or_else(|| Error::request("Missing command"))?;
    let args = match request.get("args") {
        None | Some(Value::Null) => return Err(Error::request("Missing args")),
        Some(Value::Object(args)) => args,
        Some(_) => return Err(Error::request("args must be a JSON object")),
    };
    match command.as_str() {
        Some("allocate") => allocate(args).map(Request::Allocate),
        Some("reserve") => reserve(args).map(Request::Reserve),
        Some("release") => release(args).map(Request::Release),
        Some("isolate") => isolate(args).map(Request::Isolate),
        Some("cleanup") => cleanup(args).map(Request::Cleanup),
        _ => Err(Error::request(format!("Unknown command: {}", fields::shown(command)))),
    }
}

fn allocate(args: &Args) -> Result<Allocate> {
    let uid = fields::uid(args)?;
    fields::hostname_given(args)?;
    fields::count_given(args, "num_ipv4")?;
    fields::count_given(args, "num_ipv6")?;
    let num_ipv4 = fields::count(args, "num_ipv4")?;
    let num_ipv6 = fields::count(args, "num_ipv6")?;
    Ok(Allocate { uid, num_ipv4, num_ipv6 })
}

fn reserve(args: &Args) -> Result<Reserve> {
    let uid = fields::uid(args)?;
    fields::hostname_given(args)?;
    Ok(Reserve { uid, addresses: Addresses::from_args(args)? })
}

fn release(args: &Args) -> Result<Release> {
    let given = |name: &str| args.get(name).filter(|value| !value.is_null());
    match (given("uid"), given("ips")) {
        (None, None) => Err(Error::request("Must supply either uid or ips.")),
        (None, ips) => Ok(Release::Ips(fields::addresses(ips)?)),
        (Some(_), Some(_)) => Err(Error::request("Supply either uid or ips, not both.")),
        (Some(uid @ Value::String(_)), None) => Ok(Release::Uid(fields::checked_uid(uid)?)),
        (Some(_), None) => Err(Error::request("uid must be a string")),
    }
}

fn isolate(args: &Args) -> Result<Isolate> {
    let container_id = fields::container_id(args)?;
    let hostname = fields::hostname(args)?;
    let pid = fields::pid(args)?;
    let addresses = Addresses::from_args(args)?;
    let netgroups = fields::netgroups(args)?;
    Ok(Isolate { hostname, container_id, pid, addresses, netgroups })
}

fn cleanup(args: &Args) -> Result<Cleanup> {
    let container_id = fields::container_id(args)?;
    if fields::is_falsy(args.get("hostname")) {
        return Err(Error::request("Missing hostname"));
    }
    Ok(Cleanup { container_id })
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
