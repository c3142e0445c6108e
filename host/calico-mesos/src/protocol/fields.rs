//! The checks of single fields, each with the message that facts 1.4 give. The original was Python 2,
//! and what it took for "given" was Python's idea of truth; that is kept, because net-modules
//! and others were written against it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// The arguments of a request.
pub type Args = Map<String, Value>;

/// More addresses than this in one request are refused: the answer must stay below 64 KiB
/// (facts 1.8), and a block has 64 addresses.
pub const COUNT_MAX: u64 = 512;

/// True where Python takes the value for "not given": null, false, zero, and anything empty.
pub fn is_falsy(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null | Value::Bool(false)) => true,
        Some(Value::Bool(true)) => false,
        Some(Value::Number(number)) => number.as_f64() == Some(0.0),
        Some(Value::String(text)) => text.is_empty(),
        Some(Value::Array(items)) => items.is_empty(),
        Some(Value::Object(items)) => items.is_empty(),
    }
}

/// The name of the Python type that the original saw, as it printed it.
pub fn python_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "<type 'NoneType'>",
        Value::Bool(_) => "<type 'bool'>",
        Value::Number(number) if number.is_f64() => "<type 'float'>",
        Value::Number(number) if number.is_i64() => "<type 'int'>",
        Value::Number(_) => "<type 'long'>",
        Value::String(_) => "<type 'unicode'>",
        Value::Array(_) => "<type 'list'>",
        Value::Object(_) => "<type 'dict'>",
    }
}

/// A string, or a number that stands for one.
pub fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// True for a name that can be one part of an etcd key: whatever else it contains, it cannot reach
/// another key, nor tear a log line.
fn is_key_part(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 255
        && name != "."
        && name != ".."
        && !name.starts_with('_') // etcd hides such keys
        && name.chars().all(|c| c.is_ascii_graphic() && c != '/')
}

/// The IPAM handle of a request: any non-empty value that is text, made a string.
pub fn uid(args: &Args) -> Result<String> {
    let value = args.get("uid");
    match value {
        Some(value) if !is_falsy(Some(value)) => checked_uid(value),
        _ => Err(Error::request("Missing uid")),
    }
}

/// The text of a uid that is there.
pub fn checked_uid(value: &Value) -> Result<String> {
    text(value)
        .filter(|uid| is_key_part(uid))
        .ok_or_else(|| Error::request(format!("Invalid UID: {}", shown(value))))
}

/// The container's id, under its own name or the hyphened one of the first versions.
pub fn container_id(args: &Args) -> Result<String> {
    let value = args.get("container_id").or_else(|| args.get("container-id"));
    match value {
        Some(value) if !is_falsy(Some(value)) => text(value)
            .filter(|id| is_key_part(id))
            .ok_or_else(|| Error::request(format!("Invalid container_id: {}", shown(value)))),
        _ => Err(Error::request("Missing container_id")),
    }
}

/// The agent's host name, where it only has to be there (allocate, reserve): null is missing, an
/// empty name is not.
pub fn hostname_given(args: &Args) -> Result<()> {
    match args.get("hostname") {
        None | Some(Value::Null) => Err(Error::request("Missing hostname")),
        Some(_) => Ok(()),
    }
}

/// The agent's host name, where it becomes a part of a profile's name: empty is missing too.
pub fn hostname(args: &Args) -> Result<String> {
    match args.get("hostname") {
        Some(value) if !is_falsy(Some(value)) => text(value)
            .filter(|name| is_profile_name(name))
            .ok_or_else(|| Error::request(format!("Invalid hostname: {}", shown(value)))),
        _ => Err(Error::request("Missing hostname")),
    }
}

/// True for the characters that Calico allows in a tag (facts 2.1).
pub fn is_profile_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 255
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
}

/// The process id of the container: a number, or a string with one.
pub fn pid(args: &Args) -> Result<u32> {
    let value = match args.get("pid") {
        Some(value) if !is_falsy(Some(value)) => value,
        _ => return Err(Error::request("Missing pid")),
    };
    text(value)
        .and_then(|text| text.trim().parse().ok())
        .filter(|pid| (1..=i32::MAX as u32).contains(pid))
        .ok_or_else(|| Error::request("pid must be an integer"))
}

/// `num_ipv4` or `num_ipv6`: that it is there.
pub fn count_given(args: &Args, name: &str) -> Result<()> {
    match args.get(name) {
        None | Some(Value::Null) => Err(Error::request(format!("Missing {name}"))),
        Some(_) => Ok(()),
    }
}

/// `num_ipv4` or `num_ipv6`: its value, by the rules of Python's `int()`.
pub fn count(args: &Args, name: &str) -> Result<usize> {
    let number = match args.get(name) {
        Some(Value::Bool(value)) => Some(f64::from(*value)),
        Some(Value::Number(number)) => number.as_f64().map(f64::trunc),
        // The original let a string that is no number fall through to its unhandled error.
        Some(Value::String(text)) => text.trim().parse::<i64>().ok().map(|n| n as f64),
        _ => None,
    };
    match number {
        Some(number) if (0.0..=COUNT_MAX as f64).contains(&number) => Ok(number as usize),
        Some(_) => Err(Error::request(format!("{name} must be from 0 to {COUNT_MAX}"))),
        None => Err(Error::request(format!("{name} must be an integer"))),
    }
}

/// A list of IPv4 addresses; a missing one is empty.
pub fn ipv4_addrs(args: &Args) -> Result<Vec<Ipv4Addr>> {
    list(args.get("ipv4_addrs"), |ip| match ip {
        IpAddr::V4(ip) => Ok(ip),
        IpAddr::V6(_) => Err(misplaced(6, 4)),
    })
}

/// A list of IPv6 addresses; a missing one is empty.
pub fn ipv6_addrs(args: &Args) -> Result<Vec<Ipv6Addr>> {
    list(args.get("ipv6_addrs"), |ip| match ip {
        IpAddr::V6(ip) => Ok(ip),
        IpAddr::V4(_) => Err(misplaced(4, 6)),
    })
}

/// A list of addresses of both kinds.
pub fn addresses(value: Option<&Value>) -> Result<Vec<IpAddr>> {
    list(value, Ok)
}

/// A list of addresses of the kind that `belongs` takes, checked one after the other as in the original.
fn list<A: Copy + Into<IpAddr>>(
    value: Option<&Value>,
    belongs: impl Fn(IpAddr) -> Result<A>,
) -> Result<Vec<A>> {
    let items = match value {
        None => return Ok(Vec::new()),
        Some(Value::Array(items)) => items,
        Some(other) => {
            return Err(Error::request(format!(
                "IP addresses must be provided as JSON list, not: {}",
                python_type(other)
            )));
        }
    };
    if items.len() as u64 > COUNT_MAX {
        return Err(Error::request(format!("More than {COUNT_MAX} IP addresses in one request.")));
    }
    let read = |value| belongs(parsed(value)?).and_then(of_a_container);
    items.iter().map(read).collect()
}

fn parsed(value: &Value) -> Result<IpAddr> {
    value
        .as_str()
        .and_then(|text| text.trim().parse().ok())
        .ok_or_else(|| Error::request(format!("IP address could not be parsed: {}", shown(value))))
}

/// Refuses what the original did not know to refuse.
fn of_a_container<A: Copy + Into<IpAddr>>(address: A) -> Result<A> {
    let ip = address.into();
    let is_broadcast = ip == IpAddr::V4(Ipv4Addr::BROADCAST);
    if ip.is_unspecified() || ip.is_loopback() || ip.is_multicast() || is_broadcast {
        return Err(Error::request(format!("IP address {ip} cannot be a container's.")));
    }
    Ok(address)
}

fn misplaced(is: u8, field: u8) -> Error {
    Error::request(format!("IPv{is} address must not be placed in IPv{field} address field."))
}

/// The netgroups: a list of names, in their order, each once.
pub fn netgroups(args: &Args) -> Result<Vec<String>> {
    let items = match args.get("netgroups") {
        None => return Ok(Vec::new()),
        Some(Value::Array(items)) => items,
        Some(_) => return Err(Error::request("Must provide list of netgroups.")),
    };
    let mut names: Vec<String> = Vec::new();
    for item in items {
        let name = text(item).filter(|name| is_profile_name(name)).ok_or_else(|| {
            Error::request(format!(
                "Netgroup {} has other characters than letters, digits, '_', '.' and '-'.",
                shown(item)
            ))
        })?;
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

/// A value as an error message shows it: text without quotes, never much of it.
pub fn shown(value: &Value) -> String {
    let text = text(value).unwrap_or_else(|| value.to_string());
    match text.char_indices().nth(200) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text,
    }
}
